//! Operations: what each route of the API declares, and the extractor that enforces it before the handler
//! runs.

use std::marker::PhantomData;
use std::ops::Deref;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::problem::ApiError;

/// The keys that may call an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Keys with scope `read`.
    Read,
    /// Keys with scope `write`.
    Write,
    /// Keys with scope `compliance`, for the rights of persons over their data.
    Compliance,
    /// Keys with scope `admin`.
    Admin,
    /// Keys of the installation with scope `admin`, for changes that affect every tenant.
    Installation,
    /// Keys with scope `admin`, of a tenant in any state and without a reader permit: a credential can be
    /// revoked under load, and after the tenant was closed.
    Revocation,
}

impl Access {
    /// The scope that the key must have.
    #[must_use]
    pub const fn scope(self) -> Scope {
        match self {
            Self::Read => Scope::Read,
            Self::Write => Scope::Write,
            Self::Compliance => Scope::Compliance,
            Self::Admin | Self::Installation | Self::Revocation => Scope::Admin,
        }
    }
}

/// What a call of an operation does, for the audit trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditKind {
    /// Returns facts without personal data.
    ReadsFacts,
    /// Returns personal data to keys with scope `personal`.
    ReadsPersonalData,
    /// Changes the log, or which of its events a read model contains.
    Changes,
    /// Changes credentials, settings or versions of read models.
    Administers,
}

impl AuditKind {
    /// The name in the OpenAPI document.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadsFacts => "reads_facts",
            Self::ReadsPersonalData => "reads_personal_data",
            Self::Changes => "changes",
            Self::Administers => "administers",
        }
    }
}

/// What a route declares about itself.
#[derive(Debug, Clone, Copy)]
pub struct Declaration {
    /// The id in the OpenAPI document; client generators name their functions after it.
    pub id: &'static str,
    /// The name in audit events, such as `keys.create`.
    pub action: &'static str,
    /// The keys that may call it.
    pub access: Access,
    /// What a call does.
    pub audit: AuditKind,
}

/// An operation of the API. `operation!` declares one.
pub trait Operation: Send + Sync + 'static {
    /// The declaration, which the extractor enforces and the OpenAPI document shows.
    const DECLARATION: Declaration;
}

/// Declares the operation of a route: a type for [`Authorized`].
macro_rules! operation {
    (
        $name:ident {
            id: $id:literal, action: $action:literal, access: $access:ident, audit: $audit:ident $(,)?
        }
    ) => {
        #[doc = concat!("The operation `", $id, "`.")]
        #[derive(Debug, Clone, Copy)]
        pub struct $name;

        impl $crate::http::operation::Operation for $name {
            const DECLARATION: $crate::http::operation::Declaration =
                $crate::http::operation::Declaration {
                    id: $id,
                    action: $action,
                    access: $crate::http::operation::Access::$access,
                    audit: $crate::http::operation::AuditKind::$audit,
                };
        }
    };
}

pub(crate) use operation;

/// The caller of an operation, authorized for it. The only way for a handler to get a [`Caller`].
#[derive(Debug, Clone)]
pub struct Authorized<O> {
    caller: Caller,
    operation: PhantomData<O>,
}

impl<O> Authorized<O> {
    /// Returns the caller.
    #[must_use]
    pub fn into_caller(self) -> Caller {
        self.caller
    }
}

impl<O> Deref for Authorized<O> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl<O: Operation> FromRequestParts<App> for Authorized<O> {
    type Rejection = ApiError;

    /// Rejects a request without a valid key (401), or whose key may not call the operation (403). A refusal
    /// for lack of rights is recorded in the tenant's log.
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let Declaration { action, access, .. } = O::DECLARATION;
        let mut caller = Caller::identify(parts, app, action).await?;
        if access != Access::Revocation {
            caller.admit(app).await?;
        }
        caller.require(app, access.scope(), action).await?;
        if access == Access::Installation {
            caller.require_installation(app).await?;
        }
        Ok(Self { caller, operation: PhantomData })
    }
}
