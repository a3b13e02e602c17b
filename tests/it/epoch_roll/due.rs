//! When the roll of a tenant is due.

use super::*;

#[test]
fn a_roll_is_due_after_thirty_days_or_in_the_night_after_an_erasure() {
    run(async {
        let own = OwnDatabase::create().await;
        let mut conn = own.superuser().await;
        let server = own.server().await;
        let tenant = server.tenant().await;
        record(&tenant).await;
        let tenant_id = tenant.tenant_id;
        let age = |days: i32| {
            format!(
                "update vault.epochs set created_at = now() - interval '{days} days' where tenant_id = '{tenant_id}'"
            )
        };
        let upgraded =
            "update public._sqlx_migrations set installed_on = now() - interval '2 days'";
        execute(&mut conn, &age(31)).await;
        assert_eq!(
            server.store.tenants_to_roll().await.expect("read"),
            [],
            "on the day of the upgrade"
        );
        execute(&mut conn, upgraded).await;
        assert_eq!(server.store.tenants_to_roll().await.expect("read"), [tenant_id]);
        execute(&mut conn, &age(2)).await;
        assert_eq!(server.store.tenants_to_roll().await.expect("read"), []);

        let erased = contact(&found(&server.store, tenant_id, 1).await);
        let vault = server.store.vault();
        vault.place_fence(tenant_id, ERASURE, &[erased]).await.expect("it is fenced");
        let entry = journaled(&server.store, &mut conn, tenant_id, ERASURE, &[erased]).await;
        vault.destroy_keys(&entry).await.expect("it is destroyed");
        for (hour, is_due) in [(0, false), (1, true), (5, true), (6, false), (13, false)] {
            // A zone in which it is this hour now.
            let zone = "update ledger.tenants set timezone = (
                select name from pg_timezone_names
                 where extract(hour from now() at time zone name) = $HOUR limit 1)";
            execute(&mut conn, &zone.replace("$HOUR", &hour.to_string())).await;
            let due = server.store.tenants_to_roll().await.expect("read");
            assert_eq!(!due.is_empty(), is_due, "at {hour}");
        }
        execute(&mut conn, &age(0)).await;
        assert_eq!(server.store.tenants_to_roll().await.expect("read"), [], "rolled today");
        server.stop().await;
    });
}
