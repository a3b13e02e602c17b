//! Generates the calls of one clinic.

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc, Weekday};
use uuid::{Builder, Uuid};

use super::bill::{Bill, Terms};
use super::calendar::Calendar;
use super::dialogue::{Dialogue, Performance};
use super::dice::Dice;
use super::lines::{self, ASIDES, Script, Topic};
use super::people::{Person, Roster};
use super::practice::{Practice, Role};
use super::scene::Scene;
use super::story::{Customer, Ending, Report, Route, Story, Times};

/// Number field of a caller who withholds the number, as carriers send it.
const WITHHELD: &str = "anonymous";

/// Generator of a clinic's calls, with its callers and its distribution of start times.
pub(super) struct Author<'a> {
    practice: &'a Practice,
    roster: Roster,
    inbound: Calendar,
    outbound: Calendar,
    web: Calendar,
}

/// Properties of a call that are drawn before the dialogue.
#[derive(Clone, Copy)]
struct Premise {
    route: Route,
    role: Role,
    topic: &'static Topic,
    ending: Ending,
    created_at: DateTime<Utc>,
}

impl<'a> Author<'a> {
    /// Creates a generator for calls that start within `hours` after `from`.
    pub(super) fn new(
        practice: &'a Practice,
        from: DateTime<Utc>,
        hours: u32,
        dice: &mut Dice,
    ) -> Self {
        let calendar = |route| Calendar::new(from, hours, practice.timezone, route);
        Self {
            practice,
            roster: Roster::new(practice.profile.numbering, dice),
            inbound: calendar(Route::Inbound),
            outbound: calendar(Route::Outbound),
            web: calendar(Route::Web),
        }
    }

    /// Generates a call that has ended.
    pub(super) fn finished(&mut self, dice: &mut Dice) -> Story {
        let route = dice.weighted(&[(78, Route::Inbound), (16, Route::Outbound), (6, Route::Web)]);
        let calendar = match route {
            Route::Inbound => &self.inbound,
            Route::Outbound => &self.outbound,
            Route::Web => &self.web,
        };
        let created_at = calendar.moment(dice);
        let (topic, ending) = self.plot(route, dice);
        let role = self.role(route, created_at);
        self.tell(Premise { route, role, topic, ending, created_at }, dice)
    }

    /// Generates a call still in progress at `until`.
    pub(super) fn unfinished(&mut self, until: DateTime<Utc>, dice: &mut Dice) -> Story {
        let created_at = until - TimeDelta::milliseconds(dice.between(45_000..=150_000));
        let route = Route::Inbound;
        let role = self.role(route, created_at);
        let (topic, ending) = (&lines::BOOKING, Ending::StillTalking);
        let mut story = self.tell(Premise { route, role, topic, ending, created_at }, dice);
        let heard_ms = (until - story.at(0)).num_milliseconds() - 3_000;
        story.dialogue.cut_at(heard_ms);
        story
    }

    fn plot(&self, route: Route, dice: &mut Dice) -> (&'static Topic, Ending) {
        match route {
            Route::Inbound => inbound_plot(self.practice.profile.clinical, dice),
            Route::Outbound => outbound_plot(dice),
            Route::Web => web_plot(dice),
        }
    }

    fn role(&self, route: Route, at: DateTime<Utc>) -> Role {
        let local = at.with_timezone(&self.practice.timezone);
        let closes = match local.weekday() {
            Weekday::Sun => 0,
            Weekday::Sat => 13,
            _ => 18,
        };
        match route {
            Route::Outbound => Role::Reminders,
            Route::Web => Role::Website,
            Route::Inbound if (8..closes).contains(&local.hour()) => Role::FrontDesk,
            Route::Inbound => Role::AfterHours,
        }
    }

    fn tell(&mut self, premise: Premise, dice: &mut Dice) -> Story {
        let Premise { route, role, topic, ending, created_at } = premise;
        let person = self.roster.caller(dice);
        let older = dice.chance(10);
        let spoken_name = self.practice.assistant(role).1.spoken_name();
        let mut scene = Scene::new(self.practice, spoken_name, &person, created_at, dice);
        let customer = customer(route, &person, dice);
        scene.phone = customer.as_ref().map(|c| c.number.clone()).filter(|n| n != WITHHELD);
        let dialogue = self.perform(&premise, &scene, dice);
        let times = times(&premise, &dialogue, dice);
        let summary = summary(topic, ending, &dialogue, &scene, dice);
        let mut story = Story {
            id: call_id(older, created_at, dice),
            route,
            role,
            topic,
            ending,
            older,
            times,
            customer,
            scene,
            dialogue,
            summary,
            report: None,
            correction: None,
            carrier_call_id: carrier_call_id(route, dice),
            arguments_as_text: dice.chance(30),
        };
        self.settle(&mut story, dice);
        story
    }

