//! Names of time zones as people say them. An abbreviation is exact only where it is the tenant's
//! own and in force; elsewhere it names several zones.

use chrono::{
    DateTime, FixedOffset, MappedLocalTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc,
};
use chrono_tz::{America, OffsetName, Tz};

use super::item::Zone;

/// Abbreviations and the offset that is meant most often, in minutes. `None`: too many meanings.
const ABBREVIATIONS: &[(&str, Option<i32>)] = &[
    ("est", Some(-300)),
    ("edt", Some(-240)),
    ("cst", Some(-360)),
    ("cdt", Some(-300)),
    ("mst", Some(-420)),
    ("mdt", Some(-360)),
    ("pst", Some(-480)),
    ("pdt", Some(-420)),
    ("akst", Some(-540)),
    ("akdt", Some(-480)),
    ("hst", Some(-600)),
    ("ast", None),
    ("adt", None),
    ("nst", None),
    ("ndt", None),
    ("bst", Some(60)),
    ("gmt", Some(0)),
    ("wet", Some(0)),
    ("west", Some(60)),
    ("cet", Some(60)),
    ("cest", Some(120)),
    ("eet", Some(120)),
    ("eest", Some(180)),
    ("msk", Some(180)),
    ("ist", None),
    ("sast", Some(120)),
    ("wat", Some(60)),
    ("eat", Some(180)),
    ("pkt", Some(300)),
    ("jst", Some(540)),
    ("kst", Some(540)),
    ("hkt", Some(480)),
    ("awst", Some(480)),
    ("aest", Some(600)),
    ("aedt", Some(660)),
    ("acst", Some(570)),
    ("acdt", Some(630)),
    ("nzst", Some(720)),
    ("nzdt", Some(780)),
    ("et", None),
    ("ct", None),
    ("mt", None),
    ("pt", None),
];

/// Regions with the abbreviations in force there: without a season, standard, daylight.
const REGIONS: &[(&[&str], &[&str], &[&str])] = &[
    (&["eastern", "et"], &["EST", "AEST"], &["EDT", "AEDT"]),
    (&["central", "ct"], &["CST", "ACST"], &["CDT", "ACDT"]),
    (&["mountain", "mt"], &["MST"], &["MDT"]),
    (&["pacific", "pt"], &["PST"], &["PDT"]),
    (&["atlantic"], &["AST"], &["ADT"]),
    (&["western"], &["AWST"], &[]),
];

/// The zone that a region without a season means in most calls.
const REGION_ZONES: &[(&[&str], Tz)] = &[
    (&["eastern", "et"], America::New_York),
    (&["central", "ct"], America::Chicago),
    (&["mountain", "mt"], America::Denver),
    (&["pacific", "pt"], America::Los_Angeles),
    (&["atlantic"], America::Halifax),
];

pub(super) fn is_abbreviation(word: &str) -> bool {
    ABBREVIATIONS.iter().any(|(known, _)| *known == word)
}

/// A local time with its zone, as instants.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Placed {
    At(DateTime<Tz>),
    /// The zone may be another one than the tenant's: the instants it may mean.
    Doubtful(Vec<DateTime<Tz>>),
    /// The clocks skip this time; the times before and after.
    Gap(Vec<NaiveDateTime>),
}

/// Returns the instant of a local time. In an overlap of the tenant's clock it is the first.
pub(super) fn place(local: NaiveDateTime, named: Option<&Zone>, zone: Tz) -> Placed {
    let exact = |offset: FixedOffset| local.and_local_timezone(offset).single();
    match named {
        None | Some(Zone::Own) => in_zone(local, zone),
        Some(Zone::Offset(offset)) => match exact(*offset) {
            Some(instant) => Placed::At(instant.with_timezone(&zone)),
            None => Placed::Gap(Vec::new()),
        },
        Some(Zone::Exact(named)) => match in_zone(local, *named) {
            Placed::At(instant) => Placed::At(instant.with_timezone(&zone)),
            other => other,
        },
        Some(Zone::Place(named)) if named.name() == zone.name() => in_zone(local, zone),
        Some(Zone::Place(named)) => doubtful(local, zone, in_zone(local, *named)),
        Some(Zone::Unknown) => doubtful(local, zone, Placed::Gap(Vec::new())),
        Some(Zone::Named(name)) => match own_abbreviation(local, name, zone) {
            Some(instant) => Placed::At(instant),
            None => doubtful(local, zone, usual(local, name)),
        },
    }
}

