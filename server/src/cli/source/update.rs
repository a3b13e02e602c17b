//! `source update`, and the options for tools of voice agents.

use anyhow::Context;
use ledger_core::ids::SourceId;
use ledger_core::tools::{Speech, Tool, ToolNames};
use ledger_store::source::change::SourcePatch;
use uuid::Uuid;

use super::change;
use crate::cli::exit::{ExitStatus, usage_error};
use crate::cli::output;
use crate::cli::text::short;
use crate::config::Config;
use crate::instance::Instance;

/// Tools of voice agents. Without an option nothing is set.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Tools of voice agents")]
pub(super) struct ToolOptions {
    /// Answer the tool NAME as `book`, `availability`, `cancel`, `reschedule`, `look_up` or `escalate`; repeatable
    #[arg(long = "tool", value_name = "NAME=TOOL", value_parser = mapped)]
    tools: Vec<(String, String)>,
    /// Whether the model words the answers, or the platform speaks them word by word (Vapi)
    #[arg(long, value_parser = ["model", "verbatim"])]
    speech: Option<String>,
}

impl ToolOptions {
    /// Returns the names that are mapped; `None` without any.
    ///
    /// # Errors
    /// Fails for too many names, and for one that is none.
    pub(super) fn names(&self) -> anyhow::Result<Option<ToolNames>> {
        if self.tools.is_empty() {
            return Ok(None);
        }
        let pairs = self.tools.iter().map(|(name, tool)| (name.as_str(), tool.as_str()));
        match ToolNames::parse(pairs) {
            Ok(names) => Ok(Some(names)),
            Err(invalid) => usage_error(format!("--tool: {invalid}")),
        }
    }

    /// Returns how answers are spoken.
    pub(super) fn speech(&self) -> Option<Speech> {
        self.speech.as_deref().and_then(Speech::parse)
    }
}

/// Reads `NAME=TOOL`.
fn mapped(text: &str) -> Result<(String, String), String> {
    let known = |tool: &str| Tool::parse(tool).is_some();
    match text.rsplit_once('=') {
        Some((name, tool)) if known(tool) => Ok((name.to_owned(), tool.to_owned())),
        Some(_) => {
            let words: Vec<_> = Tool::ALL.iter().map(|(word, _)| *word).collect();
            Err(format!("the tools are {}", words.join(", ")))
        }
        None => Err("say NAME=TOOL, such as reserve_slot=book".to_owned()),
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Update {
    /// Id of the source, as printed by source list
    #[arg(value_name = "ID")]
    source_id: Uuid,
    /// Name of the source, for lists
    #[arg(long, value_parser = short)]
    name: Option<String>,
    /// Id of the assistant that answers calls when the platform asks (assistant-request)
    #[arg(long, value_name = "ID", value_parser = short)]
    assistant_id: Option<String>,
    /// `important` skips streaming telemetry that the report repeats; `all` records it
    #[arg(long, value_parser = ["important", "all"])]
    record: Option<String>,
    #[command(flatten)]
    tools: ToolOptions,
    /// Map no further names of tools
    #[arg(long, conflicts_with = "tools", help_heading = "Tools of voice agents")]
    no_tools: bool,
}

pub(super) async fn run(config: &Config, update: &Update) -> anyhow::Result<ExitStatus> {
    let names = update.tools.names()?;
    let patch = SourcePatch {
        name: update.name.clone().map(Some),
        record_all: update.record.as_deref().map(|record| record == "all"),
        assistant_id: update.assistant_id.clone().map(Some),
        tool_names: if update.no_tools { Some(ToolNames::default()) } else { names },
        speech: update.tools.speech(),
    };
    if patch == SourcePatch::default() {
        return usage_error(
            "say what changes: a name, an assistant, what is recorded, tools, speech",
        );
    }
    let source_id = SourceId(update.source_id);
    let shown = Instance::run(config, async |instance| {
        let store = &instance.store;
        let changed = store.update_source(&store.operator(), None, source_id, patch).await;
        let changed = change::found(source_id, changed)?.context("it stays as it was")?;
        Ok(change::settings(&changed.source, store.clock().now()))
    })
    .await?;
    output::object(config.output, &shown)?;
    Ok(ExitStatus::Success)
}
