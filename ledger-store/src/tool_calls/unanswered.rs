//! Tool calls of a message that had no tenant when it arrived.

use ledger_core::envelope::Draft;

use super::{ToolCall, ToolError, command_of};
use crate::Store;
use crate::append::Appended;
use crate::record::RecordError;

impl Store {
    /// Records a tool call as it was answered when it arrived, and does nothing. The draft has that
    /// answer. The tool call gets the same answer when it is asked again; if it was asked again before,
    /// that answer stays.
    ///
    /// # Errors
    /// [`ToolError`]; recording again is safe in every case.
    pub async fn record_unanswered(&self, call: ToolCall<'_>) -> Result<Appended, ToolError> {
        let ToolCall { origin, canonical, draft, ordinal, .. } = call;
        let tenant_id = origin.tenant_id;
        let key = self.keyring.digest_key(tenant_id).await.map_err(RecordError::from)?;
        let drafts: &[Draft] = std::slice::from_ref(&draft);
        let digest = key.digest(canonical);
        let (stream_id, _) = crate::record::stream_of(origin, &digest, drafts);
        let command_id = command_of(origin, stream_id, &digest, &draft, ordinal);
        if let Some(known) = self.known_answer(origin, command_id, &digest).await? {
            return Ok(known.answered.appended);
        }
        if !self.accepts_events(tenant_id).await? {
            let inactive = crate::append::AppendRejection::TenantNotActive;
            return Err(crate::append::AppendError::Rejected(inactive).into());
        }
        let delivery = self.resolve_delivery(origin, canonical, drafts).await?;
        let event_id = tenant_id.command_event(command_id, 0);
        let event = self.seal_draft_as(&delivery, &draft, event_id);
        self.append_told(&delivery, vec![event]).await
    }
}
