//! Small runs of the benchmarks: they print what the figures in the documentation are taken from.

use serde_json::Value;

use crate::test_dir::TestDir;

fn names(found: &Value, of: &str, key: &str) -> Vec<String> {
    let rows = found[of].as_array().unwrap_or_else(|| panic!("{of}: {found}"));
    rows.iter().map(|row| row[key].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn a_rebuild_is_measured_against_a_plain_read_and_equals_the_live_rows() {
    let test_dir = TestDir::new();
    let args = ["bench", "rebuild", "--events", "300", "--tenants", "1,3"];
    let found = test_dir.json(&args);
    assert_eq!(found["bench"], "rebuild");
    let measured = names(&found, "measured", "what");
    let of = |part: &str| measured.iter().filter(|what| what.contains(part)).count();
    for part in ["events made", "folded live", "limit: read and decode", "rebuilt and shown"] {
        assert_eq!(of(part), 2, "{part}: {measured:?}");
    }
    let rows = found["measured"].as_array().expect("rows");
    assert!(rows.iter().all(|row| row["per_second"].as_f64() > Some(0.0)), "{found}");
    let checksums = found["checksums"].as_array().expect("a list");
    assert!(checksums.iter().all(|one| one.as_str().is_some_and(|sum| sum.len() == 32)));
    let differ = found["goals"].as_array().expect("goals").iter().filter(|goal| {
        goal["what"].as_str().is_some_and(|what| what.starts_with("checksums"))
            && goal["met"] == true
    });
    assert_eq!(differ.count(), 2, "{found}");
    assert!(std::fs::read_dir(test_dir.data()).is_ok_and(|left| left.count() == 0));
}

#[test]
fn every_query_is_timed_and_the_server_supports_each() {
    let test_dir = TestDir::new();
    let args = ["bench", "read", "--sizes", "30,60", "--tenants", "3", "--requests", "2"];
    let found = test_dir.json(&args);
    assert_eq!(found["bench"], "read");
    let pages: Vec<&Value> = found["measured"]
        .as_array()
        .expect("rows")
        .iter()
        .filter(|row| row["what"] == "calls, tool common")
        .collect();
    assert_eq!(pages.len(), 2, "{found}");
    assert_eq!((&pages[0]["calls"], &pages[1]["calls"]), (&30.into(), &60.into()));
    assert!(pages.iter().all(|page| page["p99_ms"].as_f64() > Some(0.0)));
    assert!(pages.iter().all(|page| page["errors"] == 0 && page["limit_ms"] == 20.0));
    let goals = names(&found, "goals", "what");
    assert!(goals.iter().any(|goal| goal == "calls, tool common: p99 ms"), "{goals:?}");
    assert!(goals.iter().any(|goal| goal.starts_with("tables read from end to end")));
    let missing = found["not_there"].as_array().map_or(0, Vec::len);
    assert_eq!(missing, 0, "{found}");
    assert!(std::fs::read_dir(test_dir.data()).is_ok_and(|left| left.count() == 0));
}

#[test]
fn the_latency_of_an_event_to_the_read_model_is_measured_under_load() {
    let test_dir = TestDir::new();
    let args = ["bench", "ingest", "--rate", "20", "--seconds", "2", "--step-seconds", "0"];
    let found = test_dir.json(&args);
    let rows = found["measured"].as_array().expect("rows");
    let seen = rows.iter().find(|row| row["what"] == "from due to read model, 20 a second");
    let seen = seen.unwrap_or_else(|| panic!("{found}"));
    assert!(seen["p99_ms"].as_f64() > Some(0.0) && seen["errors"] == 0, "{found}");
}

#[test]
fn every_booking_of_a_burst_is_decided_on_one_server_and_on_two() {
    let test_dir = TestDir::new();
    let args =
        "bench book --overlapping 20 --slots 10 --rounds 1 --rate 10 --webhooks 20 --seconds 1";
    let found = test_dir.json(&args.split(' ').collect::<Vec<_>>());
    assert_eq!(found["bench"], "book");
    let measured = names(&found, "measured", "what");
    for part in
        ["overlapping bookings, 1 server", "free times of one day, 2 servers", "by tools a second"]
    {
        assert!(measured.iter().any(|what| what.contains(part)), "{part}: {measured:?}");
    }
    // Speed is not tested; each booking has its answer.
    for goal in found["goals"].as_array().expect("goals") {
        let what = goal["what"].as_str().expect("a name");
        assert!(goal["met"] == true || what.contains("ms"), "{goal}");
    }
}
