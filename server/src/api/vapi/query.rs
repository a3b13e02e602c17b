//! Parser for the query of Vapi's endpoints.

use std::collections::BTreeMap;

use axum::extract::Query;
use axum::http::Uri;
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use ledger_core::json::fact_id;
use projections::calls::provider_listing::{ListingFilter, TimeWindow};

use super::time;
use crate::http::params::whole_number;

const DEFAULT_LIMIT: i64 = 100;
const MAX_LIMIT: i64 = 1000;

/// Query parameters, removed by name when read. Faults are collected, so that all of them are reported.
pub(super) struct Params {
    given: BTreeMap<String, String>,
    faults: Vec<String>,
}

impl Params {
    /// Parses the query of a request. A repeated parameter is a fault.
    pub(super) fn of(uri: &Uri) -> Self {
        let mut params = Self { given: BTreeMap::new(), faults: Vec::new() };
        let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else {
            params.fault("the query cannot be read");
            return params;
        };
        for (name, value) in pairs {
            if params.given.insert(name.clone(), value).is_some() {
                params.fault(format!("{} must be given once", safe_name(&name)));
            }
        }
        params
    }

    /// Removes a parameter; an empty one counts as absent.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        let value = self.given.remove(name).filter(|value| !value.is_empty())?;
        if value.contains('\0') {
            self.fault(format!("{name} must not hold a NUL character"));
            return None;
        }
        Some(value)
    }

    /// Removes an ISO 8601 time.
    pub(super) fn time(&mut self, name: &str) -> Option<DateTime<Utc>> {
        let value = self.text(name)?;
        let at = time::parse(&value);
        if at.is_none() {
            self.fault(format!("{name} must be a valid ISO 8601 date string"));
        }
        at
    }

    /// Removes a whole number.
    pub(super) fn number(&mut self, name: &str) -> Option<i64> {
        let number = whole_number(&self.text(name)?);
        if number.is_none() {
            self.fault(format!("{name} must be a whole number"));
        }
        number
    }

    /// Removes `isTest`. Returns the value to filter by; `None` includes test calls and others. Default: no
    /// test calls.
    fn is_test(&mut self) -> Option<bool> {
        match self.text("isTest").as_deref() {
            None | Some("false") => Some(false),
            Some("true") => Some(true),
            Some("any") => None,
            Some(_) => {
                self.fault("isTest must be one of the following values: true, false, any");
                None
            }
        }
    }

    /// Adds a fault to the list.
    fn fault(&mut self, fault: impl Into<String>) {
        self.faults.push(fault.into());
    }

    /// Rejects remaining parameters.
    ///
    /// # Errors
    /// All collected faults.
    pub(super) fn reject_unknown(mut self) -> Result<(), Vec<String>> {
        for name in std::mem::take(&mut self.given).into_keys() {
            self.fault(format!("property {} should not exist", safe_name(&name)));
        }
        if self.faults.is_empty() { Ok(()) } else { Err(self.faults) }
    }
}

/// Returns the name if it looks like one, because a misplaced value may be personal.
pub(super) fn safe_name(name: &str) -> &str {
    let is_name = name.len() <= 40 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if is_name { name } else { "(which is no name)" }
}

/// The parsed query of a list of calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListQuery {
    pub(super) filter: ListingFilter,
    pub(super) limit: i64,
    pub(super) min_position: Option<i64>,
}

impl ListQuery {
    /// Parses the parameters of the list.
    ///
    /// # Errors
    /// Every fault, with the name of its parameter.
    pub(super) fn parse(mut params: Params) -> Result<Self, Vec<String>> {
        let query = Self {
            filter: ListingFilter {
                provider_call_id: params.text("id").as_deref().map(fact_id),
                agent_id: params.text("assistantId").as_deref().map(fact_id),
                phone_number_id: params.text("phoneNumberId").as_deref().map(fact_id),
                created: span(&mut params, "createdAt"),
                updated: span(&mut params, "updatedAt"),
                is_test: params.is_test(),
            },
            limit: params.number("limit").unwrap_or(DEFAULT_LIMIT),
            min_position: params.number("min_position"),
        };
        if query.limit > MAX_LIMIT {
            params.fault(format!("limit must not be greater than {MAX_LIMIT}"));
        }
        if query.limit < 0 {
            params.fault("limit must not be less than 0");
        }
        params.reject_unknown()?;
        Ok(query)
    }
}

