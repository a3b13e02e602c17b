//! Generates the calls of one clinic.

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc, Weekday};
use uuid::{Builder, Uuid};

use crate::bill::{Bill, Terms};
use crate::calendar::Calendar;
use crate::context::CallContext;
use crate::dialogue::{Dialogue, Performance};
use crate::people::{Person, Roster};
use crate::rng::SeededRng;
use crate::scenario::{Channel, Customer, Ending, Report, Scenario, Times};
use crate::scripts::{self, ASIDES, Script, Topic};
use crate::seeded_clinic::{Role, SeededClinic};

/// Number field of a caller who withholds the number, as carriers send it.
const WITHHELD: &str = "anonymous";

/// Generator of a clinic's calls, with its callers and its distribution of start times.
pub(crate) struct CallGenerator<'a> {
    seeded_clinic: &'a SeededClinic,
    roster: Roster,
    inbound: Calendar,
    outbound: Calendar,
    web: Calendar,
}

/// Properties of a call that are drawn before the dialogue.
#[derive(Clone, Copy)]
struct CallSetup {
    route: Channel,
    role: Role,
    topic: &'static Topic,
    ending: Ending,
    created_at: DateTime<Utc>,
}

impl<'a> CallGenerator<'a> {
    /// Creates a generator for calls that start within `hours` after `from`.
    pub(crate) fn new(
        seeded_clinic: &'a SeededClinic,
        from: DateTime<Utc>,
        hours: u32,
        rng: &mut SeededRng,
    ) -> Self {
        let calendar = |route| Calendar::new(from, hours, seeded_clinic.timezone, route);
        Self {
            seeded_clinic,
            roster: Roster::new(seeded_clinic.profile.numbering, rng),
            inbound: calendar(Channel::Inbound),
            outbound: calendar(Channel::Outbound),
            web: calendar(Channel::Web),
        }
    }

    /// Generates a call that has ended.
    pub(crate) fn finished(&mut self, rng: &mut SeededRng) -> Scenario {
        let route =
            rng.weighted(&[(78, Channel::Inbound), (16, Channel::Outbound), (6, Channel::Web)]);
        let calendar = match route {
            Channel::Inbound => &self.inbound,
            Channel::Outbound => &self.outbound,
            Channel::Web => &self.web,
        };
        let created_at = calendar.draw_start(rng);
        let (topic, ending) = self.topic_and_ending(route, rng);
        let role = self.role(route, created_at);
        self.build(CallSetup { route, role, topic, ending, created_at }, rng)
    }

    /// Generates a call still in progress at `until`.
    pub(crate) fn unfinished(&mut self, until: DateTime<Utc>, rng: &mut SeededRng) -> Scenario {
        let created_at = until - TimeDelta::milliseconds(rng.between(45_000..=150_000));
        let route = Channel::Inbound;
        let role = self.role(route, created_at);
        let (topic, ending) = (&scripts::BOOKING, Ending::StillTalking);
        let mut scenario = self.build(CallSetup { route, role, topic, ending, created_at }, rng);
        let elapsed_ms = (until - scenario.at(0)).num_milliseconds() - 3_000;
        scenario.dialogue.cut_at(elapsed_ms);
        scenario
    }

    fn topic_and_ending(&self, route: Channel, rng: &mut SeededRng) -> (&'static Topic, Ending) {
        match route {
            Channel::Inbound => inbound_topic(self.seeded_clinic.profile.clinical, rng),
            Channel::Outbound => outbound_topic(rng),
            Channel::Web => web_topic(rng),
        }
    }

    fn role(&self, route: Channel, at: DateTime<Utc>) -> Role {
        let local = at.with_timezone(&self.seeded_clinic.timezone);
        let closes = match local.weekday() {
            Weekday::Sun => 0,
            Weekday::Sat => 13,
            _ => 18,
        };
        match route {
            Channel::Outbound => Role::Reminders,
            Channel::Web => Role::Website,
            Channel::Inbound if (8..closes).contains(&local.hour()) => Role::FrontDesk,
            Channel::Inbound => Role::AfterHours,
        }
    }

    fn build(&mut self, setup: CallSetup, rng: &mut SeededRng) -> Scenario {
        let CallSetup { route, role, topic, ending, created_at } = setup;
        let person = self.roster.caller(rng);
        let older = rng.chance(10);
        let spoken_name = self.seeded_clinic.assistant(role).1.spoken_name();
        let mut context =
            CallContext::new(self.seeded_clinic, spoken_name, &person, created_at, rng);
        let customer = customer(route, &person, rng);
        context.phone = customer.as_ref().map(|c| c.number.clone()).filter(|n| n != WITHHELD);
        let dialogue = self.build_dialogue(&setup, &context, rng);
        let times = times(&setup, &dialogue, rng);
        let summary = summary(topic, ending, &dialogue, &context, rng);
        let mut scenario = Scenario {
            id: call_id(older, created_at, rng),
            route,
            role,
            topic,
            ending,
            older,
            times,
            customer,
            context,
            dialogue,
            summary,
            report: None,
            correction: None,
            carrier_call_id: carrier_call_id(route, rng),
            arguments_as_text: rng.chance(30),
        };
        self.add_report(&mut scenario, rng);
        scenario
    }

