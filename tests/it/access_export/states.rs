//! States, refusals and files of exports.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use ledger_app::access_export::{
    AccessExports, ExportFiles, ExportState, NewExport, Passphrase, delete_exports_of,
};
use ledger_core::access_export::NewAccess;
use ledger_core::erasure::{ErasureAction, ErasureCommand, Erasures, NewErasure, StepFacts};
use ledger_core::event::{
    ErasurePlanned, Ground, HexDigest, IdentityCheck, Requester, RestrictionReason, SubjectFenced,
};
use ledger_core::ids::{CommandId, ErasureId, ExportId, SubjectId};
use ledger_store::access_exports::ExportRow;
use ledger_store::execute::CommandContext;
use ledger_tests::ledger::status_and_json;
use ledger_tests::{TestLedger, cluster, run};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Desk, PASSPHRASE, id, opened};

fn anna(number: &str) -> Value {
    json!({ "name": "Anna Example", "number": number })
}

fn subject(id: &str) -> SubjectId {
    SubjectId(id.parse().expect("an id"))
}

impl Desk {
    async fn decide(&self, subject_id: SubjectId, action: ErasureAction) {
        let (tenant_id, by) = (self.tenant.tenant_id, self.tenant.store.operator());
        let context = CommandContext { tenant_id, by, content: None, subject: None };
        let now = self.tenant.store.clock().now();
        let command = ErasureCommand { subject_id, now, action };
        self.tenant.store.execute::<Erasures>(&context, &command).await.expect("it is accepted");
    }

    fn files(&self) -> ExportFiles {
        let keyring = self.tenant.store.keyring().directory();
        ExportFiles::new(keyring.with_file_name("exports"))
    }

    async fn set_expiry(&self, export_id: &str, at: DateTime<Utc>) {
        sqlx::query("update ledger.access_exports set expires_at = $2 where export_id = $1")
            .bind(export_id.parse::<Uuid>().expect("an id"))
            .bind(at)
            .execute(&mut cluster::superuser().await)
            .await
            .expect("it is changed");
    }
}

#[test]
fn only_the_passphrase_opens_the_file_and_no_plaintext_is_on_the_disk() {
    run(async {
        let desk = Desk::shared().await;
        let contact = desk.call("key-1", &anna("+15550100141"), "User: spoken-canary-9").await;
        let (export, file) = desk.export(&contact).await;
        assert!(file.starts_with(b"age-encryption.org/v1\n-> scrypt "));
        assert!(!String::from_utf8_lossy(&file).contains("canary"));
        assert!(opened(&file, "seven heron bridge 42").is_none());
        let mut cut = file.clone();
        cut.truncate(file.len() - 1);
        assert!(opened(&cut, PASSPHRASE).is_none(), "a file that ends early");
        let mut changed = file.clone();
        changed[file.len() / 2] ^= 1;
        assert!(opened(&changed, PASSPHRASE).is_none());
        let export_id = ExportId(id(&export).parse().expect("an id"));
        let path = desk.files().path(desk.tenant.tenant_id, export_id);
        assert_eq!(std::fs::read(&path).expect("the file"), file);
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(&path).expect("the file").permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);

        // Without a passphrase one is generated, and returned in this answer only.
        let (status, requested) = desk.request(&contact, &Value::Null).await;
        assert_eq!(status, 202, "{requested}");
        let generated = requested["passphrase"].as_str().expect("a passphrase").to_owned();
        let shown = desk.made(&id(&requested)).await;
        assert_eq!(shown["state"], "ready");
        assert!(!shown.to_string().contains(&generated));
        let (_, file) = desk.file(&id(&requested)).await;
        let files = opened(&file, &generated).expect("it opens");
        assert!(String::from_utf8_lossy(&files["events.ndjson"]).contains("spoken-canary-9"));
    });
}

#[test]
fn a_file_is_handed_over_after_the_read_is_recorded() {
    run(async {
        let desk = Desk::shared().await;
        let contact = desk.call("read-1", &anna("+15550100142"), "User: hello").await;
        let (export, _) = desk.export(&contact).await;
        let reads = desk.tenant.facts_of("access.personal_data_read").await;
        let read = reads.last().expect("a read");
        assert_eq!(
            (&read["action"], &read["resource"]),
            (&json!("exports.file"), &export["export_id"])
        );
        let made = desk.tenant.facts_of("subject.access_exported").await;
        assert_eq!(made[0]["digest"], export["manifest_sha256"]);
        let requested = desk.tenant.facts_of("subject.access_requested").await;
        let received: DateTime<Utc> =
            requested[0]["received_at"].as_str().expect("a time").parse().expect("a time");
        let due: DateTime<Utc> =
            export["due_at"].as_str().expect("a time").parse().expect("a time");
        let days = (due - received).num_days();
        assert!((28..=31).contains(&days), "{days}");
    });
}

