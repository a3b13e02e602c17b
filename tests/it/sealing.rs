//! Sealing verified independently: a decoder in another language, written from `docs/sealing.md`
//! alone, opens the golden vectors and a whole ledger, and the vault returns nothing for altered
//! bytes.

mod altered;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ledger_core::provider::Provider;
use ledger_tests::{OwnDatabase, TestTenant, fixtures, messages, run};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};

/// Returns the path of the decoder.
fn decoder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python/open_sealed.py")
}

/// Runs the decoder on a file; returns its output. `None` without Python, which fails in continuous
/// integration.
fn decode(command: &str, file: &Path) -> Option<Value> {
    let mut python = Command::new("python3");
    // Without a bytecode cache beside the source.
    python.arg("-B").arg(decoder()).arg(command).arg(file);
    let output = match python.output() {
        Ok(output) => output,
        Err(error) => return not_run(&format!("python3 cannot be run ({error})")),
    };
    let Output { status, stdout, stderr } = output;
    let said = String::from_utf8_lossy(&stderr);
    match status.code() {
        Some(0) => Some(serde_json::from_slice(&stdout).expect("it prints JSON")),
        Some(3) => not_run(said.trim()),
        _ => panic!("the decoder does not open what we sealed: {said}"),
    }
}

fn not_run(why: &str) -> Option<Value> {
    assert!(std::env::var_os("CI").is_none(), "the independent decoder must run in CI: {why}");
    eprintln!("NOT RUN: the independent decoder was not asked: {why}");
    None
}

#[test]
fn an_independent_decoder_opens_every_golden_vector_and_no_altered_one() {
    let file = fixtures::dir().join("sealing/v1.json");
    let vectors: Value =
        serde_json::from_slice(&fs::read(&file).expect("the vectors")).expect("JSON");
    let Some(answer) = decode("vectors", &file) else { return };
    for (kind, of_kind) in vectors.as_object().expect("an object") {
        if let Some(of_kind) = of_kind.as_array() {
            assert_eq!(answer["checked"][kind], of_kind.len(), "{kind}");
        }
    }
}

/// Returns rows as objects: bytes as hex, texts as stored.
async fn rows(conn: &mut PgConnection, tenant: &TestTenant, query: &str) -> Value {
    let query = format!("select row_to_json(r)::text from ({query}) r");
    let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(query))
        .bind(tenant.tenant_id.0)
        .fetch_all(conn)
        .await
        .expect("the database answers");
    rows.iter().map(|row| serde_json::from_str::<Value>(row).expect("JSON")).collect()
}

