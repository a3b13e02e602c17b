//! Journals that are missing, older, forged, or of another installation.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use ledger_tests::run;

use super::*;

/// The journal of this world, each time with other contents, and the reason of the refusal.
#[test]
fn a_journal_that_is_not_the_newest_one_of_this_database_is_refused_by_name() {
    run(async {
        let (world, server) = World::create().await;
        world.erase(&server, ERASURE).await;
        let mut conn = world.own.superuser().await;
        let tenant = world.tenant.through(&server);
        let third = call_of(&mut conn, &tenant, "third", "+15550100157", "Third Person").await;
        let vault = server.store.vault();
        vault.place_fence(tenant.tenant_id, NEXT, &[third]).await.expect("it is fenced");
        let entry = journaled(&server.store, &mut conn, tenant.tenant_id, NEXT, &[third]).await;
        vault.destroy_keys(&entry).await.expect("destroyed");
        assert_serves(&server, &world.tenant).await;

        let path = server.store.journal().path();
        let newest = fs::read_to_string(&path).expect("the journal");
        let first = newest.lines().next().expect("a line").to_owned() + "\n";
        let (other_world, other) = World::create().await;
        other_world.erase(&other, ERASURE).await;
        let foreign = fs::read_to_string(other.store.journal().path()).expect("the journal");
        other.stop().await;
        let forged = newest.replacen("\"generation\":1", "\"generation\":2", 1);
        assert_ne!(forged, newest);
        for (what, journal) in [
            ("missing", None),
            ("empty", Some("")),
            ("an older copy", Some(first.as_str())),
            ("forged", Some(forged.as_str())),
            ("of another installation", Some(foreign.as_str())),
        ] {
            match journal {
                Some(journal) => fs::write(&path, journal).expect("our file"),
                None => fs::remove_file(&path).expect("our file"),
            }
            server.store.vault().gate().check().await.expect_err(what);
            assert_refused(&server, &world.tenant, "see the log").await;
            let restarted = world.own.server().await;
            assert_refused(&restarted, &world.tenant, "see the log").await;
            let erasure = entry.erasure.clone();
            let appended = restarted.store.journal().append(&erasure).await;
            assert!(appended.is_err(), "{what}");
            fs::write(&path, &newest).expect("our file");
            // Without a restart.
            assert_serves(&server, &world.tenant).await;
            assert_serves(&restarted, &world.tenant).await;
            restarted.stop().await;
        }
        server.stop().await;
    });
}

#[test]
fn a_new_installation_has_a_signing_key_and_needs_no_journal() {
    run(async {
        let own = OwnDatabase::create().await;
        let server = own.server().await;
        let tenant = server.tenant().await;
        assert!(!server.store.journal().path().exists());
        let key = server.store.signing().key().expect("a key");
        let (_, ready) = readiness(&server).await;
        assert_eq!(ready["journal"], "ok");
        tenant.post_ok(messages::report("first").to_string()).await;
        server.stop().await;
        let server = own.server().await;
        let again = server.store.signing().key().expect("a key");
        assert_eq!(key.note_key(), again.note_key());
        server.stop().await;
    });
}

#[test]
fn a_lost_signing_key_is_not_replaced_once_something_is_signed() {
    run(async {
        let (world, server) = World::create().await;
        world.erase(&server, ERASURE).await;
        server.stop().await;
        let journal = world.own.journal();
        let path = journal.signing().path();
        let seed = fs::read(path).expect("our file");
        fs::remove_file(path).expect("our file");
        let server = world.own.server().await;
        assert!(!path.exists());
        assert_refused(&server, &world.tenant, "see the log").await;
        fs::rename(journal.path(), world.own.keys.join("aside")).expect("our file");
        server.store.ensure_installation().await.expect("the other keys are there");
        assert!(!path.exists());
        fs::rename(world.own.keys.join("aside"), journal.path()).expect("our file");
        fs::write(path, seed).expect("our file");
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("our file");
        assert_serves(&server, &world.tenant).await;
        server.stop().await;
    });
}
