//! The rule `repeat_caller` of the lead score: earlier calls of the contact of a call.

use super::*;

const INBOUND: &str = "inboundPhoneCall";

impl People {
    /// Posts the report of an answered call that began at a minute of a day.
    async fn call_at(&self, call: &str, minute: i64, customer: &Value, kind: &str) -> String {
        let at = |minute: i64| format!("2025-06-15T15:{minute:02}:00Z");
        let report = Message::report(call)
            .call_field("type", json!(kind))
            .field("customer", customer.clone())
            .field("timestamp", 1_750_000_000_000_i64 + minute * 60_000)
            .field("startedAt", json!(at(minute)))
            .field("endedAt", json!(at(minute + 1)));
        self.tenant.post_ok(report.body()).await;
        self.tenant.settle().await;
        let page = self.get(&format!("/v1/calls?provider_call_id={call}")).await;
        let id = page["data"][0]["call_id"].as_str();
        id.unwrap_or_else(|| panic!("no call: {page}")).to_owned()
    }

    /// The points of the rule in the score of a call.
    async fn repeat_points(&self, call_id: &str, query: &str) -> Option<i64> {
        let call = self.get(&format!("/v1/calls/{call_id}{query}")).await;
        assert_eq!(call["lead_score"]["version"], 2, "{call}");
        let reasons = call["lead_score"]["reasons"].as_array().expect("a list");
        let reason = reasons.iter().find(|reason| reason["rule"] == "repeat_caller")?;
        reason["points"].as_i64()
    }
}

#[test]
fn a_call_is_of_a_repeat_caller_if_the_contact_called_before_it_began() {
    run(async {
        let people = People::shared().await;
        let anna = person("Anna Example", PHONE);
        let second = people.call_at("c-2", 20, &anna, INBOUND).await;
        assert_eq!(people.repeat_points(&second, "").await, None, "the only call");
        let third = people.call_at("c-3", 30, &anna, INBOUND).await;
        assert_eq!(people.repeat_points(&third, "").await, Some(10));
        assert_eq!(people.repeat_points(&second, "").await, None, "a later call is no earlier one");
        let position = people.get(&format!("/v1/calls/{third}")).await["position"].clone();
        // A report that comes late is of an earlier call all the same, but was not known before.
        people.call_at("c-1", 10, &anna, INBOUND).await;
        assert_eq!(people.repeat_points(&second, "").await, Some(10));
        let then = format!("?as_of={position}");
        assert_eq!(people.repeat_points(&second, &then).await, None);
        assert_eq!(people.repeat_points(&third, &then).await, Some(10));

        let points = json!({ "repeat_caller": -7 });
        let (status, set) = people.ask(Method::PUT, "/v1/settings/lead_score", &points).await;
        assert_eq!((status, &set["repeat_caller"]), (200, &json!(-7)), "{set}");
        assert_eq!(people.repeat_points(&second, "").await, Some(-7));
        let others = people.call_at("c-9", 50, &person("Ben Example", PHONE), INBOUND).await;
        assert_eq!(people.repeat_points(&others, "").await, None, "another person on the number");
        let nobody = people.call_at("c-10", 55, &json!({}), INBOUND).await;
        assert_eq!(people.repeat_points(&nobody, "").await, None);
    });
}

#[test]
fn calls_of_the_tenant_and_tests_make_no_repeat_caller_and_merged_contacts_do() {
    run(async {
        let people = People::shared().await;
        let anna = person("Anna Example", PHONE);
        people.call_at("c-1", 10, &anna, "outboundPhoneCall").await;
        let test = people.call_at("c-2", 15, &anna, INBOUND).await;
        let mark = json!({ "is_test": true });
        let (status, answer) =
            people.ask(Method::POST, &format!("/v1/calls/{test}/test"), &mark).await;
        assert_eq!(status, 200, "{answer}");
        let call = people.call_at("c-3", 20, &anna, INBOUND).await;
        assert_eq!(people.repeat_points(&call, "").await, None);

        let ben = person("Ben Example", OTHER_PHONE);
        people.call_at("c-4", 5, &ben, INBOUND).await;
        let bens = people.contact_of("c-4").await;
        let annas = people.contact_of("c-3").await;
        assert_eq!(people.repeat_points(&call, "").await, None);
        people.merge(&bens, &annas).await;
        people.tenant.settle().await;
        assert_eq!(people.repeat_points(&call, "").await, Some(10), "a part called before");
        let of_part = people.call_at("c-5", 40, &ben, INBOUND).await;
        assert_eq!(people.repeat_points(&of_part, "").await, Some(10));
    });
}
