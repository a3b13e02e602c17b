//! The tenant as an aggregate: its profile, its state and the limits of its plan.
//!
//! The name of a tenant may contain a person's name, so no event has it. The store keeps it in the
//! row of the tenant and decides over the row, which it locks together with the log.

pub mod keys;
mod plan;
pub mod routes;
pub mod sources;
#[cfg(test)]
mod tests;

use chrono_tz::Tz;

use crate::aggregate::{Aggregate, Decided, Stream};
use crate::envelope::StreamKind;
use crate::event::{StateChanged, TenantCreated, TenantEvent, TenantUpdated};
use crate::ids::TenantId;
use crate::phone::{country_meant, is_country};
use crate::text::check_line;

pub use plan::{Limit, PlanLimits};

/// Maximum length of a tenant's name, in characters.
pub const MAX_NAME: usize = 200;

/// The state of a tenant, which decides on the permitted operations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TenantState {
    /// Reads and writes are permitted.
    #[default]
    Active,
    /// Permits reads, which are audited, and revoking credentials. Refuses webhooks and writes.
    Frozen,
    /// Permits revoking credentials. Refuses webhooks and writes, and its API keys read nothing.
    Closed,
}

impl TenantState {
    /// The stored word for the state.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Frozen => "frozen",
            Self::Closed => "closed",
        }
    }

    /// Parses the stored word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Active, Self::Frozen, Self::Closed].into_iter().find(|state| state.as_str() == word)
    }
}

/// The properties of a tenant to create, validated by the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTenant {
    /// Short name, unique in the installation.
    pub slug: String,
    /// Name of the business.
    pub name: String,
    /// Name of an IANA time zone.
    pub timezone: String,
    /// Country code, ISO 3166-1 alpha-2; empty when none was given.
    pub country: String,
}

/// The current facts of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantProfile {
    /// Name of the business. Empty after [`Tenant::evolve`], because no event has it.
    pub name: String,
    /// Name of an IANA time zone.
    pub timezone: String,
    /// Country code, ISO 3166-1 alpha-2; empty when none was given.
    pub country: String,
    /// The state.
    pub state: TenantState,
    /// The limits of the plan.
    pub plan: PlanLimits,
}

/// New values of a tenant's profile; `None` keeps the current value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantPatch {
    name: Option<String>,
    country: Option<String>,
    timezone: Option<Tz>,
}

/// A value of a profile that a tenant cannot have. The text names no given value, because a name may
/// be that of a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct InvalidProfile {
    /// The field: `name`, `country` or `timezone`.
    pub field: &'static str,
    /// Description of the fault.
    pub detail: String,
}

impl TenantPatch {
    /// Validates new values. An empty country removes it.
    ///
    /// # Errors
    /// [`InvalidProfile`] for a name that is no line of 1 to [`MAX_NAME`] characters, for a country that is no code of ISO 3166-1, and for a time zone that is not in the
    /// IANA database.
    pub fn new(
        name: Option<String>,
        country: Option<String>,
        timezone: Option<&str>,
    ) -> Result<Self, InvalidProfile> {
        let invalid = |field, detail: &str| InvalidProfile { field, detail: detail.to_owned() };
        if let Some(name) = &name {
            check_line(name, MAX_NAME).map_err(|fault| invalid("name", &fault.to_string()))?;
        }
        let zone = |name: &str| {
            let zone = name.parse::<Tz>();
            zone.map_err(|_| invalid("timezone", "use an IANA time zone (such as Europe/London)"))
        };
        Ok(Self {
            name,
            country: country.map(|country| parse_country(&country)).transpose()?,
            timezone: timezone.map(zone).transpose()?,
        })
    }

    /// Returns true if the patch names no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the profile with the new values.
    #[must_use]
    pub fn applied_to(&self, profile: &TenantProfile) -> TenantProfile {
        let mut profile = profile.clone();
        if let Some(name) = &self.name {
            profile.name.clone_from(name);
        }
        if let Some(country) = &self.country {
            profile.country.clone_from(country);
        }
        if let Some(zone) = self.timezone {
            zone.name().clone_into(&mut profile.timezone);
        }
        profile
    }

    /// The difference to a profile as facts; without changes if it has these values already.
    fn difference(&self, profile: &TenantProfile) -> TenantUpdated {
        let mut fact = TenantUpdated::default();
        if self.name.as_ref().is_some_and(|name| *name != profile.name) {
            fact.changed.push("name".to_owned());
        }
        if let Some(country) = self.country.as_ref().filter(|country| **country != profile.country)
        {
            fact.changed.push("country".to_owned());
            fact.country = Some(country.clone());
        }
        if let Some(zone) = self.timezone.filter(|zone| zone.name() != profile.timezone) {
            fact.changed.push("timezone".to_owned());
            fact.timezone = Some(zone.name().to_owned());
        }
        fact
    }
}

