//! A rebuild of the calls has what was added to them, without any key.

use std::time::{Duration, Instant};

use ledger_tests::OwnDatabase;
use projections::versions;

use super::*;

#[test]
fn a_rebuild_has_the_rows_that_were_folded_live() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let one = Annotated::ended(&ledger).await;
        let note = one.post("notes", &json!({ "text": "Call back." })).await;
        for (method, rest, body) in every_change() {
            let note = note["note_id"].as_str().expect("an id");
            let rest = rest.replace(&Uuid::from_u128(7).to_string(), note);
            one.change(method, &rest, &body).await;
        }
        let before = one.shown().await;

        let (store, name) = (&ledger.store, "calls");
        let projector = versions::named(name).expect("a read model");
        let all = async || projections::progress(store.projector()).await.expect("an answer");
        let is_active = |one: &projections::Progress| {
            one.name() == name && one.version.state == versions::State::Active
        };
        let active = all().await.into_iter().find(is_active).expect("one").version.version;
        let begun = versions::begin(store.owner(), &*projector, None, false).await;
        let version = begun.expect("a version");
        let started = Instant::now();
        loop {
            let is_new =
                |one: &&projections::Progress| one.name() == name && one.version.version == version;
            let progress = all().await;
            let new = progress.iter().find(is_new);
            if new.is_some_and(|one| one.lag_events == 0 && one.version.indexed_at.is_some()) {
                break;
            }
            assert!(started.elapsed() < Duration::from_secs(30), "it never catches up");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let diff = versions::diff(store.projector(), name, active, version, 20).await;
        let diff = diff.expect("compared");
        assert_eq!((diff.rows, diff.not_compared), (0, 0), "{diff:#?}");
        versions::promote(store.owner(), name, false).await.expect("promoted");
        assert_eq!(one.shown().await, before);
        ledger.stop().await;
    });
}
