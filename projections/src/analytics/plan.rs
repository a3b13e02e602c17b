//! Chooses the rollups that answer a query, and the parts of its buckets they cover.

use super::clock::split_at_offset_changes;
use super::decompose::{RangePart, decompose};
use super::question::{AnalyticsFilter, AnalyticsQuery, Dimension};
use super::range::Span;
use crate::calendar::Granularity;
use crate::calls::RollupSet;

/// The dimensions of each rollup set, from the narrowest set to the widest.
const ROLLUP_SETS: [(RollupSet, &[Dimension]); 5] = [
    (RollupSet::Total, &[]),
    (RollupSet::Agent, &[Dimension::AgentId]),
    (RollupSet::Tool, &[Dimension::Tool]),
    (RollupSet::Duration, &[Dimension::DurationClass]),
    (
        RollupSet::Full,
        &[Dimension::AgentId, Dimension::Direction, Dimension::Outcome, Dimension::EndedReason],
    ),
];

/// Returns the narrowest rollup set with all dimensions of the query, or `None` if only individual
/// calls can answer it.
pub(super) fn cut(question: &AnalyticsQuery) -> Option<RollupSet> {
    let AnalyticsFilter { provider_call_id, phone_number_id, min_cost_nanos, .. } =
        &question.filter;
    let AnalyticsFilter { contact_id, phone, email, .. } = &question.filter;
    let AnalyticsFilter { has_appointment, tag, disposition, .. } = &question.filter;
    let AnalyticsFilter { campaign, attempt, call_type, .. } = &question.filter;
    let is_of_calls = question.extremes
        || provider_call_id.is_some()
        || phone_number_id.is_some()
        || min_cost_nanos.is_some()
        || contact_id.is_some()
        || phone.is_some()
        || email.is_some()
        || has_appointment.is_some()
        || tag.is_some()
        || disposition.is_some()
        || campaign.is_some()
        || attempt.is_some()
        || call_type.is_some()
        || question.filter.status.as_deref().is_some_and(|status| status != "ended")
        // Filtering by one tool while grouping by tool needs all tools of each call.
        || (question.filter.tool.is_some() && question.group_by.contains(&Dimension::Tool));
    if is_of_calls {
        return None;
    }
    let needed = needed(question);
    ROLLUP_SETS
        .iter()
        .find(|(_, known)| needed.iter().all(|dimension| known.contains(dimension)))
        .map(|(cut, _)| *cut)
}