    fn build_dialogue(
        &self,
        setup: &CallSetup,
        context: &CallContext,
        rng: &mut SeededRng,
    ) -> Dialogue {
        if !setup.ending.is_answered() {
            return Dialogue::default();
        }
        let assistant = self.seeded_clinic.assistant(setup.role).1;
        let script: Script = rng.one(setup.topic.scripts);
        let spoken_steps = match setup.ending {
            Ending::Silence | Ending::Fault(_) => rng.index(script.len()).max(1),
            _ => script.len(),
        };
        let asides = setup.topic.asides.min(rng.weighted(&[(42, 0), (30, 1), (19, 2), (9, 3)]));
        let mut order: Vec<usize> = (0..ASIDES.len()).collect();
        rng.shuffle(&mut order);
        let politely = rng.chance(50);
        let mut play = Performance::new(context, assistant.model, rng);
        if setup.route != Channel::Outbound {
            play.open(assistant.first_message);
        }
        play.script(&script[..spoken_steps]);
        if spoken_steps == script.len() {
            order.iter().take(asides).for_each(|nth| play.script(ASIDES[*nth]));
        }
        close(&mut play, setup.ending, politely);
        play.end()
    }

    /// Adds the end-of-call report, and sometimes a later correction of it.
    fn add_report(&self, scenario: &mut Scenario, rng: &mut SeededRng) {
        let Some(ended_at) = scenario.times.ended_at else { return };
        let is_reported = match scenario.ending {
            Ending::NeverStarted(_) => false,
            Ending::NoAnswer | Ending::Busy => rng.chance(75),
            _ => true,
        };
        if !is_reported {
            return;
        }
        let at = ended_at + TimeDelta::milliseconds(rng.between(3_000..=12_000));
        let bill = if scenario.ending.is_charged() { self.bill(scenario) } else { Bill::default() };
        if scenario.ending.is_charged()
            && !scenario.older
            && scenario.times.talk_ms() > 15_000
            && rng.chance(4)
        {
            let later = TimeDelta::milliseconds(rng.between(45_000..=1_080_000));
            scenario.correction = Some(Report { at: at + later, bill: bill.revised(rng) });
        }
        scenario.report = Some(Report { at, bill });
    }

    fn bill(&self, scenario: &Scenario) -> Bill {
        let terms = Terms {
            assistant: self.seeded_clinic.assistant(scenario.role).1,
            carrier: scenario.line(self.seeded_clinic).map(|line| line.carrier),
            outbound: scenario.route == Channel::Outbound,
            voicemail: scenario.ending == Ending::Voicemail,
            talk_ms: scenario.times.talk_ms(),
        };
        Bill::new(terms, &scenario.dialogue)
    }
}

fn inbound_topic(clinical: &'static Topic, rng: &mut SeededRng) -> (&'static Topic, Ending) {
    let topic = rng.weighted(&[
        (33, &scripts::BOOKING),
        (15, &scripts::RESCHEDULING),
        (10, &scripts::CANCELLING),
        (9, &scripts::HOURS),
        (9, &scripts::PRICE),
        (7, &scripts::INSURANCE),
        (7, clinical),
        (7, &scripts::BILLING),
        (3, &scripts::WRONG_NUMBER),
    ]);
    if rng.chance(topic.to_desk) {
        return (topic, Ending::Forwarded);
    }
    let ending = rng.weighted(&[
        (50, Ending::CustomerHungUp),
        (38, Ending::AssistantHungUp),
        (5, Ending::Silence),
        (2, Ending::Fault("pipeline-error-openai-llm-failed")),
        (1, Ending::Fault("call.in-progress.error-vapifault-worker-died")),
        (1, Ending::Fault("phone-call-provider-closed-websocket")),
        (2, Ending::NeverStarted("call.ringing.sip-inbound-caller-hungup-before-call-connect")),
        (1, Ending::NeverStarted("assistant-request-returned-invalid-assistant")),
    ]);
    (topic, ending)
}

fn outbound_topic(rng: &mut SeededRng) -> (&'static Topic, Ending) {
    rng.weighted(&[
        (26, (&scripts::REMINDER, Ending::CustomerHungUp)),
        (18, (&scripts::REMINDER, Ending::AssistantHungUp)),
        (2, (&scripts::REMINDER, Ending::Forwarded)),
        (29, (&scripts::VOICEMAIL, Ending::Voicemail)),
        (15, (&scripts::UNREACHED, Ending::NoAnswer)),
        (6, (&scripts::UNREACHED, Ending::Busy)),
        (1, (&scripts::REMINDER, Ending::Fault("pipeline-error-openai-llm-failed"))),
        (2, (&scripts::UNREACHED, Ending::NeverStarted("twilio-failed-to-connect-call"))),
        (
            1,
            (
                &scripts::UNREACHED,
                Ending::NeverStarted("call.start.error-vapi-number-outbound-daily-limit"),
            ),
        ),
    ])
}

