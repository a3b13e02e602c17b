//! The route table of the API. A handler without [`Authorized`] as its first argument is not [`Declared`], and
//! its route does not compile.

use axum::handler::Handler;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{Operation as DocumentedOperation, PathItem};
use utoipa::openapi::security::SecurityRequirement;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::operation::{Access, Authorized, Declaration, Operation};
use crate::app::App;

/// The arguments of a handler that declares its operation: the first one is [`Authorized`].
#[diagnostic::on_unimplemented(
    message = "this handler declares no operation",
    note = "its first argument must be `Authorized<O>`, and `operation!` declares `O`"
)]
pub trait Declared {
    /// The declaration of the operation.
    const DECLARATION: Declaration;
}

/// Implements [`Declared`] as axum implements [`Handler`]: for tuples of a marker and the arguments.
macro_rules! declared {
    ($($argument:ident),*) => {
        impl<M, O: Operation, $($argument),*> Declared for (M, Authorized<O>, $($argument,)*) {
            const DECLARATION: Declaration = O::DECLARATION;
        }
    };
}

declared!();
declared!(A);
declared!(A, B);
declared!(A, B, C);
declared!(A, B, C, D);
declared!(A, B, C, D, E);

/// Routes with a declared operation each. `declared_routes!` fills a table.
#[derive(Default)]
pub struct DeclaredRoutes(OpenApiRouter<App>);

impl DeclaredRoutes {
    /// Adds the route of a handler. `routes` are those that `routes!` makes of this handler. The id, the
    /// required scope and the audit kind in the OpenAPI document are those of the operation.
    #[must_use]
    pub fn route<H, T>(self, _handler: H, mut routes: UtoipaMethodRouter<App>) -> Self
    where
        H: Handler<T, App>,
        T: Declared,
    {
        for operation in routes.1.paths.values_mut().flat_map(operations) {
            document(operation, T::DECLARATION);
        }
        Self(self.0.routes(routes))
    }

    /// Adds the routes of another table.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self(self.0.merge(other.0))
    }

    /// Returns the routes with their part of the OpenAPI document.
    #[must_use]
    pub fn into_router(self) -> OpenApiRouter<App> {
        self.0
    }
}

/// Makes a table of the routes of these handlers.
macro_rules! declared_routes {
    ($($module:ident $(:: $part:ident)*),* $(,)?) => {
        $crate::http::declared_routes::DeclaredRoutes::default()
            $(.route($module $(:: $part)*, utoipa_axum::routes!($module $(:: $part)*)))*
    };
}

pub(crate) use declared_routes;

/// Writes the declaration into the description of an operation.
fn document(operation: &mut DocumentedOperation, declaration: Declaration) {
    let Declaration { id, access, audit, .. } = declaration;
    let scope = access.scope().as_str();
    operation.operation_id = Some(id.to_owned());
    operation.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], _>("api_key", [])]);
    let about = operation.description.take().or_else(|| operation.summary.clone());
    let holder = if access == Access::Installation { "key of the installation" } else { "key" };
    let answers = if access == Access::Write {
        " The answer shows the facts of what was changed also to a key without scope `read`; personal fields are \
         masked as in reads."
    } else {
        ""
    };
    let needed = format!("Requires a {holder} with scope `{scope}`.{answers}");
    operation.description = Some(format!("{}\n\n{needed}", about.unwrap_or_default()));
    let declared = ExtensionsBuilder::new()
        .add("x-required-scope", scope)
        .add("x-installation-key", access == Access::Installation)
        .add("x-audit-kind", audit.as_str())
        .build();
    operation.extensions.get_or_insert_default().merge(declared);
}

/// The operations of a path in the OpenAPI document.
pub(crate) fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut DocumentedOperation> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [get, put, post, delete, patch].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_with_a_key_and_no_other_has_a_declaration() {
        let (_, document) = crate::router::router_and_openapi();
        let mut declared = 0;
        for (path, mut item) in document.paths.paths {
            for operation in operations(&mut item) {
                let needs_key =
                    operation.security.as_ref().is_some_and(|needed| !needed.is_empty());
                assert!(needs_key || !path.starts_with("/v1/"), "{path} is open");
                let extensions = operation.extensions.as_deref();
                for name in ["x-required-scope", "x-installation-key", "x-audit-kind"] {
                    let is_declared = extensions.is_some_and(|all| all.contains_key(name));
                    assert_eq!(is_declared, needs_key, "{path} {name}");
                }
                declared += usize::from(needs_key);
            }
        }
        assert!(declared > 40, "{declared}");
    }
}
