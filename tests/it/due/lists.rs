//! Filters and pages of the lists.

use super::*;

/// Tasks and reminders in one order, with several at the same time.
async fn with_work() -> Office {
    let office = Office::shared().await;
    office.set("resources", &json!({ "resources": [{ "id": "main", "capacity": 3 }] })).await;
    for nth in 0..3 {
        let mut body = booking(0);
        body["contact"] = json!({ "name": "Anna Example", "phone": format!("+1555010013{nth}") });
        office.post(201, "/v1/appointments", &body).await;
        office.post(201, "/v1/tasks", &task(-1440)).await;
        office.post(201, "/v1/tasks", &task(nth * 60)).await;
    }
    office
}

/// The items of all pages of a list.
async fn all(office: &Office, path: &str, limit: usize) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = office.get(&format!("{path}limit={limit}&cursor={cursor}")).await;
        let data = page["data"].as_array().expect("a list");
        assert!(data.len() <= limit);
        all.extend(data.iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => return all,
        }
    }
}

#[test]
fn pages_follow_each_other_without_a_gap_also_at_equal_times() {
    run(async {
        let office = with_work().await;
        for path in ["/v1/due?", "/v1/due?kind=task&", "/v1/due?kind=reminder&", "/v1/tasks?"] {
            let whole = all(&office, path, 200).await;
            let expected = if path.contains("due?kind") || path.contains("tasks") { 6 } else { 12 };
            assert_eq!(whole.len(), expected, "{path}");
            let mut times: Vec<_> =
                whole.iter().map(|one| one["due_at"].as_str().expect("a time")).collect();
            if path.contains("tasks") {
                times.reverse();
            }
            assert!(times.is_sorted(), "{path}: {times:?}");
            for limit in [1, 2, 5] {
                assert_eq!(all(&office, path, limit).await, whole, "{path} {limit}");
            }
        }
    });
}

#[test]
fn each_filter_returns_exactly_its_rows() {
    run(async {
        let office = Office::shared().await;
        let booked = office.book(0).await;
        let (appointment, contact) =
            (booked["appointment_id"].as_str().expect("an id"), booked["contact_id"].as_str());
        let contact = contact.expect("an id");
        let mut about = task(10);
        about["appointment_id"] = booked["appointment_id"].clone();
        let about = office.post(201, "/v1/tasks", &about).await;
        let open = office.post(201, "/v1/tasks", &task(20)).await;
        let done = office.post(201, "/v1/tasks", &task(30)).await;
        let done = office.post(200, &path(&done, "done"), &json!({})).await;
        let cancelled = office.post(201, "/v1/tasks", &task(40)).await;
        let cancelled = office.post(200, &path(&cancelled, "cancel"), &json!({})).await;
        for (query, expected) in [
            (String::new(), vec![&cancelled, &done, &open, &about]),
            ("status=open".to_owned(), vec![&open, &about]),
            ("status=done".to_owned(), vec![&done]),
            ("status=cancelled".to_owned(), vec![&cancelled]),
            (format!("contact_id={contact}"), vec![&about]),
            (format!("appointment_id={appointment}&status=open"), vec![&about]),
            (format!("call_id={}", Uuid::nil()), vec![]),
            (format!("due_from={}", text(at(20))), vec![&cancelled, &done, &open]),
            (format!("due_to={}", text(at(20))), vec![&about]),
            (format!("due_from={}&due_to={}", text(at(20)), text(at(40))), vec![&done, &open]),
        ] {
            let page = office.get(&format!("/v1/tasks?{query}")).await;
            assert_eq!(page["data"], json!(expected), "{query}");
        }
        let (day, hours) = (reminder(1440, 0), reminder(120, 0));
        let due = |nth: i64| ("task".to_owned(), None, text(at(nth)));
        for (query, expected) in [
            (String::new(), vec![day.clone(), hours.clone(), due(10), due(20)]),
            ("kind=reminder".to_owned(), vec![day.clone(), hours.clone()]),
            ("kind=task".to_owned(), vec![due(10), due(20)]),
            (format!("from={}", text(at(-120))), vec![hours.clone(), due(10), due(20)]),
            (format!("to={}", text(at(-120))), vec![day]),
            (format!("from={}&to={}", text(at(-120)), text(at(20))), vec![hours, due(10)]),
        ] {
            assert_eq!(office.due(&query).await, expected, "{query}");
        }
    });
}
