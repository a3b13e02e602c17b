//! Custom fields in the clear: the setting `contacts`, and what it does to changes of contacts.

use ledger_tests::OwnDatabase;
use ledger_tests::cluster::superuser;

use super::rebuild::assert_rebuilds_to_the_same;
use super::*;

impl People {
    /// Sets the list of clear fields.
    async fn keep_clear(&self, names: &[&str]) {
        let value = json!({ "clear_custom_fields": names });
        let (status, answer) = self.ask(Method::PUT, "/v1/settings/contacts", &value).await;
        assert_eq!((status, &answer), (200, &value));
    }

    async fn custom_fields(&self, id: &str) -> Value {
        self.tenant.settle().await;
        self.show(id).await["custom_fields"].take()
    }

    /// The custom fields as a key without scope `personal` sees them.
    async fn masked_fields(&self, id: &str) -> Value {
        self.tenant.settle().await;
        let path = format!("/v1/contacts/{id}");
        let (status, mut shown) = self.tenant.get_with(&self.tenant.read_key, &path).await;
        assert_eq!(status, 200, "{shown}");
        shown["custom_fields"].take()
    }

    /// The clear fields of the events of contacts, in the order of the log.
    async fn clear_facts(&self) -> Vec<Value> {
        let facts: Vec<String> = sqlx::query_scalar(
            "select facts::text from ledger.events
              where tenant_id = $1 and event_type in ('contact.created', 'contact.updated')
              order by position",
        )
        .bind(self.tenant.tenant_id.0)
        .fetch_all(&mut superuser().await)
        .await
        .expect("the log answers");
        let clear = |facts: &String| {
            let mut facts: Value = serde_json::from_str(facts).expect("JSON");
            facts["clear"].take()
        };
        facts.iter().map(clear).collect()
    }
}

#[test]
fn listed_fields_are_in_the_facts_and_the_others_are_sealed() {
    run(async {
        let people = People::shared().await;
        people.keep_clear(&["is-member", "plan", "visits"]).await;
        let fields = json!({ "plan": "Gold", "visits": 3, "is-member": true, "wish": "zephyrlamp", "code": 7 });
        let made = people.create(&json!({ "name": "Anna Example", "custom_fields": fields })).await;
        assert_eq!(made["custom_fields"], fields, "the answer has both");
        let clear = json!({ "plan": "Gold", "visits": 3, "is-member": true });
        assert_eq!(people.clear_facts().await, std::slice::from_ref(&clear));
        assert_eq!(people.custom_fields(&id(&made)).await, fields);
        let reads = async || people.tenant.facts_of("access.personal_data_read").await.len();
        let before = reads().await;
        assert_eq!(people.masked_fields(&id(&made)).await, clear);
        assert_eq!(reads().await, before, "no personal data was read");
        let rows: Vec<String> = sqlx::query_scalar(
            "select facts::text || meta::text from ledger.events where tenant_id = $1
              union all select claims::text from read.contacts where tenant_id = $1",
        )
        .bind(people.tenant.tenant_id.0)
        .fetch_all(&mut superuser().await)
        .await
        .expect("the database answers");
        assert!(rows.iter().any(|row| row.contains("Gold")));
        assert!(!rows.iter().any(|row| row.contains("zephyrlamp") || row.contains("wish")));
        // All fields are replaced, also if none of the new ones is sealed.
        let changed =
            people.change(&id(&made), &json!({ "custom_fields": { "plan": "basic" } })).await;
        assert_eq!(changed["custom_fields"], json!({ "plan": "basic" }));
        people.change(&id(&made), &json!({ "tags": ["vip"] })).await;
        assert_eq!(people.masked_fields(&id(&made)).await, json!({ "plan": "basic" }));
        people.change(&id(&made), &json!({ "custom_fields": null })).await;
        assert_eq!(people.masked_fields(&id(&made)).await, json!({}));
    });
}

