//! Webhook sources of a tenant as an aggregate.
//!
//! Names, assistants and secrets are in no event. The store keeps them in the row of the source, and
//! decides over the row.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::TenantState;
use crate::aggregate::{Aggregate, Decided, Stream};
use crate::envelope::StreamKind;
use crate::event::{
    SourceChanged, SourceCreated, SourceSecretRotated, SourceSwitched, TenantEvent,
};
use crate::ids::{SourceId, TenantId};
use crate::provider::signature::SchemeError;
use crate::tools::{Speech, ToolNames, ToolSettings};

/// The facts of a source that decisions need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFacts {
    /// Name of the platform, as stored.
    pub provider: String,
    /// The label chosen by the operator. `None` after [`Sources::evolve`], because no event has it.
    pub name: Option<String>,
    /// Whether streaming telemetry is recorded.
    pub record_all: bool,
    /// The assistant that answers calls. `None` after [`Sources::evolve`], because no event has it.
    pub assistant_id: Option<String>,
    /// Settings for the tools of voice agents.
    pub tools: ToolSettings,
    /// Whether webhooks are accepted.
    pub is_enabled: bool,
    /// End of acceptance of the secret before the last rotation, possibly in the past.
    pub old_secret_until: Option<DateTime<Utc>>,
}

/// Properties of the secret in a command that rotates it. The secret stays in the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NewSecret {
    /// Whether it is the source's current secret.
    pub is_current: bool,
    /// The reason for which the source's signature scheme cannot use it.
    pub fault: Option<SchemeError>,
}

/// The sources that a decision is about, and the state of their tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourcesState {
    /// The state of the tenant; active for the installation.
    pub tenant: TenantState,
    /// The sources by their id.
    pub sources: BTreeMap<SourceId, SourceFacts>,
    /// The secret of the command.
    pub new_secret: NewSecret,
}

/// New values of a source's settings; `None` keeps the current value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourcePatch {
    /// The label chosen by the operator; `Some(None)` removes it.
    pub name: Option<Option<String>>,
    /// Whether streaming telemetry is recorded.
    pub record_all: Option<bool>,
    /// The assistant that answers calls; `Some(None)` removes it.
    pub assistant_id: Option<Option<String>>,
    /// All names of tools that the source maps.
    pub tool_names: Option<ToolNames>,
    /// How answers to tools are spoken.
    pub speech: Option<Speech>,
}

impl SourcePatch {
    /// The difference to a source as facts; without changes if it has these values already.
    fn difference(&self, source_id: SourceId, source: &SourceFacts) -> SourceChanged {
        let mut fact = SourceChanged { source_id: source_id.0, ..SourceChanged::default() };
        let mut changed = Vec::new();
        let mut note = |name: &str| changed.push(name.to_owned());
        if self.name.as_ref().is_some_and(|name| *name != source.name) {
            note("name");
        }
        if let Some(record_all) = self.record_all.filter(|all| *all != source.record_all) {
            note("record_all");
            fact.record_all = Some(record_all);
        }
        if self.assistant_id.as_ref().is_some_and(|id| *id != source.assistant_id) {
            note("assistant_id");
        }
        if let Some(names) = self.tool_names.as_ref().filter(|new| **new != source.tools.names) {
            note("tools");
            fact.tools = Some(names.clone());
        }
        if let Some(speech) = self.speech.filter(|speech| *speech != source.tools.speech) {
            note("speech");
            fact.speech = Some(speech);
        }
        fact.changed = changed;
        fact
    }
}

/// A change of a tenant's source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceCommand {
    /// The source.
    pub source_id: SourceId,
    /// The change.
    pub change: SourceChange,
}

/// What changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceChange {
    /// Create the source. Its id is derived from the command if the command can be repeated.
    Create {
        /// Name of the platform.
        provider: String,
        /// Whether streaming telemetry is recorded.
        record_all: bool,
        /// Settings for the tools of voice agents.
        tools: ToolSettings,
    },
    /// Change its settings.
    Update(SourcePatch),
    /// Enable or disable it.
    SetEnabled(bool),
    /// Replace its secret.
    RotateSecret {
        /// Time until which the previous secret is accepted too; `None` if it is refused at once.
        old_secret_until: Option<DateTime<Utc>>,
        /// Whether the command can be repeated. Then the current secret is that of an earlier run,
        /// and a second rotation would end the overlap with the secret before it.
        is_repeatable: bool,
    },
}

/// The reason for which a change of a source is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SourceRejection {
    /// There is no such source.
    #[error("there is no such source")]
    NotFound,
    /// A source with this id and other properties exists.
    #[error("a source with this id exists")]
    Exists,
    /// The source's signature scheme cannot use the secret.
    #[error("the secret cannot be used: {0}")]
    WeakSecret(SchemeError),
    /// The tenant is frozen or closed; secrets can be replaced and sources disabled, nothing else.
    #[error("the tenant is {}", .0.as_str())]
    NotActive(TenantState),
}

