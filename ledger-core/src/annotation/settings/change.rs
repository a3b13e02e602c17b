//! Changes of the settings of calls and contacts, as events of a stream of their own.

use super::CallSettings;
use crate::aggregate::{Aggregate, Decided, Stream};
use crate::booking::settings::change::Never;
use crate::envelope::StreamKind;
use crate::event::{AnnotationsSet, ContactsSet, DispositionsSet, LeadScoreSet, TenantEvent};
use crate::ids::TenantId;
use crate::settings::CallSetting;

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
        };
        let mut after = state.clone();
        Self::evolve(&mut after, &event);
        after.version = state.version;
        if after == *state {
            return Ok(Vec::new());
        }
        Ok(vec![Decided::first(event)])
    }

    fn evolve(state: &mut CallSettings, event: &TenantEvent) {
        match event {
            TenantEvent::DispositionsSet(set) => state.dispositions = set.dispositions.clone(),
            TenantEvent::AnnotationsSet(set) => state.annotations = set.0.clone(),
            TenantEvent::LeadScoreSet(set) => state.lead_score = set.0.clone(),
            TenantEvent::ContactsSet(set) => state.contacts = set.0.clone(),
            _ => return,
        }
        state.version += 1;
    }
}