fn web_topic(rng: &mut SeededRng) -> (&'static Topic, Ending) {
    let topic = rng.weighted(&[
        (40, &scripts::BOOKING),
        (20, &scripts::HOURS),
        (25, &scripts::PRICE),
        (15, &scripts::INSURANCE),
    ]);
    let ending = rng.weighted(&[
        (68, Ending::CustomerHungUp),
        (16, Ending::AssistantHungUp),
        (10, Ending::Silence),
        (6, Ending::NeverStarted("customer-did-not-give-microphone-permission")),
    ]);
    (topic, ending)
}

fn close(play: &mut Performance<'_>, ending: Ending, politely: bool) {
    match ending {
        Ending::CustomerHungUp | Ending::AssistantHungUp => {
            if politely {
                play.step(scripts::ANYTHING_ELSE);
            }
            play.step(scripts::THANKS);
            if ending == Ending::AssistantHungUp {
                play.step(scripts::FAREWELL);
            }
        }
        Ending::Forwarded => play.step(scripts::PUTTING_THROUGH),
        Ending::Silence => play.step(scripts::STILL_THERE),
        _ => {}
    }
}

fn times(setup: &CallSetup, dialogue: &Dialogue, rng: &mut SeededRng) -> Times {
    let created_at = setup.created_at;
    let after = |from: DateTime<Utc>, ms: i64| from + TimeDelta::milliseconds(ms);
    if !setup.ending.is_answered() {
        let rang_ms = match setup.ending {
            Ending::NoAnswer => rng.between(25_000..=45_000),
            Ending::Busy => rng.between(4_000..=11_000),
            _ => rng.between(300..=4_000),
        };
        let ended_at = Some(after(created_at, rang_ms));
        return Times { created_at, answered_at: None, ended_at };
    }
    let rang_ms = match setup.route {
        Channel::Inbound => rng.between(350..=1_600),
        Channel::Outbound => rng.between(5_500..=22_000),
        Channel::Web => rng.between(1_800..=5_200),
    };
    let answered_at = after(created_at, rang_ms);
    let tail_ms = match setup.ending {
        Ending::Silence => rng.between(20_000..=35_000),
        Ending::Fault(_) => rng.between(2_000..=9_000),
        _ => rng.between(250..=2_600),
    };
    let is_over = setup.ending != Ending::StillTalking;
    Times {
        created_at,
        answered_at: Some(answered_at),
        ended_at: is_over.then(|| after(answered_at, dialogue.end_ms() + tail_ms)),
    }
}

/// Draws the customer data of a call. Inbound callers have a number, and for outbound calls the
/// clinic often knows name and address; web calls have no customer.
fn customer(route: Channel, person: &Person, rng: &mut SeededRng) -> Option<Customer> {
    let (named, mailed, withheld) = match route {
        Channel::Inbound => (40, 14, 4),
        Channel::Outbound => (92, 30, 0),
        Channel::Web => return None,
    };
    let number = if rng.chance(withheld) { WITHHELD.to_owned() } else { person.number.clone() };
    Some(Customer {
        number,
        name: rng.chance(named).then(|| person.name()),
        email: rng.chance(mailed).then(|| person.email()),
    })
}

fn summary(
    topic: &Topic,
    ending: Ending,
    dialogue: &Dialogue,
    context: &CallContext,
    rng: &mut SeededRng,
) -> String {
    if dialogue.turns.is_empty() {
        return String::new();
    }
    let lines = if ending.is_complete() { topic.summaries } else { scripts::BROKEN_OFF };
    context.fill(rng.one(lines))
}

/// Draws a call id: random for older calls, time-ordered otherwise.
fn call_id(older: bool, created_at: DateTime<Utc>, rng: &mut SeededRng) -> Uuid {
    let bytes = rng.bytes();
    if older {
        return Builder::from_random_bytes(bytes).into_uuid();
    }
    let [counter @ .., _, _, _, _, _, _] = bytes;
    let ms = u64::try_from(created_at.timestamp_millis()).unwrap_or(0);
    Builder::from_unix_timestamp_millis(ms, &counter).into_uuid()
}

/// Draws the carrier's id of the call: Twilio's format on the main line, a UUID on the platform's
/// number.
fn carrier_call_id(route: Channel, rng: &mut SeededRng) -> String {
    let id = Builder::from_random_bytes(rng.bytes()).into_uuid();
    match route {
        Channel::Outbound => id.to_string(),
        Channel::Inbound | Channel::Web => format!("CA{}", id.simple()),
    }
}