/// The aggregate of a tenant's webhook sources.
#[derive(Debug, Clone, Copy)]
pub struct Sources;

impl Aggregate for Sources {
    type State = SourcesState;
    type Command = SourceCommand;
    type Event = TenantEvent;
    type Rejection = SourceRejection;

    fn streams(tenant_id: TenantId, _: &SourceCommand) -> Vec<Stream> {
        vec![Stream::new(tenant_id.tenant_stream(), StreamKind::Tenant)]
    }

    fn decide(
        state: &SourcesState,
        command: &SourceCommand,
    ) -> Result<Vec<Decided<TenantEvent>>, SourceRejection> {
        let source_id = command.source_id;
        let event = match (state.sources.get(&source_id), &command.change) {
            (None, SourceChange::Create { provider, record_all, tools }) => {
                let (provider, record_all) = (provider.clone(), *record_all);
                let (source_id, ToolSettings { names, speech }) = (source_id.0, tools.clone());
                let tools = names;
                let created = SourceCreated { source_id, provider, record_all, tools, speech };
                TenantEvent::SourceCreated(created)
            }
            // The installation has no log in which an earlier run of the command could be found.
            (Some(known), SourceChange::Create { provider, .. }) if known.provider == *provider => {
                return Ok(Vec::new());
            }
            (Some(_), SourceChange::Create { .. }) => return Err(SourceRejection::Exists),
            (None, _) => return Err(SourceRejection::NotFound),
            (Some(source), change) => match changed(source_id, source, state.new_secret, change)? {
                Some(event) => event,
                None => return Ok(Vec::new()),
            },
        };
        let withdraws =
            matches!(event, TenantEvent::SourceDisabled(_) | TenantEvent::SourceSecretRotated(_));
        if state.tenant != TenantState::Active && !withdraws {
            return Err(SourceRejection::NotActive(state.tenant));
        }
        Ok(vec![Decided::first(event)])
    }

    fn evolve(state: &mut SourcesState, event: &TenantEvent) {
        let find =
            |sources: &'_ mut BTreeMap<SourceId, SourceFacts>, id, change: &dyn Fn(&mut _)| {
                if let Some(source) = sources.get_mut(&SourceId(id)) {
                    change(source);
                }
            };
        let sources = &mut state.sources;
        match event {
            TenantEvent::SourceCreated(created) => {
                let source = SourceFacts {
                    provider: created.provider.clone(),
                    name: None,
                    record_all: created.record_all,
                    assistant_id: None,
                    tools: ToolSettings { names: created.tools.clone(), speech: created.speech },
                    is_enabled: true,
                    old_secret_until: None,
                };
                sources.insert(SourceId(created.source_id), source);
            }
            TenantEvent::SourceChanged(changed) => find(sources, changed.source_id, &|source| {
                source.record_all = changed.record_all.unwrap_or(source.record_all);
                source.tools.speech = changed.speech.unwrap_or(source.tools.speech);
                if let Some(names) = &changed.tools {
                    source.tools.names.clone_from(names);
                }
            }),
            TenantEvent::SourceDisabled(switched) => {
                find(sources, switched.source_id, &|source| source.is_enabled = false);
            }
            TenantEvent::SourceEnabled(switched) => {
                find(sources, switched.source_id, &|source| source.is_enabled = true);
            }
            TenantEvent::SourceSecretRotated(rotated) => {
                find(sources, rotated.source_id, &|source| {
                    source.old_secret_until = rotated.old_secret_until;
                });
            }
            TenantEvent::StateChanged(changed) => {
                state.tenant = TenantState::parse(&changed.to).unwrap_or(state.tenant);
            }
            _ => {}
        }
    }
}

/// The event of a change of an existing source; `None` if nothing changes.
fn changed(
    source_id: SourceId,
    source: &SourceFacts,
    secret: NewSecret,
    change: &SourceChange,
) -> Result<Option<TenantEvent>, SourceRejection> {
    let id = source_id.0;
    Ok(match change {
        SourceChange::Create { .. } => None,
        SourceChange::Update(patch) => {
            let fact = patch.difference(source_id, source);
            (!fact.changed.is_empty()).then_some(TenantEvent::SourceChanged(fact))
        }
        SourceChange::SetEnabled(to) if *to == source.is_enabled => None,
        SourceChange::SetEnabled(true) => {
            Some(TenantEvent::SourceEnabled(SourceSwitched { source_id: id }))
        }
        SourceChange::SetEnabled(false) => {
            Some(TenantEvent::SourceDisabled(SourceSwitched { source_id: id }))
        }
        SourceChange::RotateSecret { old_secret_until, is_repeatable } => {
            if let Some(fault) = secret.fault {
                return Err(SourceRejection::WeakSecret(fault));
            }
            let (source_id, old_secret_until) = (id, *old_secret_until);
            let rotated = SourceSecretRotated { source_id, old_secret_until };
            let is_done = *is_repeatable && secret.is_current;
            (!is_done).then_some(TenantEvent::SourceSecretRotated(rotated))
        }
    })
}
