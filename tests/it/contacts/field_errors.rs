//! Refused fields.

use super::*;

#[test]
fn what_is_no_value_of_a_field_is_refused_by_field() {
    run(async {
        let people = People::shared().await;
        let anna = people.create(&json!({ "name": "Anna Example" })).await;
        let path = format!("/v1/contacts/{}", id(&anna));
        for (body, pointer) in [
            (json!({ "name": "<b>Anna</b>" }), "/name"),
            (json!({ "name": "Anna \u{202E}elpmaxE" }), "/name"),
            (json!({ "name": "a".repeat(10_000) }), "/name"),
            (json!({ "name": "unknown" }), "/name"),
            (json!({ "phone": "please call me back tomorrow" }), "/phone"),
            (json!({ "phone": 15_550_100_123_i64 }), "/phone"),
            (json!({ "email": "anna.example.com" }), "/email"),
            (json!({ "email": "noreply@example.com" }), "/email"),
            (json!({ "external_id": "lead" }), "/external_id"),
            (json!({ "segment": "Regular Customers" }), "/segment"),
            (json!({ "priority": "1" }), "/priority"),
            (json!({ "tags": ["call +15550100123"] }), "/tags"),
            (json!({ "tags": "vip" }), "/tags"),
            (json!({ "custom_fields": { "a": 1.5 } }), "/custom_fields"),
            (json!({ "custom_fields": { "First Name": "x" } }), "/custom_fields"),
            (json!({ "custom_fields": ["a"] }), "/custom_fields"),
        ] {
            let response = people.send(Method::PATCH, &path, &body).await;
            let problem = problem(response, 422, "invalid-field").await;
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        }
        let response = people.send(Method::PATCH, &path, &json!({ "nmae": "x" })).await;
        problem(response, 422, "unknown-field").await;
        let response = people.send(Method::POST, "/v1/contacts", &json!({ "tags": ["x"] })).await;
        let missing = problem(response, 422, "invalid-field").await;
        assert_eq!(missing["errors"][0]["pointer"], "/name");
        let handles = format!("{path}/handles");
        for (body, pointer) in [
            (json!({ "kind": "fax", "value": "1" }), "/kind"),
            (json!({ "kind": "phone", "value": "soon" }), "/value"),
            (json!({ "kind": "email" }), "/value"),
        ] {
            let response = people.send(Method::POST, &handles, &body).await;
            let problem = problem(response, 422, "invalid-field").await;
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        }
        people.tenant.settle().await;
        assert_eq!(people.show(&id(&anna)).await["name"], "Anna Example", "nothing changed");
    });
}