    fn perform(&self, premise: &Premise, scene: &Scene, dice: &mut Dice) -> Dialogue {
        if !premise.ending.is_answered() {
            return Dialogue::default();
        }
        let assistant = self.practice.assistant(premise.role).1;
        let script: Script = dice.one(premise.topic.scripts);
        let heard = match premise.ending {
            Ending::Silence | Ending::Fault(_) => dice.index(script.len()).max(1),
            _ => script.len(),
        };
        let asides = premise.topic.asides.min(dice.weighted(&[(42, 0), (30, 1), (19, 2), (9, 3)]));
        let mut order: Vec<usize> = (0..ASIDES.len()).collect();
        dice.shuffle(&mut order);
        let politely = dice.chance(50);
        let mut play = Performance::new(scene, assistant.model, dice);
        if premise.route != Route::Outbound {
            play.open(assistant.first_message);
        }
        play.script(&script[..heard]);
        if heard == script.len() {
            order.iter().take(asides).for_each(|nth| play.script(ASIDES[*nth]));
        }
        close(&mut play, premise.ending, politely);
        play.end()
    }

    /// Adds the end-of-call report, and sometimes a later correction of it.
    fn settle(&self, story: &mut Story, dice: &mut Dice) {
        let Some(ended_at) = story.times.ended_at else { return };
        let is_reported = match story.ending {
            Ending::NeverStarted(_) => false,
            Ending::NoAnswer | Ending::Busy => dice.chance(75),
            _ => true,
        };
        if !is_reported {
            return;
        }
        let at = ended_at + TimeDelta::milliseconds(dice.between(3_000..=12_000));
        let bill = if story.ending.is_charged() { self.bill(story) } else { Bill::default() };
        if story.ending.is_charged()
            && !story.older
            && story.times.talk_ms() > 15_000
            && dice.chance(4)
        {
            let later = TimeDelta::milliseconds(dice.between(45_000..=1_080_000));
            story.correction = Some(Report { at: at + later, bill: bill.revised(dice) });
        }
        story.report = Some(Report { at, bill });
    }

    fn bill(&self, story: &Story) -> Bill {
        let terms = Terms {
            assistant: self.practice.assistant(story.role).1,
            carrier: story.line(self.practice).map(|line| line.carrier),
            outbound: story.route == Route::Outbound,
            voicemail: story.ending == Ending::Voicemail,
            talk_ms: story.times.talk_ms(),
        };
        Bill::new(terms, &story.dialogue)
    }
}

