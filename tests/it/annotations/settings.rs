//! The settings of what is added to calls.

use super::*;

impl Annotated {
    /// Sets a setting; returns the value as it is answered.
    pub(super) async fn set(&self, name: &str, value: &Value) -> Value {
        let path = format!("/v1/settings/{name}");
        let answer = send(&self.tenant, &self.key, Method::PUT, &path, value).await;
        let (status, answer) = status_and_json(answer).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    async fn setting(&self, name: &str) -> Value {
        let path = format!("/v1/settings/{name}");
        let (status, answer) = self.tenant.get_with(&self.key, &path).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }
}

#[test]
fn the_catalogue_has_eight_dispositions_until_a_tenant_sets_its_own() {
    run(async {
        let ledger = TestLedger::shared().await;
        let one = Annotated::ended(ledger).await;
        let default = one.setting("dispositions").await;
        let list = default["dispositions"].as_array().expect("a list");
        assert_eq!(list.len(), 8);
        assert_eq!(list.iter().filter(|entry| entry["escalates"] == true).count(), 1);
        let sold = json!({ "dispositions": [
            { "id": "sold", "label": "Sold" },
            { "id": "angry", "label": "Angry caller", "escalates": true, "is_test": true },
        ] });
        let set = one.set("dispositions", &sold).await;
        assert_eq!(set["dispositions"][0]["escalates"], false);
        assert_eq!(one.setting("dispositions").await, set);
        let unknown = (422, "unknown-disposition");
        let body = json!({ "disposition": "follow_up" });
        let problem = one.refused(Method::POST, "disposition", &body, unknown).await;
        assert_eq!(problem["errors"][0]["pointer"], "/disposition");
        let answer = one.post("disposition", &json!({ "disposition": "angry" })).await;
        assert_eq!(
            (&answer["is_test"], &answer["escalations"][0]["disposition"]),
            (&json!(true), &json!("angry"))
        );
        // A call keeps a disposition that is taken out of the catalogue, and may lose it.
        assert_eq!(one.set("dispositions", &json!({})).await, default);
        assert_eq!(one.shown().await["disposition"], "angry");
        let answer = one.post("disposition", &json!({ "disposition": null })).await;
        assert_eq!(answer["disposition"], Value::Null);
        // Another tenant has its own.
        let other = Annotated::ended(ledger).await;
        assert_eq!(other.setting("dispositions").await, default);
    });
}

#[test]
fn a_setting_of_calls_is_refused_by_field_and_recorded_once() {
    run(async {
        let one = Annotated::ended(TestLedger::shared().await).await;
        let entry = |id: &str| json!({ "id": id, "label": "Sold" });
        for (name, value, pointer) in [
            (
                "dispositions",
                json!({ "dispositions": [entry("a"), entry("A")] }),
                "dispositions/1/id",
            ),
            ("dispositions", json!({ "dispositions": [entry("<b>")] }), "dispositions/0/id"),
            ("dispositions", json!({ "dispositions": [{ "id": "a" }] }), "dispositions/0/label"),
            ("annotations", json!({ "tag_categories": ["+15550100123"] }), "tag_categories/0"),
            ("annotations", json!({ "clear_context_fields": [""] }), "clear_context_fields/0"),
            ("lead_score", json!({ "booked": 1_000 }), "booked"),
        ] {
            let path = format!("/v1/settings/{name}");
            let answer = send(&one.tenant, &one.key, Method::PUT, &path, &value).await;
            let problem = problem(answer, 422, "invalid-field").await;
            assert_eq!(problem["errors"][0]["pointer"], format!("/{pointer}"));
        }
        let lists = json!({ "tag_categories": ["work"], "clear_context_fields": ["plan"] });
        one.set("annotations", &lists).await;
        one.set("annotations", &lists).await;
        assert_eq!(one.tenant.facts_of("tenant.annotations_set").await, [lists]);
        let body = json!({ "tag": "vip", "category": "leisure" });
        one.refused(Method::POST, "tags", &body, (422, "unknown-category")).await;
        one.post("tags", &json!({ "tag": "vip", "category": "Work" })).await;
    });
}
