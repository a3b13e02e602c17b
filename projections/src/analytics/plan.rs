//! Chooses the rollups that answer a query, and the parts of its buckets they cover.

use super::clock::runs;
use super::cover::{Segment, cover};
use super::range::Span;
use super::{Dimension, Filter, Question};
use crate::calendar::Grain;
use crate::calls::Cut;

/// The dimensions of each rollup set, from the narrowest set to the widest.
const CUTS: [(Cut, &[Dimension]); 5] = [
    (Cut::Total, &[]),
    (Cut::Agent, &[Dimension::AgentId]),
    (Cut::Tool, &[Dimension::Tool]),
    (Cut::Duration, &[Dimension::DurationClass]),
    (
        Cut::Full,
        &[Dimension::AgentId, Dimension::Direction, Dimension::Outcome, Dimension::EndedReason],
    ),
];

/// Returns the narrowest rollup set with all dimensions of the query, or `None` if only individual
/// calls can answer it.
pub(super) fn cut(question: &Question) -> Option<Cut> {
    let Filter { provider_call_id, phone_number_id, min_cost_nanos, .. } = &question.filter;
    let Filter { contact_id, phone, email, .. } = &question.filter;
    let is_of_calls = question.extremes
        || provider_call_id.is_some()
        || phone_number_id.is_some()
        || min_cost_nanos.is_some()
        || contact_id.is_some()
        || phone.is_some()
        || email.is_some()
        || question.filter.status.as_deref().is_some_and(|status| status != "ended")
        // Filtering by one tool while grouping by tool needs all tools of each call.
        || (question.filter.tool.is_some() && question.group_by.contains(&Dimension::Tool));
    if is_of_calls {
        return None;
    }
    let needed = needed(question);
    CUTS.iter()
        .find(|(_, known)| needed.iter().all(|dimension| known.contains(dimension)))
        .map(|(cut, _)| *cut)
}

/// Returns the dimensions a rollup set must have: those filtered by and those grouped by.
fn needed(question: &Question) -> Vec<Dimension> {
    let filter = &question.filter;
    let filtered = [
        (filter.agent_id.is_some(), Dimension::AgentId),
        (filter.direction.is_some(), Dimension::Direction),
        // Exactly the ended calls have an outcome.
        (filter.outcome.is_some() || filter.status.is_some(), Dimension::Outcome),
        (filter.ended_reason.is_some(), Dimension::EndedReason),
        (filter.tool.is_some(), Dimension::Tool),
    ];
    let filtered = filtered.into_iter().filter_map(|(is_there, of)| is_there.then_some(of));
    // Every rollup set distinguishes test calls and stores the start of its hours.
    let is_in_every_cut = |of: &Dimension| *of == Dimension::IsTest || of.is_of_clock();
    let grouped = question.group_by.iter().copied().filter(|of| !is_in_every_cut(of));
    filtered.chain(grouped).collect()
}

/// The parts of all buckets as parallel arrays, bound as statement parameters.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) buckets: Vec<i32>,
    pub(super) grains: Vec<&'static str>,
    pub(super) froms: Vec<chrono::DateTime<chrono::Utc>>,
    pub(super) tos: Vec<chrono::DateTime<chrono::Utc>>,
    pub(super) easts: Vec<i32>,
}

impl Parts {
    fn push(&mut self, bucket: usize, grain: &'static str, span: Span, east: i32) {
        self.buckets.push(i32::try_from(bucket).expect("buckets are few"));
        self.grains.push(grain);
        self.froms.push(span.from);
        self.tos.push(span.to);
        self.easts.push(east);
    }
}

/// The sources of a query's answer: stored rollups, individual calls, or both.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The rollup set that is read; `None` if only calls are.
    pub(super) cut: Option<Cut>,
    /// The parts answered from stored rollups.
    pub(super) kept: Parts,
    /// The parts summed from individual calls.
    pub(super) calls: Parts,
}

impl Plan {
    /// Plans a query for a tenant, with rollups kept by the clock of `zone`.
    pub(super) fn of(question: &Question, zone: chrono_tz::Tz) -> Self {
        let cut = cut(question);
        let mut plan = Self { cut, ..Self::default() };
        let by_clock = question.group_by.iter().any(|of| of.is_of_clock());
        for (bucket, span) in question.buckets.iter().enumerate() {
            if !by_clock {
                let coarsest = cut.map(|_| Grain::Month);
                plan.add(bucket, *span, zone, coarsest, 0);
                continue;
            }
            for run in runs(*span, question.clock, zone) {
                let coarsest = cut.filter(|_| run.is_aligned).map(|_| Grain::Hour);
                plan.add(bucket, run.span, zone, coarsest, run.east);
            }
        }
        plan
    }