/// Returns the dimensions a rollup set must have: those filtered by and those grouped by.
fn needed(question: &AnalyticsQuery) -> Vec<Dimension> {
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
pub(super) struct PartColumns {
    pub(super) buckets: Vec<i32>,
    pub(super) grains: Vec<&'static str>,
    pub(super) froms: Vec<chrono::DateTime<chrono::Utc>>,
    pub(super) tos: Vec<chrono::DateTime<chrono::Utc>>,
    pub(super) offsets_s: Vec<i32>,
}

impl PartColumns {
    fn push(&mut self, bucket: usize, grain: &'static str, span: Span, offset_s: i32) {
        self.buckets.push(i32::try_from(bucket).expect("buckets are few"));
        self.grains.push(grain);
        self.froms.push(span.from);
        self.tos.push(span.to);
        self.offsets_s.push(offset_s);
    }
}

/// The sources of a query's answer: stored rollups, individual calls, or both.
#[derive(Debug, Default)]
pub(super) struct QueryPlan {
    /// The rollup set that is read; `None` if only calls are.
    pub(super) cut: Option<RollupSet>,
    /// The parts answered from stored rollups.
    pub(super) kept: PartColumns,
    /// The parts summed from individual calls.
    pub(super) calls: PartColumns,
}

impl QueryPlan {
    /// Plans a query for a tenant, with rollups kept by the clock of `zone`.
    pub(super) fn of(question: &AnalyticsQuery, zone: chrono_tz::Tz) -> Self {
        let cut = cut(question);
        let mut plan = Self { cut, ..Self::default() };
        let by_clock = question.group_by.iter().any(|of| of.is_of_clock());
        for (bucket, span) in question.buckets.iter().enumerate() {
            if !by_clock {
                let coarsest = cut.map(|_| Granularity::Month);
                plan.add(bucket, *span, zone, coarsest, 0);
                continue;
            }
            for run in split_at_offset_changes(*span, question.clock, zone) {
                let coarsest = cut.filter(|_| run.is_aligned).map(|_| Granularity::Hour);
                plan.add(bucket, run.span, zone, coarsest, run.offset_s);
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
        coarsest: Option<Granularity>,
        offset_s: i32,
    ) {
        let segments = match coarsest {
            Some(coarsest) => decompose(span, zone, coarsest),
            None if span.is_empty() => Vec::new(),
            None => vec![RangePart { grain: None, span }],
        };
        for RangePart { grain, span } in segments {
            match grain {
                Some(grain) if self.cut.is_some_and(|cut| cut.is_stored_by(grain)) => {
                    self.kept.push(bucket, grain.as_str(), span, offset_s);
                }
                _ => self.calls.push(bucket, "", span, offset_s),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;
    use ledger_core::annotation::spelling::Spellings;

    use super::super::Range;
    use super::*;

    fn question(filter: AnalyticsFilter, group_by: &[Dimension]) -> AnalyticsQuery {
        AnalyticsQuery::of(Range::always(), filter).by(group_by)
    }

    fn text(value: &str) -> String {
        value.to_owned()
    }

    #[test]
    fn the_narrowest_sums_that_suffice_answer() {
        use Dimension::{
            AgentId, CallType, Campaign, Direction, DurationClass, EndedReason, Hour, IsTest,
            Outcome, ServiceType, Status, Tool, Weekday,
        };
        let none = AnalyticsFilter::default;
        let agent = || AnalyticsFilter { agent_id: Some(text("a")), ..none() };
        let tool = || AnalyticsFilter { tool: Some(text("t")), ..none() };
        let cases = [
            (none(), &[][..], Some(RollupSet::Total)),
            (AnalyticsFilter { is_test: Some(false), ..none() }, &[IsTest], Some(RollupSet::Total)),
            (none(), &[Weekday, Hour], Some(RollupSet::Total)),
            (none(), &[AgentId], Some(RollupSet::Agent)),
            (agent(), &[Hour], Some(RollupSet::Agent)),
            (none(), &[Tool], Some(RollupSet::Tool)),
            (tool(), &[], Some(RollupSet::Tool)),
            (tool(), &[Tool], None),
            (tool(), &[AgentId], None),
            (none(), &[DurationClass], Some(RollupSet::Duration)),
            (agent(), &[DurationClass], None),
            (none(), &[EndedReason], Some(RollupSet::Full)),
            (agent(), &[Direction, Outcome], Some(RollupSet::Full)),
            (AnalyticsFilter { status: Some(text("ended")), ..none() }, &[], Some(RollupSet::Full)),
            (AnalyticsFilter { status: Some(text("ringing")), ..none() }, &[], None),
            (none(), &[Status], None),
            (AnalyticsFilter { min_cost_nanos: Some(1), ..none() }, &[], None),
            (AnalyticsFilter { phone: Some(vec![]), ..none() }, &[], None),
            (AnalyticsFilter { has_appointment: Some(false), ..none() }, &[], None),
            (AnalyticsFilter { tag: Some(text("t")), ..none() }, &[], None),
            (AnalyticsFilter { disposition: Some(Spellings::among("d", [])), ..none() }, &[], None),
            (AnalyticsFilter { campaign: Some(text("c")), ..none() }, &[], None),
            (AnalyticsFilter { attempt: Some(1), ..none() }, &[], None),
            (
                AnalyticsFilter { call_type: Some(Spellings::of_call_type("c")), ..none() },
                &[],
                None,
            ),
            (none(), &[Campaign], None),
            (none(), &[CallType], None),
            (none(), &[ServiceType], None),
            (AnalyticsFilter { email: Some(vec![]), ..none() }, &[], None),
            (AnalyticsFilter { contact_id: Some(uuid::Uuid::nil()), ..none() }, &[], None),
        ];
        for (filter, group_by, wanted) in cases {
            assert_eq!(cut(&question(filter.clone(), group_by)), wanted, "{filter:?} {group_by:?}");
        }
        assert_eq!(cut(&AnalyticsQuery { extremes: true, ..question(none(), &[]) }), None);
    }

    #[test]
    fn hours_without_stored_sums_are_summed_call_by_call() {
        let at = |text: &str| text.parse().expect("a time");
        let span = Span::new(at("2026-01-01T22:00:00Z"), at("2026-01-03T03:00:00Z"));
        let by = |dimension| AnalyticsQuery::of(span, AnalyticsFilter::default()).by([dimension]);
        let plan = QueryPlan::of(&by(Dimension::Tool), Tz::UTC);
        assert_eq!((plan.kept.grains.as_slice(), plan.calls.froms.len()), (&["day"][..], 2));
        let plan = QueryPlan::of(&by(Dimension::AgentId), Tz::UTC);
        assert_eq!(plan.kept.grains, ["hour", "day", "hour"]);
        assert!(plan.calls.froms.is_empty());
    }

    #[test]
    fn by_the_clock_hours_are_read_where_both_clocks_agree_and_calls_elsewhere() {
        let at = |text: &str| text.parse().expect("a time");
        let year = Span::new(at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
        let ask = |clock| AnalyticsQuery {
            clock,
            ..AnalyticsQuery::of(year, AnalyticsFilter::default())
        };
        let by_hour = ask(chrono_tz::Australia::Lord_Howe).by([Dimension::Hour]);
        let plan = QueryPlan::of(&by_hour, Tz::UTC);
        assert_eq!(plan.cut, Some(RollupSet::Total));
        assert_eq!(plan.kept.grains, ["hour", "hour"]);
        assert_eq!(plan.kept.offsets_s, [39_600, 39_600], "summer time is eleven hours ahead");
        // Standard time is UTC+10:30, so that part ends within an hour of the tenant's zone.
        assert_eq!(plan.calls.offsets_s, [37_800, 39_600]);
    }
}