#[test]
fn the_list_applies_to_later_changes_and_to_its_tenant() {
    run(async {
        let (people, others) = (People::shared().await, People::shared().await);
        let fields = json!({ "plan": "gold" });
        let made = people.create(&json!({ "name": "Anna Example", "custom_fields": fields })).await;
        people.keep_clear(&["plan"]).await;
        assert_eq!(people.masked_fields(&id(&made)).await, json!({}), "it stays sealed");
        people.change(&id(&made), &json!({ "custom_fields": fields })).await;
        assert_eq!(people.masked_fields(&id(&made)).await, fields);
        people.keep_clear(&[]).await;
        assert_eq!(people.masked_fields(&id(&made)).await, fields, "it stays in the clear");
        people.change(&id(&made), &json!({ "custom_fields": fields })).await;
        assert_eq!(people.masked_fields(&id(&made)).await, json!({}));
        assert_eq!(people.custom_fields(&id(&made)).await, fields);
        people.keep_clear(&["plan"]).await;
        let other = others.create(&json!({ "name": "Ben Example", "custom_fields": fields })).await;
        assert_eq!(others.masked_fields(&id(&other)).await, json!({}));
        let set = people.tenant.facts_of("tenant.contacts_set").await;
        let list = |names: &[&str]| json!({ "clear_custom_fields": names });
        assert_eq!(set, [list(&["plan"]), list(&[]), list(&["plan"])]);
    });
}

#[test]
fn what_may_be_about_a_person_is_refused_as_name_and_as_value_of_a_clear_field() {
    run(async {
        let people = People::shared().await;
        for name in [
            "name",
            "first-name",
            "customer_phone",
            "e-mail",
            "home_address",
            "date_of_birth",
            "A",
            "x y",
        ] {
            let value = json!({ "clear_custom_fields": ["plan", name] });
            let answer = people.send(Method::PUT, "/v1/settings/contacts", &value).await;
            let problem = problem(answer, 422, "invalid-field").await;
            assert_eq!(problem["errors"][0]["pointer"], "/clear_custom_fields/1", "{name}");
        }
        people.keep_clear(&["plan"]).await;
        let made = people.create(&json!({ "name": "Anna Example" })).await;
        for value in [
            json!("anna@example.com"),
            json!("+15550100123"),
            json!("5550100"),
            json!(5_550_100),
            json!("Anna Example"),
            json!("x".repeat(41)),
            json!(""),
        ] {
            let change = json!({ "custom_fields": { "plan": value, "wish": "x" } });
            let path = format!("/v1/contacts/{}", id(&made));
            let answer = people.send(Method::PATCH, &path, &change).await;
            let problem = problem(answer, 422, "invalid-field").await;
            assert_eq!(problem["errors"][0]["pointer"], "/custom_fields", "{value}");
            let text = value.as_str().filter(|text| !text.is_empty());
            assert!(!text.is_some_and(|text| problem.to_string().contains(text)), "{problem}");
            let sealed = json!({ "custom_fields": { "wish": value } });
            let shown = people.change(&id(&made), &sealed).await;
            assert_eq!(shown["custom_fields"]["wish"], value, "a sealed field may have it");
        }
        assert_eq!(people.clear_facts().await.iter().filter(|clear| !clear.is_null()).count(), 0);
    });
}

#[test]
fn the_newest_fields_of_a_merged_contact_are_shown_and_an_erased_person_keeps_the_clear_ones() {
    run(async {
        let own = OwnDatabase::create().await;
        let first = own.server().await;
        let people = People::new(&first).await;
        people.keep_clear(&["plan"]).await;
        let with = |name: &str, plan: &str, wish: &str| json!({ "name": name, "custom_fields": { "plan": plan, "wish": wish } });
        let anna = people.create(&with("Anna Example", "gold", "lamp")).await;
        let ben = people.create(&with("Ben Example", "basic", "chair")).await;
        people.merge(&id(&ben), &id(&anna)).await;
        let newest = json!({ "plan": "basic", "wish": "chair" });
        assert_eq!(people.custom_fields(&id(&anna)).await, newest);
        people.change(&id(&anna), &json!({ "custom_fields": { "plan": "gold" } })).await;
        assert_eq!(people.custom_fields(&id(&anna)).await, json!({ "plan": "gold" }));
        people.change(&id(&anna), &with("Anna Example", "silver", "table")).await;
        people.tenant.settle().await;
        assert!(assert_rebuilds_to_the_same(&first.store, "contacts").await >= 2);
        first.stop().await;

        let destroyed = sqlx::query(
            "update vault.subject_keys set state = 'destroyed', wrapped = null where tenant_id = $1",
        );
        let destroyed = destroyed.bind(people.tenant.tenant_id.0);
        let destroyed = destroyed.execute(&mut own.superuser().await).await.expect("an update");
        assert!(destroyed.rows_affected() >= 2);
        let second = own.server().await;
        let tenant = people.tenant.through(&second);
        let (_, shown) = tenant.get_with(&people.key, &format!("/v1/contacts/{}", id(&anna))).await;
        assert_eq!((&shown["name"], &shown["erased"]), (&Value::Null, &json!(true)));
        assert_eq!(shown["custom_fields"], json!({ "plan": "silver" }));
        second.stop().await;
    });
}
