//! Filters and pages of the list.

use super::*;

/// A clinic with six appointments: the n-th starts n hours after the first.
async fn with_six() -> (Clinic, Vec<Value>) {
    let clinic = Clinic::shared().await;
    let mut booked = Vec::new();
    for nth in 0..6 {
        let (name, phone) = if nth % 2 == 0 {
            ("Anna Example", "+15550100123")
        } else {
            ("Ben Example", "+15550100124")
        };
        let mut body = booking(&person(name, phone), 60 * nth);
        body["resource"] = json!(if nth < 4 { "chair-1" } else { "chair-2" });
        if nth == 5 {
            body["service_type"] = json!("long");
        }
        booked.push(clinic.book(&body).await);
    }
    for nth in [1, 2] {
        clinic.change(&booked[nth], "cancel", &json!({})).await;
    }
    clinic.tenant.settle().await;
    (clinic, booked)
}

/// Numbers of the listed appointments, in the order of the answer.
fn numbers(page: &Value, booked: &[Value]) -> Vec<usize> {
    let listed = page["data"].as_array().expect("a list").iter();
    let number = |one: &Value| {
        booked.iter().position(|other| other["appointment_id"] == one["appointment_id"])
    };
    listed.map(|one| number(one).expect("a known one")).collect()
}

#[test]
fn each_filter_returns_exactly_its_appointments_the_latest_start_first() {
    run(async {
        let (clinic, booked) = with_six().await;
        let contact = booked[1]["contact_id"].as_str().expect("an id");
        for (query, expected) in [
            (String::new(), vec![5, 4, 3, 2, 1, 0]),
            (format!("from={}", at(120)), vec![5, 4, 3, 2]),
            (format!("to={}", at(120)), vec![1, 0]),
            (format!("from={}&to={}", at(60), at(120)), vec![1]),
            ("status=cancelled".to_owned(), vec![2, 1]),
            ("status=confirmed".to_owned(), vec![5, 4, 3, 0]),
            ("status=pending".to_owned(), vec![]),
            (format!("contact_id={contact}"), vec![5, 3, 1]),
            (format!("contact_id={contact}&status=confirmed"), vec![5, 3]),
            ("service_type=long".to_owned(), vec![5]),
            ("resource=chair-2".to_owned(), vec![5, 4]),
            (format!("call_id={}", uuid::Uuid::nil()), vec![]),
        ] {
            let page = clinic.get(&format!("/v1/appointments?{query}")).await;
            assert_eq!(numbers(&page, &booked), expected, "{query}");
            assert_eq!(page["next_cursor"], Value::Null);
        }
    });
}

#[test]
fn pages_follow_each_other_without_a_gap() {
    run(async {
        let (clinic, booked) = with_six().await;
        for limit in [1, 2, 4, 6] {
            let (mut all, mut cursor) = (Vec::new(), String::new());
            loop {
                let page =
                    clinic.get(&format!("/v1/appointments?limit={limit}&cursor={cursor}")).await;
                all.extend(numbers(&page, &booked));
                match page["next_cursor"].as_str() {
                    Some(next) => next.clone_into(&mut cursor),
                    None => break,
                }
            }
            assert_eq!(all, [5, 4, 3, 2, 1, 0], "{limit}");
        }
    });
}

#[test]
fn a_malformed_or_unknown_parameter_is_refused_with_its_name() {
    run(async {
        let clinic = Clinic::shared().await;
        let (now, later) = (at(0), at(60));
        for (path, name) in [
            ("appointments?from=yesterday", "from"),
            (&*format!("appointments?from={later}&to={now}"), "from"),
            ("appointments?status=lost", "status"),
            ("appointments?contact_id=", "contact_id"),
            ("appointments?contact_id=anna", "contact_id"),
            ("appointments?call_id=c-1", "call_id"),
            ("appointments?limit=0", "limit"),
            ("appointments?cursor=xyz", "cursor"),
            ("appointments?min_position=last", "min_position"),
            ("availability?from=soon", "from"),
            (&*format!("availability?from={later}&to={now}"), "to"),
            (&*format!("availability?from={now}&to={}", at(40 * 1440)), "to"),
            ("availability?service_type=surgery", "service_type"),
            ("availability?service_type=Brain%20surgery", "service_type"),
            ("availability?resource=chair-9", "resource"),
            ("availability?service_type=long&resource=chair-1", "resource"),
            ("availability?duration_minutes=0", "duration_minutes"),
            ("availability?duration_minutes=2400", "duration_minutes"),
            ("availability?limit=201", "limit"),
        ] {
            let path = format!("/v1/{path}");
            let response =
                clinic.tenant.request(&clinic.key, &path).send().await.expect("an answer");
            let problem = problem(response, 400, "invalid-parameter").await;
            assert_eq!(problem["errors"][0]["pointer"], format!("/{name}"), "{path}");
        }
        for path in ["/v1/appointments?colour=red", "/v1/availability?colour=red"] {
            let response =
                clinic.tenant.request(&clinic.key, path).send().await.expect("an answer");
            problem(response, 400, "unknown-parameter").await;
        }
    });
}
