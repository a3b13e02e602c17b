//! Other persons are not in an export: those of the same call, of the same number, and of bookings.

use ledger_tests::{messages, run};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Desk, PASSPHRASE, found, json_of, opened};

#[test]
fn a_second_person_of_the_same_call_is_in_no_export_of_the_first() {
    run(async {
        let desk = Desk::shared().await;
        let anna = json!({ "name": "Anna Canaryone", "number": "+15550100131" });
        let ben = json!({ "name": "Ben Canarytwo", "number": "+15550100132", "externalId": "crm-canary-77" });
        let status = messages::from(messages::status("shared-call", "in-progress"), &anna);
        desk.tenant.post_ok(status.to_string()).await;
        // A message that names nobody belongs to no single person of such a call.
        let nobody = json!({ "status": "queued", "note": "between-canary" });
        let nobody = messages::message("shared-call", "status-update", &nobody);
        desk.tenant.post_ok(nobody.to_string()).await;
        let second = desk.call("shared-call", &ben, "User: ben-spoken-canary").await;
        let own = desk.call("own-call", &anna, "User: anna-spoken-canary").await;
        assert_ne!(own, second);

        let (_, file) = desk.export(&own).await;
        let files = opened(&file, PASSPHRASE).expect("it opens");
        let of_ben = ["Canarytwo", "0100132", "crm-canary-77", "ben-spoken-canary", &second];
        assert_eq!(found(&files, &of_ben), [""; 0]);
        assert_eq!(found(&files, &["between-canary"]), [""; 0]);
        assert!(!found(&files, &["anna-spoken-canary"]).is_empty());
        let record = json_of(&files, "record.json");
        assert_eq!(record["calls"].as_array().map(Vec::len), Some(2), "the shared call is listed");
        assert!(record["counts"]["withheld_sections"].as_u64() >= Some(2), "{}", record["counts"]);

        let (_, file) = desk.export(&second).await;
        let files = opened(&file, PASSPHRASE).expect("it opens");
        let of_anna = ["Canaryone", "0100131", "anna-spoken-canary", "between-canary", &own];
        assert_eq!(found(&files, &of_anna), [""; 0]);
        assert!(!found(&files, &["ben-spoken-canary"]).is_empty());
    });
}

#[test]
fn another_person_with_the_same_number_is_in_no_export() {
    run(async {
        let desk = Desk::shared().await;
        let person = |name: &str| json!({ "name": name, "number": "+15550100133" });
        let anna = desk.call("family-1", &person("Anna Canaryone"), "User: anna-spoken").await;
        let ben = desk.call("family-2", &person("Ben Canarytwo"), "User: ben-spoken").await;
        assert_ne!(anna, ben);
        // A call without a name is of neither.
        let unnamed = json!({ "number": "+15550100133" });
        let mut report = messages::report("family-3");
        report["message"]["artifact"]["transcript"] = json!("User: either-spoken");
        desk.tenant.post_ok(messages::from(report, &unnamed).to_string()).await;

        for (mine, other, said, not) in
            [(&anna, &ben, "anna-spoken", "ben-spoken"), (&ben, &anna, "ben-spoken", "anna-spoken")]
        {
            let (_, file) = desk.export(mine).await;
            let files = opened(&file, PASSPHRASE).expect("it opens");
            assert_eq!(found(&files, &[not, other.as_str(), "either-spoken"]), [""; 0]);
            assert!(!found(&files, &[said]).is_empty());
            let record = json_of(&files, "record.json");
            assert_eq!(record["ambiguous_calls"], 1);
        }
    });
}

#[test]
fn the_booker_gets_the_booking_and_not_what_was_said_about_the_customer() {
    run(async {
        let desk = Desk::shared().await;
        let anna = json!({ "name": "Anna Canaryone", "number": "+15550100134" });
        let anna = desk.call("booker", &anna, "User: for my son").await;
        let created = json!({ "name": "Tim Canarytwo", "phone": "+15550100135" });
        let tim = desk.staff(Method::POST, "/v1/contacts", &created).await;
        let tim = tim["contact_id"].as_str().expect("an id").to_owned();
        let booking = json!({
            "contact_id": tim, "booked_by_contact_id": anna, "starts_at": desk.in_days(22),
            "notes": "tim-notes-canary",
        });
        desk.staff(Method::POST, "/v1/appointments", &booking).await;

        let (_, file) = desk.export(&anna).await;
        let files = opened(&file, PASSPHRASE).expect("it opens");
        let of_tim = ["Canarytwo", "0100135", "tim-notes-canary", &tim];
        assert_eq!(found(&files, &of_tim), [""; 0]);
        let record = json_of(&files, "record.json");
        assert_eq!(record["appointments"][0]["role"], "booked_for_another_person");

        let (_, file) = desk.export(&tim).await;
        let files = opened(&file, PASSPHRASE).expect("it opens");
        assert_eq!(found(&files, &["Canaryone", "0100134", "for my son", &anna]), [""; 0]);
        let record = json_of(&files, "record.json");
        assert_eq!(record["appointments"][0]["role"], "customer");
        assert_eq!(record["appointments"][0]["details"][0]["notes"], "tim-notes-canary");
        assert_eq!(record["calls"], Value::Array(Vec::new()));
    });
}