/// Exports one tenant's ledger for the decoder: stored bytes, and the root key.
async fn export(own: &OwnDatabase, tenant: &TestTenant) -> Value {
    let mut conn = own.superuser().await;
    let conn = &mut conn;
    let dir = own.keys.join("keyring").join(tenant.tenant_id.to_string());
    let files: BTreeMap<String, String> = fs::read_dir(dir)
        .expect("the tenant's key files")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("a text").to_owned();
            (name, hex::encode(fs::read(path).expect("a key file")))
        })
        .collect();
    json!({
        "tenant_id": tenant.tenant_id,
        "root_key": fs::read_to_string(own.keys.join("root.key")).expect("a root key"),
        "key_files": files,
        "epochs": rows(conn, tenant, "select epoch, encode(check_value, 'hex') as check_value
             from vault.epochs where tenant_id = $1").await,
        "subject_keys": rows(conn, tenant,
            "select subject_id, generation, epoch, encode(wrapped, 'hex') as wrapped,
                    encode(fingerprint, 'hex') as fingerprint
               from vault.subject_keys where tenant_id = $1").await,
        "lookups": rows(conn, tenant,
            "select h.kind, encode(h.blind_index, 'hex') as blind_index, x.contact_id as subject_id
               from vault.handles h
               join vault.contact_handles x
                 on x.tenant_id = h.tenant_id and x.handle_id = h.handle_id
              where h.tenant_id = $1
              union all
             select 'call', encode(blind_index, 'hex'), subject_id
               from vault.call_subjects where tenant_id = $1").await,
        "events": rows(conn, tenant,
            "select tenant_id, position, stream_id, stream_kind, event_id, event_type, schema_version,
                    (extract(epoch from occurred_at) * 1000000)::bigint as occurred_at_micros,
                    (extract(epoch from recorded_at) * 1000000)::bigint as recorded_at_micros,
                    facts::text as facts, meta::text as meta, subjects,
                    encode(sections, 'hex') as sections, encode(bulk, 'hex') as bulk,
                    encode(section_digests, 'hex') as section_digests,
                    encode(leaf_hash, 'hex') as leaf_hash
               from ledger.events where tenant_id = $1 order by position").await,
    })
}

#[test]
fn an_independent_decoder_opens_a_whole_ledger_from_its_root_key() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let tenant = ledger.tenant().await;
        let who =
            json!({ "number": "+15550100171", "name": "Zoë Decoder", "email": "z@example.com" });
        let body = messages::from(messages::report("decoded"), &who).to_string();
        tenant.post_ok(body.clone()).await;
        for sample in ["vapi/tool-calls.inbound-gpt-async.json", "vapi/hang.inbound.composed.json"]
        {
            tenant.post_ok(fixtures::bytes(sample)).await;
        }

        let canonical =
            Provider::Vapi.adapter().translate(body.as_bytes(), None).expect("a message").canonical;
        let canonical = String::from_utf8(canonical).expect("a text");
        let mut export = export(&own, &tenant).await;
        export["look_up"] = json!([
            { "kind": "phone", "value": "+15550100171" },
            { "kind": "email", "value": "z@example.com" },
            { "kind": "phone", "value": "+15550100172" },
        ]);
        export["contents"] = json!([canonical]);
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), export.to_string()).expect("ours");
        let answer = decode("ledger", file.path());
        ledger.stop().await;
        let Some(answer) = answer else { return };

        let events = export["events"].as_array().expect("rows");
        assert_eq!(answer["events"].as_array().map(Vec::len), Some(events.len()));
        assert!(events.len() >= 6, "{}", events.len());
        let report = |row: &&Value| row["event_type"] == "call.ended";
        let report = events.iter().find(report).expect("the report is recorded");
        let lookups = &answer["lookups"];
        assert_eq!(lookups["+15550100171"], report["subjects"]);
        assert_eq!(lookups["z@example.com"], report["subjects"]);
        assert_eq!(lookups["+15550100172"], json!([]));
        let meta: Value =
            serde_json::from_str(report["meta"].as_str().expect("a text")).expect("JSON");
        assert_eq!(answer["digests"][&canonical], meta["content"]);

        assert_sections(&answer, report);
    });
}

/// Checks that each section of the report was opened completely and in its column.
fn assert_sections(answer: &Value, report: &Value) {
    let is_report = |event: &&Value| event["position"] == report["position"];
    let events = answer["events"].as_array().expect("a list");
    let opened = events.iter().find(is_report).expect("every row is opened");
    let section = |name: &str| -> (Value, Value) {
        let sections = opened["sections"].as_array().expect("a list");
        let found = sections.iter().find(|section| section["name"] == name).expect(name);
        let plain = found["plaintext"].as_str().expect("a text");
        (found["column"].clone(), serde_json::from_str(plain).expect("JSON"))
    };
    let (column, party) = section("party");
    assert_eq!(column, "sections");
    assert_eq!(
        (&party["name"], &party["phone"], &party["email"]),
        (&"Zoë Decoder".into(), &"+15550100171".into(), &"z@example.com".into())
    );
    let (column, conversation) = section("conversation");
    assert_eq!(
        (column, &conversation["summary"]),
        ("bulk".into(), &"They asked for a time.".into())
    );
    let (column, raw) = section("raw");
    assert_eq!(
        (column, &raw["message"]["customer"]["name"]),
        ("bulk".into(), &"Zoë Decoder".into())
    );
}