#[test]
fn a_request_that_is_repeated_is_one_export_and_a_bad_one_is_refused() {
    run(async {
        let desk = Desk::shared().await;
        let contact = desk.call("bad-1", &anna("+15550100143"), "User: hello").await;
        for (body, pointer) in [
            (json!({ "passphrase": "eleven-char" }), "/passphrase"),
            (json!({ "passphrase": 12 }), "/passphrase"),
            (json!({ "passphrase": "a\u{0}bcdefghijklmno" }), "/passphrase"),
            (json!({ "requested_by": "aunt" }), "/requested_by"),
            (json!({ "format": "pdf" }), "/format"),
            (json!({ "fromat": "zip" }), "/fromat"),
        ] {
            let (status, problem) = desk.request(&contact, &body).await;
            assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!(pointer)));
            assert!(!problem.to_string().contains("eleven-char"), "{problem}");
        }
        let post = async |body: &Value| {
            let url = desk.tenant.url(&format!("/v1/subjects/{contact}/export"));
            let request = Client::new().post(url).bearer_auth(&desk.officer);
            let request = request.header("idempotency-key", "one-export").body(body.to_string());
            status_and_json(request.send().await.expect("an answer")).await
        };
        let (status, problem) = post(&json!({})).await;
        assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!("/passphrase")));
        let body = json!({ "passphrase": PASSPHRASE, "requested_by": "representative" });
        let (first, again) = (post(&body).await, post(&body).await);
        assert_eq!(first.0, 202, "{}", first.1);
        assert_eq!(first, again);
        assert_eq!(first.1["passphrase"], Value::Null);
        let other = post(&json!({ "passphrase": "another passphrase" })).await;
        assert_eq!((other.0, &other.1["code"]), (422, &json!("idempotency-key-reused")));
        let requested = desk.tenant.facts_of("subject.access_requested").await;
        assert_eq!(requested.len(), 1);
        assert_eq!(requested[0]["requester"], "representative");
        assert_eq!(desk.made(&id(&first.1)).await["state"], "ready");
    });
}

#[test]
fn another_tenant_and_another_scope_get_nothing() {
    run(async {
        let (desk, other) = (Desk::shared().await, Desk::shared().await);
        let contact = desk.call("mine-1", &anna("+15550100144"), "User: hello").await;
        let (export, _) = desk.export(&contact).await;
        let (status, problem) = other.request(&contact, &json!({})).await;
        assert_eq!((status, &problem["code"]), (404, &json!("subject-not-found")));
        for path in ["", "/file"] {
            let path = format!("/v1/exports/{}{path}", id(&export));
            let (status, problem) =
                other.send(&other.officer, Method::GET, &path, &Value::Null).await;
            assert_eq!((status, &problem["code"]), (404, &json!("export-not-found")));
            let (status, _) = desk.send(&desk.staff, Method::GET, &path, &Value::Null).await;
            assert_eq!(status, 403);
        }
        let unknown = Uuid::from_u128(7).to_string();
        assert_eq!(desk.request(&unknown, &json!({})).await.0, 404);
    });
}

#[test]
fn a_restricted_person_gets_an_export_and_an_erased_one_is_refused_by_name() {
    run(async {
        let desk = Desk::shared().await;
        let contact = desk.call("gone-1", &anna("+15550100145"), "User: hello").await;
        let subject_id = subject(&contact);
        desk.decide(subject_id, ErasureAction::Restrict(RestrictionReason::Deferral)).await;
        let (export, file) = desk.export(&contact).await;
        let files = opened(&file, PASSPHRASE).expect("it opens");
        assert_eq!(super::json_of(&files, "record.json")["is_restricted"], true);

        let erasure_id = ErasureId(desk.tenant.store.ids().random());
        let now = desk.tenant.store.clock().now_micros();
        let new = NewErasure {
            erasure_id,
            ground: Ground::ConsentWithdrawn,
            requester: Requester::Person,
            identity: IdentityCheck::Account,
            received_at: now,
            text: None,
        };
        let plan = ErasurePlanned {
            erasure_id,
            parts: Vec::new(),
            subjects: 1,
            keys: 1,
            events: 1,
            ambiguous_calls: 0,
            recipients: 0,
            digest: HexDigest([1; 32]),
        };
        for action in [
            ErasureAction::Request(new),
            ErasureAction::Allow(erasure_id),
            ErasureAction::Record(StepFacts::Planned(plan)),
            ErasureAction::Record(StepFacts::Fenced(SubjectFenced { erasure_id, fenced_at: now })),
        ] {
            desk.decide(subject_id, action).await;
        }
        let (status, problem) = desk.request(&contact, &json!({})).await;
        assert_eq!((status, &problem["code"]), (409, &json!("subject-erased")));
        let detail = problem["detail"].as_str().expect("a sentence");
        assert!(detail.contains(&erasure_id.to_string()), "{detail}");

        // An erasure deletes the exports there are.
        let (store, tenant_id) = (&desk.tenant.store, desk.tenant.tenant_id);
        for expected in [1, 0] {
            let deleted = delete_exports_of(store, &desk.files(), tenant_id, &[subject_id]).await;
            assert_eq!(deleted.expect("they are deleted").len(), expected);
        }
        assert_eq!(desk.made(&id(&export)).await["state"], "deleted");
        assert_eq!(desk.file(&id(&export)).await.0, 410);
    });
}