fn in_zone(local: NaiveDateTime, zone: Tz) -> Placed {
    match local.and_local_timezone(zone) {
        MappedLocalTime::Single(instant) | MappedLocalTime::Ambiguous(instant, _) => {
            Placed::At(instant)
        }
        MappedLocalTime::None => Placed::Gap(around_gap(local, zone).unwrap_or_default()),
    }
}

/// The same clock reading moved back and forward by the length of the gap.
fn around_gap(local: NaiveDateTime, zone: Tz) -> Option<Vec<NaiveDateTime>> {
    let offset_at = |hours: i64| {
        let utc = local.checked_add_signed(TimeDelta::hours(hours))?;
        Some(zone.offset_from_utc_datetime(&utc).fix().local_minus_utc())
    };
    let gap = TimeDelta::seconds(i64::from(offset_at(36)? - offset_at(-36)?));
    Some(vec![local.checked_sub_signed(gap)?, local.checked_add_signed(gap)?])
}

/// Both readings: converted from the other zone, and as if the tenant's own were meant.
fn doubtful(local: NaiveDateTime, zone: Tz, other: Placed) -> Placed {
    let instants = [other, in_zone(local, zone)].into_iter().filter_map(|placed| match placed {
        Placed::At(instant) => Some(instant.with_timezone(&zone)),
        _ => None,
    });
    let mut instants: Vec<_> = instants.collect();
    instants.dedup();
    Placed::Doubtful(instants)
}

/// The instant at which the tenant's clock shows this time under this name.
fn own_abbreviation(local: NaiveDateTime, name: &str, zone: Tz) -> Option<DateTime<Tz>> {
    let (first, second) = match local.and_local_timezone(zone) {
        MappedLocalTime::Single(instant) => (instant, None),
        MappedLocalTime::Ambiguous(first, second) => (first, Some(second)),
        MappedLocalTime::None => return None,
    };
    let (region, season) = name.split_once(' ').unwrap_or((name, ""));
    let region = REGIONS.iter().find(|(names, _, _)| names.contains(&region));
    let is_named = |instant: &DateTime<Tz>| {
        let Some(own) = instant.offset().abbreviation() else { return false };
        match region {
            None => own.eq_ignore_ascii_case(name),
            Some((_, standard, daylight)) => {
                season != "daylight" && standard.contains(&own)
                    || season != "standard" && daylight.contains(&own)
            }
        }
    };
    [Some(first), second].into_iter().flatten().find(is_named)
}

/// The instant in the zone that the name means in most calls.
fn usual(local: NaiveDateTime, name: &str) -> Placed {
    let (region, _) = name.split_once(' ').unwrap_or((name, ""));
    if let Some((_, zone)) = REGION_ZONES.iter().find(|(names, _)| names.contains(&region)) {
        return in_zone(local, *zone);
    }
    let minutes = ABBREVIATIONS.iter().find(|(known, _)| *known == name).and_then(|(_, at)| *at);
    let offset = minutes.and_then(|minutes| FixedOffset::east_opt(minutes * 60));
    let instant = offset.and_then(|offset| local.and_local_timezone(offset).single());
    instant.map_or(Placed::Gap(Vec::new()), |instant| {
        Placed::At(instant.with_timezone(&Utc).with_timezone(&Tz::UTC))
    })
}
