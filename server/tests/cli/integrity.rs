//! `verify` and `export`: others can check the log, and alterations are detected.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use ledger_core::ids::{EventId, StreamId, SubjectId, TenantId};
use ledger_core::leaf::{Leaf, LeafSections};
use ledger_store::embedded::{Cluster, Durability, Settings};
use ledger_store::seal::section_digests;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use crate::test_dir::TestDir;

/// One exported event, as an independent reader parses it.
#[derive(Deserialize)]
struct Line<'a> {
    tenant_id: TenantId,
    position: i64,
    stream_id: Uuid,
    stream_kind: &'a str,
    event_id: Uuid,
    r#type: &'a str,
    schema_version: i16,
    occurred_at: DateTime<Utc>,
    recorded_at: DateTime<Utc>,
    #[serde(borrow)]
    facts: &'a RawValue,
    sections: Option<&'a str>,
    bulk: Option<&'a str>,
    #[serde(default)]
    subjects: Vec<SubjectId>,
    meta: &'a RawValue,
    section_digests: Option<&'a str>,
    leaf_hash: &'a str,
}

impl Line<'_> {
    fn computed_hash(&self) -> String {
        let decode = |text: Option<&str>| text.map(|text| STANDARD.decode(text).expect("base64"));
        let (sections, bulk) = (decode(self.sections), decode(self.bulk));
        let digests = section_digests(sections.as_deref(), bulk.as_deref());
        assert_eq!(self.section_digests, Some(hex::encode(&digests).as_str()));
        let leaf = Leaf {
            tenant_id: self.tenant_id,
            stream_id: StreamId(self.stream_id),
            stream_kind: self.stream_kind,
            event_id: EventId(self.event_id),
            event_type: self.r#type,
            schema_version: self.schema_version,
            occurred_at: self.occurred_at,
            recorded_at: self.recorded_at,
            facts: self.facts.get(),
            sections: LeafSections::Digests(&digests),
            subjects: &self.subjects,
            meta: self.meta.get(),
        };
        hex::encode(leaf.hash())
    }
}

fn demo(test_dir: &TestDir) -> Value {
    test_dir.json(&["demo", "--calls", "10", "--days", "2", "--exit"])
}

#[test]
fn every_exported_line_hashes_to_its_leaf_hash() {
    let test_dir = TestDir::new();
    let shown = demo(&test_dir);
    let exported = test_dir.run(&["export", "events", "--format", "ndjson"]);
    assert_eq!(exported.code, 0, "{}", exported.stderr);
    let mut positions = std::collections::HashMap::new();
    for line in exported.stdout.lines() {
        let line: Line = serde_json::from_str(line).expect("one document a line");
        assert_eq!(line.computed_hash(), line.leaf_hash, "position {}", line.position);
        let last = positions.entry(line.tenant_id).or_insert(0);
        *last += 1;
        assert_eq!(line.position, *last);
    }
    assert_eq!(positions.values().sum::<i64>(), shown["events"].as_i64().expect("a count"));

    let tenant = shown["tenant_id"].as_str().expect("an id");
    let some = ["export", "events", "--tenant", tenant, "--after", "3", "--file", "some.ndjson"];
    let written = test_dir.run(&some);
    assert_eq!((written.code, written.stdout.as_str()), (0, ""), "{}", written.stderr);
    let some = std::fs::read_to_string(test_dir.dir().join("some.ndjson")).expect("a file");
    let first: Line = serde_json::from_str(some.lines().next().expect("a line")).expect("a line");
    assert_eq!((first.position, first.tenant_id.to_string().as_str()), (4, tenant));
}

#[tokio::test]
async fn verify_reports_the_position_of_an_alteration_and_exits_with_3() {
    let test_dir = TestDir::new();
    let tenants = demo(&test_dir)["tenants"].clone();
    let id = |nth: usize| tenants[nth]["tenant_id"].as_str().expect("an id").to_owned();
    let (altered, sound) = (id(0), id(1));
    let ok = test_dir.json(&["verify"]);
    assert_eq!(ok["ok"], true, "{ok}");
    assert_eq!(ok["tenants"].as_array().map(Vec::len), Some(2));
    for (change, bad) in [
        ("update ledger.events set facts = '{}' where position = 12 and", 12),
        ("update ledger.events set stream_version = stream_version + 7 where position = 9 and", 9),
        ("delete from ledger.events where position = 5 and", 5),
        ("delete from ledger.events where position = 1 and", 1),
    ] {
        alter(&test_dir, &format!("{change} tenant_id = '{altered}'")).await;
        let ran = test_dir.run(&["--output", "json", "verify"]);
        assert_eq!(ran.code, 3, "{change}: {} {}", ran.stdout, ran.stderr);
        let found: Value = serde_json::from_str(&ran.stdout).expect("one document");
        assert_eq!(found["ok"], false);
        for tenant in found["tenants"].as_array().expect("each tenant") {
            let expected = (tenant["tenant_id"] == altered).then_some(bad);
            assert_eq!(tenant["first_bad_position"].as_i64(), expected, "{change}: {found}");
        }
        assert_eq!(test_dir.run(&["verify", "--tenant", &altered]).code, 3);
        assert_eq!(test_dir.run(&["verify", "--tenant", &sound]).code, 0);
    }
}

/// Changes the log in the way only a superuser can.
async fn alter(test_dir: &TestDir, statement: &str) {
    let settings = Settings {
        data_dir: test_dir.data(),
        binaries: None,
        user: None,
        durability: Durability::Durable,
        max_connections: 20,
        archive: None,
    };
    let cluster = Cluster::start_or_adopt(settings).await.expect("it starts");
    let mut conn =
        PgConnection::connect_with(&cluster.connect_options()).await.expect("it answers");
    let script = format!(
        "begin; alter table ledger.events disable trigger immutable; {statement};
         alter table ledger.events enable always trigger immutable; commit"
    );
    sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut conn).await.expect(statement);
    conn.close().await.expect("it closes");
    cluster.stop().await.expect("it ends");
}