#[test]
fn an_erasure_deletes_the_files_of_the_person() {
    run(async {
        let desk = Desk::shared().await;
        let contact = desk.call("erased-1", &anna("+15550100149"), "User: hello").await;
        let (export, _) = desk.export(&contact).await;
        let path = format!("/v1/subjects/{contact}/erasure");
        let body = json!({ "ground": "17.1.b", "requested_by": "person" });
        let (status, answer) = desk.send(&desk.officer, Method::POST, &path, &body).await;
        assert_eq!(status, 202, "{answer}");
        let export_id = ExportId(id(&export).parse().expect("an id"));
        for _ in 0..300 {
            if !desk.files().has(desk.tenant.tenant_id, export_id).await {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert_eq!(desk.made(&id(&export)).await["state"], "deleted");
        assert_eq!(desk.file(&id(&export)).await.0, 410);
    });
}

#[test]
fn a_file_is_gone_after_its_expiry() {
    run(async {
        let desk = Desk::shared().await;
        let contact = desk.call("old-1", &anna("+15550100146"), "User: hello").await;
        let (export, _) = desk.export(&contact).await;
        let (store, files) = (&desk.tenant.store, desk.files());
        let export_id = ExportId(id(&export).parse().expect("an id"));
        files.delete_expired(store).await;
        assert!(files.has(desk.tenant.tenant_id, export_id).await);
        desk.set_expiry(&id(&export), store.clock().now() - TimeDelta::seconds(1)).await;
        assert_eq!(desk.file(&id(&export)).await.0, 410, "before it is deleted");
        files.delete_expired(store).await;
        assert!(!files.has(desk.tenant.tenant_id, export_id).await);
        assert_eq!(desk.made(&id(&export)).await["state"], "expired");
        assert_eq!(desk.file(&id(&export)).await.0, 410);
    });
}

#[test]
fn an_export_whose_process_ended_has_failed_and_is_made_by_the_same_command() {
    run(async {
        let desk = Desk::shared().await;
        let contact = desk.call("ended-1", &anna("+15550100147"), "User: hello").await;
        let (store, tenant_id) = (&desk.tenant.store, desk.tenant.tenant_id);
        let subject_id = subject(&contact);
        let command_id = CommandId(store.ids().ordered());
        let by = store.operator().with_command(Some(command_id));
        let now = store.clock().now_micros();
        // A process that ended after its request.
        let export_id = ExportId(tenant_id.derive(&[b"access export", command_id.0.as_bytes()]));
        let new = NewAccess { export_id, requester: Requester::Person, received_at: now };
        store.request_access(&by, tenant_id, subject_id, new).await.expect("it is recorded");
        let row = ExportRow {
            export_id,
            subject_id,
            created_at: now,
            working_until: now - TimeDelta::seconds(1),
            failure: None,
            expires_at: now + TimeDelta::days(7),
            deleted_at: None,
        };
        assert!(store.begin_export(tenant_id, &row).await.expect("a row"));
        let exports = AccessExports::new(Arc::clone(store), desk.files());
        let state = async || {
            let status = exports.status(tenant_id, export_id).await.expect("a state");
            status.expect("an export").state
        };
        assert_eq!(state().await, ExportState::Failed);
        assert_eq!(desk.file(&export_id.0.to_string()).await.0, 409);
        let passphrase = || Passphrase::parse(PASSPHRASE.into()).expect("a passphrase");
        let new =
            || NewExport { subject_id, requester: Requester::Person, passphrase: passphrase() };
        let (requested, made) =
            exports.request_and_make(&by, tenant_id, new()).await.expect("it is made");
        assert_eq!((requested.export_id, made.export_id), (export_id, export_id));
        assert_eq!(state().await, ExportState::Ready);
        // Once more: nothing is made or recorded.
        exports.request(&by, tenant_id, new()).await.expect("the same export");
        assert_eq!(desk.tenant.facts_of("subject.access_requested").await.len(), 1);
        assert_eq!(desk.tenant.facts_of("subject.access_exported").await.len(), 1);
    });
}

#[test]
fn a_server_without_the_file_says_that_it_is_elsewhere() {
    run(async {
        let desk = Desk::new(TestLedger::shared().await).await;
        let contact = desk.call("away-1", &anna("+15550100148"), "User: hello").await;
        let (export, _) = desk.export(&contact).await;
        let export_id = ExportId(id(&export).parse().expect("an id"));
        let path = desk.files().path(desk.tenant.tenant_id, export_id);
        std::fs::rename(&path, path.with_extension("away")).expect("it is moved");
        let file = format!("/v1/exports/{}/file", export_id.0);
        let (status, problem) = desk.send(&desk.officer, Method::GET, &file, &Value::Null).await;
        assert_eq!((status, &problem["code"]), (503, &json!("export-elsewhere")));
    });
}
