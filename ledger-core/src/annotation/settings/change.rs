//! Changes of the settings of calls, as events of a stream of their own.

use super::CallSettings;
use crate::aggregate::{Aggregate, Decided, Stream};
use crate::envelope::StreamKind;
use crate::event::{AnnotationsSet, DispositionsSet, LeadScoreSet, TenantEvent};
use crate::ids::TenantId;
use crate::settings::CallSetting;

/// A change that is never rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Never {}

/// The aggregate of the settings of calls.
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
            TenantEvent::DispositionsSet(set) => {
                state.dispositions = set.dispositions.clone();
                let ids = set.dispositions.as_slice().iter().map(|entry| entry.id.clone());
                state.set_dispositions.extend(ids);
            }
            TenantEvent::AnnotationsSet(set) => state.annotations = set.0.clone(),
            TenantEvent::LeadScoreSet(set) => state.lead_score = set.0.clone(),
            _ => return,
        }
        state.version += 1;
    }
}
