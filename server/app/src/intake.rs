//! Intake of authenticated webhooks: their tenant, their record in the log, the tool calls that the ledger
//! answers, and the quarantine. The entrances verify senders, read bodies and write responses.

mod delivery;
mod error;
mod follow_ups;
mod outcome;
mod replay;
mod tool_results;
mod tools;

pub use delivery::{Delivered, WebhookDelivery};
pub use error::DeliveryError;
pub use follow_ups::FollowUps;
pub use outcome::{IngestOutcome, NO_SINGLE_ROUTE};
pub use replay::{Replay, ReplayError, RoutingCandidates, replay, routing_candidates};
pub use tool_results::{FAILED, NOT_CONFIGURED};
pub use tools::ToolAnswers;