/// Combines four bounds into a span. Times are compared as they are displayed, in milliseconds: a call
/// displayed with a time is not after that time.
fn span(params: &mut Params, name: &str) -> TimeWindow {
    let mut bound = |end: &str| params.time(&format!("{name}{end}"));
    let (after, from) = (bound("Gt").map(next_milli), bound("Ge").map(this_or_next_milli));
    let (before, to) = (bound("Lt").map(this_or_next_milli), bound("Le").map(next_milli));
    TimeWindow { from: after.max(from), until: before.into_iter().chain(to).min() }
}

const MILLI: TimeDelta = TimeDelta::milliseconds(1);

fn next_milli(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(MILLI).unwrap_or(at).checked_add_signed(MILLI).unwrap_or(at)
}

fn this_or_next_milli(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_round_up(MILLI).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(query: &str) -> Result<ListQuery, Vec<String>> {
        let uri = format!("http://localhost/call?{query}").parse().expect("a URI");
        ListQuery::parse(Params::of(&uri))
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn nothing_asked_is_the_newest_hundred() {
        let query = parsed("").expect("a query");
        let filter = ListingFilter { is_test: Some(false), ..ListingFilter::default() };
        let wanted = ListQuery { filter, limit: 100, min_position: None };
        assert_eq!(query, wanted);
        assert_eq!(parsed("assistantId=&limit=").expect("a query"), wanted);
    }

    #[test]
    fn open_and_closed_ends_part_stored_times_where_they_should() {
        let query = parsed(
            "createdAtGt=2026-11-02T09:00:00Z&createdAtLe=2026-11-03T09:00:00Z\
             &updatedAtGe=2026-11-02T09:00:00.0000001Z&updatedAtLt=2026-11-03T09:00:00Z",
        );
        let filter = query.expect("a query").filter;
        assert_eq!(filter.created.from, Some(at("2026-11-02T09:00:00.001Z")));
        assert_eq!(filter.created.until, Some(at("2026-11-03T09:00:00.001Z")));
        assert_eq!(filter.updated.from, Some(at("2026-11-02T09:00:00.001Z")));
        assert_eq!(filter.updated.until, Some(at("2026-11-03T09:00:00Z")));
    }

    #[test]
    fn of_two_bounds_on_one_side_the_narrower_counts() {
        let query = parsed(
            "createdAtGe=2026-11-01&createdAtGt=2026-11-02T00:00:00Z\
             &createdAtLt=2026-12-01&createdAtLe=2027-01-01",
        );
        let created = query.expect("a query").filter.created;
        assert_eq!(created.from, Some(at("2026-11-02T00:00:00.001Z")));
        assert_eq!(created.until, Some(at("2026-12-01T00:00:00Z")));
    }

    #[test]
    fn every_fault_is_named() {
        let faults = parsed("limit=1001&createdAtGe=lately&page=2&id=a&id=b&assistantId=%00");
        let wanted = [
            "id must be given once",
            "assistantId must not hold a NUL character",
            "createdAtGe must be a valid ISO 8601 date string",
            "limit must not be greater than 1000",
            "property page should not exist",
        ];
        assert_eq!(faults, Err(wanted.map(str::to_owned).to_vec()));
        assert_eq!(parsed("limit=-1").unwrap_err(), ["limit must not be less than 0"]);
        assert_eq!(parsed("limit=many").unwrap_err(), ["limit must be a whole number"]);
        let personal = "%2B15550100123=x";
        assert_eq!(parsed(personal).unwrap_err(), ["property (which is no name) should not exist"]);
    }
}
