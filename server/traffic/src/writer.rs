//! Writes the messages of the platform: the envelope and the snapshots in every message.
//!
//! Snapshots are stale, like the platform's: `call.status` and `call.updatedAt` keep the values
//! from the creation of the call.

use chrono::{DateTime, Utc};

use crate::decimal::decimal;
use crate::json::{Json, object};
use crate::scenario::{Channel, Scenario};
use crate::seeded_clinic::{Carrier, PhoneLine, SeededClinic};

mod artifact;
mod call_messages;
mod report;

pub(crate) use call_messages::utterance;

/// Placeholder for a clinic's credentials, so that the demo shows how they are removed.
pub(crate) const PLANTED_SECRET: &str = "example-secret-do-not-store";

/// Writes the messages about one call.
#[derive(Clone, Copy)]
pub(crate) struct Writer<'a> {
    pub(crate) seeded_clinic: &'a SeededClinic,
    pub(crate) scenario: &'a Scenario,
}

impl Writer<'_> {
    /// Returns the first members of a message. In the format of 2024 the time is ISO text.
    pub(crate) fn head(self, kind: &'static str, at: DateTime<Utc>) -> Json {
        if self.scenario.older {
            object! { "timestamp" => at, "type" => kind }
        } else {
            object! { "timestamp" => at.timestamp_millis(), "type" => kind }
        }
    }

    /// Adds the snapshots and returns the complete body.
    pub(crate) fn body(self, message: Json) -> String {
        self.body_about(message, self.call())
    }

    /// Returns the body with a given snapshot of the call.
    pub(crate) fn body_about(self, message: Json, call: Json) -> String {
        let message = message
            .with("call", call)
            .with_some("phoneNumber", self.phone_number())
            .with_some("customer", self.customer());
        object! { "message" => message }.to_text()
    }

    /// Returns the snapshot of the call at its creation.
    pub(crate) fn call(self) -> Json {
        let Self { seeded_clinic, scenario } = self;
        let created_at = scenario.times.created_at;
        let (kind, status) = match scenario.route {
            Channel::Inbound => ("inboundPhoneCall", "ringing"),
            Channel::Outbound => ("outboundPhoneCall", "queued"),
            Channel::Web => ("webCall", "queued"),
        };
        let mut call = object! {
            "id" => scenario.id,
            "orgId" => seeded_clinic.org_id,
            "createdAt" => created_at,
            "updatedAt" => created_at,
            "type" => kind,
        };
        if !scenario.older {
            call = call.with("cost", 0).with("monitor", self.monitor());
        }
        call.with("transport", self.transport())
            .with_some("phoneCallProvider", scenario.line(seeded_clinic).map(provider))
            .with_some(
                "phoneCallProviderId",
                scenario.line(seeded_clinic).map(|_| scenario.carrier_call_id.as_str()),
            )
            .with_some("phoneCallTransport", scenario.line(seeded_clinic).map(|_| "pstn"))
            .with("status", status)
            .with("assistantId", seeded_clinic.assistant(scenario.role).0)
            .with_some("phoneNumberId", scenario.line(seeded_clinic).map(|line| line.id))
            .with_some("customer", self.customer())
    }

    /// Returns the monitor URLs; the control URL gives control over the call to its holder.
    fn monitor(self) -> Json {
        let id = self.scenario.id;
        object! {
            "listenUrl" => format!("wss://calls.example.com/{id}/listen"),
            "controlUrl" => format!("https://calls.example.com/{id}/control"),
        }
    }

    fn transport(self) -> Json {
        match self.scenario.line(self.seeded_clinic) {
            Some(line) => object! {
                "provider" => provider(line),
                "conversationType" => "voice",
                "callSid" => self.scenario.carrier_call_id.as_str(),
            },
            None => object! {
                "provider" => "daily",
                "assistantVideoEnabled" => false,
                "callUrl" => format!("https://rooms.example.com/{}", self.scenario.id.simple()),
            },
        }
    }

    fn phone_number(self) -> Option<Json> {
        let line = self.scenario.line(self.seeded_clinic)?;
        let since = self.seeded_clinic.since;
        let number = object! {
            "id" => line.id,
            "orgId" => self.seeded_clinic.org_id,
            "number" => line.number,
            "name" => line.name,
            "createdAt" => since,
            "updatedAt" => since,
            "status" => "active",
            "provider" => provider(line),
        };
        Some(match line.carrier {
            Carrier::Platform => number,
            Carrier::Twilio => number
                .with("twilioAccountSid", self.seeded_clinic.account_sid.as_str())
                .with("twilioAuthToken", PLANTED_SECRET),
        })
    }

    fn customer(self) -> Option<Json> {
        let customer = self.scenario.customer.as_ref()?;
        Some(
            object! { "number" => customer.number.as_str() }
                .with_some("name", customer.name.as_deref())
                .with_some("email", customer.email.as_deref()),
        )
    }

    /// Returns the configuration of the assistant.
    pub(crate) fn assistant(self) -> Json {
        let (id, assistant) = self.seeded_clinic.assistant(self.scenario.role);
        let system = object! { "role" => "system", "content" => assistant.prompt };
        object! {
            "id" => id,
            "orgId" => self.seeded_clinic.org_id,
            "name" => assistant.name,
            "voice" => object! {
                "provider" => assistant.voice.provider, "voiceId" => assistant.voice.id,
            },
            "createdAt" => self.seeded_clinic.since,
            "updatedAt" => self.seeded_clinic.since,
            "model" => object! {
                "provider" => assistant.model.provider,
                "model" => assistant.model.name,
                "messages" => vec![system],
                "temperature" => decimal(4, 1),
            },
            "firstMessage" => self.scenario.context.fill(assistant.first_message),
            "endCallMessage" => "Goodbye.",
            "transcriber" => object! {
                "provider" => assistant.transcriber.provider,
                "model" => assistant.transcriber.model,
                "language" => assistant.transcriber.language,
            },
            "server" => object! {
                "url" => "https://ledger.example.com/webhooks/vapi", "timeoutSeconds" => 20,
            },
        }
    }
}

fn provider(line: &PhoneLine) -> &'static str {
    match line.carrier {
        Carrier::Twilio => "twilio",
        Carrier::Platform => "vapi",
    }
}