/// Parses a country code in either case; the empty text is no country.
///
/// # Errors
/// [`InvalidProfile`] with the code that is meant, where it is known.
pub fn parse_country(text: &str) -> Result<String, InvalidProfile> {
    let code = text.to_ascii_uppercase();
    if code.is_empty() || is_country(&code) {
        return Ok(code);
    }
    let detail = country_meant(&code).map_or_else(
        || "use an ISO 3166-1 alpha-2 code (such as GB)".to_owned(),
        |meant| format!("it is no code of ISO 3166-1; use {meant}"),
    );
    Err(InvalidProfile { field: "country", detail })
}

/// A change of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TenantCommand {
    /// Create the tenant.
    Create(NewTenant),
    /// Change its profile.
    Update(TenantPatch),
    /// Freeze, thaw or close it.
    SetState(TenantState),
    /// Set all limits of its plan.
    SetPlan(PlanLimits),
}

/// The reason for which a change of a tenant is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TenantRejection {
    /// The tenant exists already.
    #[error("the tenant exists already")]
    Exists,
    /// There is no such tenant.
    #[error("there is no such tenant")]
    NotFound,
    /// The tenant is frozen or closed; only its state can be changed.
    #[error("the tenant is {}", .0.as_str())]
    NotActive(TenantState),
}

/// The aggregate of a tenant's administration.
#[derive(Debug, Clone, Copy)]
pub struct Tenant;

impl Aggregate for Tenant {
    type State = Option<TenantProfile>;
    type Command = TenantCommand;
    type Event = TenantEvent;
    type Rejection = TenantRejection;

    fn streams(tenant_id: TenantId, _: &TenantCommand) -> Vec<Stream> {
        vec![Stream::new(tenant_id.tenant_stream(), StreamKind::Tenant)]
    }

    fn decide(
        state: &Option<TenantProfile>,
        command: &TenantCommand,
    ) -> Result<Vec<Decided<TenantEvent>>, TenantRejection> {
        let profile = match (state, command) {
            (None, TenantCommand::Create(new)) => {
                let created = TenantCreated {
                    slug: new.slug.clone(),
                    timezone: new.timezone.clone(),
                    country: new.country.clone(),
                };
                return Ok(vec![Decided::first(TenantEvent::Created(created))]);
            }
            (Some(_), TenantCommand::Create(_)) => return Err(TenantRejection::Exists),
            (None, _) => return Err(TenantRejection::NotFound),
            (Some(profile), _) => profile,
        };
        let Some(event) = change(profile, command) else { return Ok(Vec::new()) };
        let is_state = matches!(command, TenantCommand::SetState(_));
        if profile.state != TenantState::Active && !is_state {
            return Err(TenantRejection::NotActive(profile.state));
        }
        Ok(vec![Decided::first(event)])
    }

    fn evolve(state: &mut Option<TenantProfile>, event: &TenantEvent) {
        if let TenantEvent::Created(created) = event {
            *state = Some(TenantProfile {
                name: String::new(),
                timezone: created.timezone.clone(),
                country: created.country.clone(),
                state: TenantState::Active,
                plan: PlanLimits::default(),
            });
        }
        let Some(profile) = state else { return };
        match event {
            TenantEvent::Updated(updated) => {
                if let Some(country) = &updated.country {
                    profile.country.clone_from(country);
                }
                if let Some(timezone) = &updated.timezone {
                    profile.timezone.clone_from(timezone);
                }
            }
            TenantEvent::StateChanged(changed) => {
                profile.state = TenantState::parse(&changed.to).unwrap_or(profile.state);
            }
            TenantEvent::PlanLimitsSet(limits) => profile.plan = PlanLimits::from_facts(limits),
            _ => {}
        }
    }
}

/// The event of a change; `None` if the tenant has these values already.
fn change(profile: &TenantProfile, command: &TenantCommand) -> Option<TenantEvent> {
    match command {
        TenantCommand::Create(_) => None,
        TenantCommand::Update(patch) => {
            let fact = patch.difference(profile);
            (!fact.changed.is_empty()).then_some(TenantEvent::Updated(fact))
        }
        TenantCommand::SetState(to) => (*to != profile.state).then(|| {
            let (from, to) = (profile.state.as_str().to_owned(), to.as_str().to_owned());
            TenantEvent::StateChanged(StateChanged { from, to })
        }),
        TenantCommand::SetPlan(plan) => {
            (*plan != profile.plan).then(|| TenantEvent::PlanLimitsSet(plan.to_facts()))
        }
    }
}
