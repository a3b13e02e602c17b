//! Tools that are declared as asynchronous: the platform ignores what they answer.

use ledger_core::ids::{SourceId, TenantId};
use ledger_core::tools::Tool;
use uuid::Uuid;

use super::agreement::MAX_EVENTS;
use crate::Store;
use crate::error::StoreError;
use crate::tenant_tx::TenantTx;

/// A tool of the ledger that was called as an asynchronous one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsyncTool {
    /// The source of its messages; `None` if the event does not name it.
    pub source_id: Option<SourceId>,
    /// The name of the tool as the platform has it.
    pub tool: String,
    /// Number of its calls among the last events.
    pub calls: i64,
}

impl Store {
    /// Returns the tools of the ledger that the last 100 000 events of a tenant called as asynchronous
    /// ones, most calls first.
    ///
    /// # Errors
    /// The database did not answer.
    pub async fn async_tools(&self, tenant_id: TenantId) -> Result<Vec<AsyncTool>, StoreError> {
        let mut tx = TenantTx::begin(&self.app, tenant_id).await?;
        let rows = sqlx::query!(
            r#"
            select e.meta->>'source_id' as source_id, e.facts->>'tool' as "tool!",
                   count(*) as "calls!"
              from ledger.events e
             where e.tenant_id = $1 and e.event_type = 'call.tool_called'
               and e.position > (select l.position from ledger.events l
                                  where l.tenant_id = $1 order by l.position desc limit 1) - $2
               and e.facts->>'is_async' = 'true'
             group by 1, 2
             order by 3 desc, 1, 2
             limit 1000
            "#,
            tenant_id.0,
            MAX_EVENTS,
        )
        .fetch_all(tx.conn())
        .await?;
        drop(tx);
        let mut tools = Vec::new();
        for row in rows {
            let id = row.source_id.and_then(|id| Uuid::parse_str(&id).ok());
            let source_id = id.map(SourceId);
            if self.is_tool_of(source_id, &row.tool).await? {
                tools.push(AsyncTool { source_id, tool: row.tool, calls: row.calls });
            }
        }
        Ok(tools)
    }

    /// Whether a name is one of the ledger's tools, at a source that may map further names.
    async fn is_tool_of(
        &self,
        source_id: Option<SourceId>,
        name: &str,
    ) -> Result<bool, StoreError> {
        let source = match source_id {
            Some(source_id) => self.find_source(source_id).await?,
            None => None,
        };
        let tool = source.map_or_else(|| Tool::of(name), |source| source.tools.names.tool(name));
        Ok(tool.is_some())
    }
}