fn inbound_plot(clinical: &'static Topic, dice: &mut Dice) -> (&'static Topic, Ending) {
    let topic = dice.weighted(&[
        (33, &lines::BOOKING),
        (15, &lines::RESCHEDULING),
        (10, &lines::CANCELLING),
        (9, &lines::HOURS),
        (9, &lines::PRICE),
        (7, &lines::INSURANCE),
        (7, clinical),
        (7, &lines::BILLING),
        (3, &lines::WRONG_NUMBER),
    ]);
    if dice.chance(topic.to_desk) {
        return (topic, Ending::Forwarded);
    }
    let ending = dice.weighted(&[
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

fn outbound_plot(dice: &mut Dice) -> (&'static Topic, Ending) {
    dice.weighted(&[
        (26, (&lines::REMINDER, Ending::CustomerHungUp)),
        (18, (&lines::REMINDER, Ending::AssistantHungUp)),
        (2, (&lines::REMINDER, Ending::Forwarded)),
        (29, (&lines::VOICEMAIL, Ending::Voicemail)),
        (15, (&lines::UNREACHED, Ending::NoAnswer)),
        (6, (&lines::UNREACHED, Ending::Busy)),
        (1, (&lines::REMINDER, Ending::Fault("pipeline-error-openai-llm-failed"))),
        (2, (&lines::UNREACHED, Ending::NeverStarted("twilio-failed-to-connect-call"))),
        (
            1,
            (
                &lines::UNREACHED,
                Ending::NeverStarted("call.start.error-vapi-number-outbound-daily-limit"),
            ),
        ),
    ])
}

fn web_plot(dice: &mut Dice) -> (&'static Topic, Ending) {
    let topic = dice.weighted(&[
        (40, &lines::BOOKING),
        (20, &lines::HOURS),
        (25, &lines::PRICE),
        (15, &lines::INSURANCE),
    ]);
    let ending = dice.weighted(&[
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
                play.step(lines::ANYTHING_ELSE);
            }
            play.step(lines::THANKS);
            if ending == Ending::AssistantHungUp {
                play.step(lines::FAREWELL);
            }
        }
        Ending::Forwarded => play.step(lines::PUTTING_THROUGH),
        Ending::Silence => play.step(lines::STILL_THERE),
        _ => {}
    }
}

fn times(premise: &Premise, dialogue: &Dialogue, dice: &mut Dice) -> Times {
    let created_at = premise.created_at;
    let after = |from: DateTime<Utc>, ms: i64| from + TimeDelta::milliseconds(ms);
    if !premise.ending.is_answered() {
        let rang_ms = match premise.ending {
            Ending::NoAnswer => dice.between(25_000..=45_000),
            Ending::Busy => dice.between(4_000..=11_000),
            _ => dice.between(300..=4_000),
        };
        let ended_at = Some(after(created_at, rang_ms));
        return Times { created_at, answered_at: None, ended_at };
    }
    let rang_ms = match premise.route {
        Route::Inbound => dice.between(350..=1_600),
        Route::Outbound => dice.between(5_500..=22_000),
        Route::Web => dice.between(1_800..=5_200),
    };
    let answered_at = after(created_at, rang_ms);
    let tail_ms = match premise.ending {
        Ending::Silence => dice.between(20_000..=35_000),
        Ending::Fault(_) => dice.between(2_000..=9_000),
        _ => dice.between(250..=2_600),
    };
    let is_over = premise.ending != Ending::StillTalking;
    Times {
        created_at,
        answered_at: Some(answered_at),
        ended_at: is_over.then(|| after(answered_at, dialogue.end_ms() + tail_ms)),
    }
}

/// Draws the customer data of a call. Inbound callers have a number, and for outbound calls the
/// clinic often knows name and address; web calls have no customer.
fn customer(route: Route, person: &Person, dice: &mut Dice) -> Option<Customer> {
    let (named, mailed, withheld) = match route {
        Route::Inbound => (40, 14, 4),
        Route::Outbound => (92, 30, 0),
        Route::Web => return None,
    };
    let number = if dice.chance(withheld) { WITHHELD.to_owned() } else { person.number.clone() };
    Some(Customer {
        number,
        name: dice.chance(named).then(|| person.name()),
        email: dice.chance(mailed).then(|| person.email()),
    })
}

fn summary(
    topic: &Topic,
    ending: Ending,
    dialogue: &Dialogue,
    scene: &Scene,
    dice: &mut Dice,
) -> String {
    if dialogue.turns.is_empty() {
        return String::new();
    }
    let lines = if ending.is_complete() { topic.summaries } else { lines::BROKEN_OFF };
    scene.fill(dice.one(lines))
}

/// Draws a call id: random for older calls, time-ordered otherwise.
fn call_id(older: bool, created_at: DateTime<Utc>, dice: &mut Dice) -> Uuid {
    let bytes = dice.bytes();
    if older {
        return Builder::from_random_bytes(bytes).into_uuid();
    }
    let [counter @ .., _, _, _, _, _, _] = bytes;
    let ms = u64::try_from(created_at.timestamp_millis()).unwrap_or(0);
    Builder::from_unix_timestamp_millis(ms, &counter).into_uuid()
}

/// Draws the carrier's id of the call: Twilio's format on the main line, a UUID on the platform's
/// number.
fn carrier_call_id(route: Route, dice: &mut Dice) -> String {
    let id = Builder::from_random_bytes(dice.bytes()).into_uuid();
    match route {
        Route::Outbound => id.to_string(),
        Route::Inbound | Route::Web => format!("CA{}", id.simple()),
    }
}