    /// Adds a span: from rollups up to granularity `coarsest`, or from individual calls if `None`.
    fn add(
        &mut self,
        bucket: usize,
        span: Span,
        zone: chrono_tz::Tz,
        coarsest: Option<Grain>,
        east: i32,
    ) {
        let segments = match coarsest {
            Some(coarsest) => cover(span, zone, coarsest),
            None if span.is_empty() => Vec::new(),
            None => vec![Segment { grain: None, span }],
        };
        for Segment { grain, span } in segments {
            match grain {
                Some(grain) if self.cut.is_some_and(|cut| cut.is_kept_by(grain)) => {
                    self.kept.push(bucket, grain.as_str(), span, east);
                }
                _ => self.calls.push(bucket, "", span, east),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::super::Range;
    use super::*;

    fn question(filter: Filter, group_by: &[Dimension]) -> Question {
        Question::of(Range::always(), filter).by(group_by)
    }

    fn text(value: &str) -> String {
        value.to_owned()
    }

    #[test]
    fn the_narrowest_sums_that_suffice_answer() {
        use Dimension::{
            AgentId, Direction, DurationClass, EndedReason, Hour, IsTest, Outcome, Status, Tool,
            Weekday,
        };
        let none = Filter::default;
        let agent = || Filter { agent_id: Some(text("a")), ..none() };
        let tool = || Filter { tool: Some(text("t")), ..none() };
        let cases = [
            (none(), &[][..], Some(Cut::Total)),
            (Filter { is_test: Some(false), ..none() }, &[IsTest], Some(Cut::Total)),
            (none(), &[Weekday, Hour], Some(Cut::Total)),
            (none(), &[AgentId], Some(Cut::Agent)),
            (agent(), &[Hour], Some(Cut::Agent)),
            (none(), &[Tool], Some(Cut::Tool)),
            (tool(), &[], Some(Cut::Tool)),
            (tool(), &[Tool], None),
            (tool(), &[AgentId], None),
            (none(), &[DurationClass], Some(Cut::Duration)),
            (agent(), &[DurationClass], None),
            (none(), &[EndedReason], Some(Cut::Full)),
            (agent(), &[Direction, Outcome], Some(Cut::Full)),
            (Filter { status: Some(text("ended")), ..none() }, &[], Some(Cut::Full)),
            (Filter { status: Some(text("ringing")), ..none() }, &[], None),
            (none(), &[Status], None),
            (Filter { min_cost_nanos: Some(1), ..none() }, &[], None),
            (Filter { phone: Some(vec![]), ..none() }, &[], None),
            (Filter { email: Some(vec![]), ..none() }, &[], None),
            (Filter { contact_id: Some(uuid::Uuid::nil()), ..none() }, &[], None),
        ];
        for (filter, group_by, wanted) in cases {
            assert_eq!(cut(&question(filter.clone(), group_by)), wanted, "{filter:?} {group_by:?}");
        }
        assert_eq!(cut(&Question { extremes: true, ..question(none(), &[]) }), None);
    }

    #[test]
    fn hours_whose_sums_are_not_kept_are_summed_call_by_call() {
        let at = |text: &str| text.parse().expect("a time");
        let span = Span::new(at("2026-01-01T22:00:00Z"), at("2026-01-03T03:00:00Z"));
        let by = |dimension| Question::of(span, Filter::default()).by([dimension]);
        let plan = Plan::of(&by(Dimension::Tool), Tz::UTC);
        assert_eq!((plan.kept.grains.as_slice(), plan.calls.froms.len()), (&["day"][..], 2));
        let plan = Plan::of(&by(Dimension::AgentId), Tz::UTC);
        assert_eq!(plan.kept.grains, ["hour", "day", "hour"]);
        assert!(plan.calls.froms.is_empty());
    }

    #[test]
    fn by_the_clock_hours_are_read_where_both_clocks_agree_and_calls_elsewhere() {
        let at = |text: &str| text.parse().expect("a time");
        let year = Span::new(at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
        let ask = |clock| Question { clock, ..Question::of(year, Filter::default()) };
        let by_hour = ask(chrono_tz::Australia::Lord_Howe).by([Dimension::Hour]);
        let plan = Plan::of(&by_hour, Tz::UTC);
        assert_eq!(plan.cut, Some(Cut::Total));
        assert_eq!(plan.kept.grains, ["hour", "hour"]);
        assert_eq!(plan.kept.easts, [39_600, 39_600], "summer time is eleven hours ahead");
        // Standard time is UTC+10:30, so that part ends within an hour of the tenant's zone.
        assert_eq!(plan.calls.easts, [37_800, 39_600]);
    }
}
