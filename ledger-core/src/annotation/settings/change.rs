//! Changes of the settings of calls and contacts, as events of a stream of their own.

use super::CallSettings;
use crate::aggregate::{Aggregate, Decided, Stream};
use crate::envelope::StreamKind;
use crate::event::{
    AnnotationsSet, ContactsSet, DispositionsSet, LeadScoreSet, RetentionSet, TenantEvent,
};
use crate::ids::TenantId;
use crate::settings::CallSetting;

/// A change that is never rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Never {}

/// The aggregate of the settings of calls and contacts.
#[derive(Debug, Clone, Copy)]
pub struct CallSettingsChange;

impl Aggregate for CallSettingsChange {
    type State = CallSettings;
    type Command = CallSetting;
    type Event = TenantEvent;
    type Rejection = Never;

    fn streams(tenant_id: TenantId, _: &CallSetting) -> Vec<Stream> {
        vec![Stream::new(tenant_id.call_settings_stream(), StreamKind::Tenant)]
    }

    fn decide(
        state: &CallSettings,
        setting: &CallSetting,
    ) -> Result<Vec<Decided<TenantEvent>>, Never> {
        let event = match setting.clone() {
            CallSetting::Dispositions(dispositions) => {
                TenantEvent::DispositionsSet(DispositionsSet { dispositions })
            }
            CallSetting::Annotations(lists) => TenantEvent::AnnotationsSet(AnnotationsSet(lists)),
            CallSetting::LeadScore(rules) => TenantEvent::LeadScoreSet(LeadScoreSet(rules)),
            CallSetting::Contacts(contacts) => TenantEvent::ContactsSet(ContactsSet(contacts)),
            CallSetting::Retention(policy) => TenantEvent::RetentionSet(RetentionSet(policy)),
        };
        let mut after = state.clone();
        Self::evolve(&mut after, &event);
        after.version = state.version;
        // The first catalogue of a tenant may be the default one, which is no change.
        after.set_dispositions.clone_from(&state.set_dispositions);
        if after == *state {
            return Ok(Vec::new());
        }
        Ok(vec![Decided::first(event)])
    }

    fn evolve(state: &mut CallSettings, event: &TenantEvent) {
        match event {
            TenantEvent::DispositionsSet(set) => {
                state.dispositions = set.dispositions.clone();
                let ids = set.dispositions.as_slice().iter().map(|entry| entry.id.clone());
                state.set_dispositions.extend(ids);
            }
            TenantEvent::AnnotationsSet(set) => state.annotations = set.0.clone(),
            TenantEvent::LeadScoreSet(set) => state.lead_score = set.0.clone(),
            TenantEvent::ContactsSet(set) => state.contacts = set.0.clone(),
            TenantEvent::RetentionSet(set) => state.retention = set.0,
            _ => return,
        }
        state.version += 1;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::annotation::settings::Dispositions;

    fn catalogue(value: Value) -> CallSetting {
        let fields = serde_json::from_value(value).expect("an object");
        CallSetting::Dispositions(Dispositions::parse(fields).expect("a catalogue"))
    }

    fn set(state: &mut CallSettings, value: Value) -> usize {
        let decided = CallSettingsChange::decide(state, &catalogue(value)).expect("always");
        for one in &decided {
            CallSettingsChange::evolve(state, &one.event);
        }
        decided.len()
    }

    #[test]
    fn a_catalogue_is_recorded_when_it_differs_and_its_spellings_are_kept() {
        let mut state = CallSettings::default();
        let default = Dispositions::default().to_json();
        let one = |id: &str| json!({ "dispositions": [{ "id": id, "label": "Call again" }] });
        for (value, changes) in [
            (default.clone(), 0),
            (json!({}), 0),
            (one("call-again"), 1),
            (one("call-again"), 0),
            (one("call_again"), 1),
            (default, 1),
        ] {
            assert_eq!(set(&mut state, value.clone()), changes, "{value}");
        }
        let found = state.disposition_spellings("Call again");
        assert_eq!((found.first(), found.others().map(<[_]>::len)), ("call_again", Some(1)));
        assert_eq!(state.disposition_spellings("follow-up").first(), "follow_up");
    }
}
