//! The timeline of a contact: which entries it has, in pages, for merged contacts and after a rebuild.

use ledger_tests::OwnDatabase;

use super::rebuild::assert_rebuilds_to_the_same;
use super::*;

impl People {
    async fn post(&self, path: &str, body: &Value, expected: u16) -> Value {
        let (status, answer) = self.ask(Method::POST, path, body).await;
        assert_eq!(status, expected, "{path}: {answer}");
        answer
    }

    /// Makes a task about something, and returns its id.
    async fn task(&self, about: &Value) -> String {
        let mut task = about.clone();
        task["kind"] = json!("call_back");
        task["due_at"] = json!(self.tenant.store.clock().now_micros());
        task["text"] = json!("Ask for the zephyrlamp.");
        let made = self.post("/v1/tasks", &task, 201).await;
        made["task_id"].as_str().expect("an id").to_owned()
    }

    async fn close(&self, task: &str, verb: &str) {
        self.post(&format!("/v1/tasks/{task}/{verb}"), &Value::Null, 200).await;
    }

    /// The whole timeline, read in pages.
    async fn timeline(&self, contact: &str, limit: usize) -> Vec<Value> {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/contacts/{contact}/timeline?limit={limit}&cursor={cursor}");
            let page = self.get(&path).await;
            let entries = page["data"].as_array().expect("a list");
            assert!(entries.len() <= limit);
            seen.extend(entries.clone());
            match page["next_cursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => return seen,
            }
        }
    }
}

/// The entries of tasks, oldest first: the task and the status that it got.
fn tasks(timeline: &[Value]) -> Vec<(&str, &str)> {
    let of_task = timeline.iter().rev().filter(|entry| entry["kind"] == "task");
    of_task
        .map(|entry| {
            (entry["task_id"].as_str().expect("an id"), entry["status"].as_str().expect("a status"))
        })
        .collect()
}

#[test]
fn a_timeline_has_the_notes_and_tasks_of_the_contact_and_of_its_parts() {
    run(async {
        let people = People::shared().await;
        let anna = people.call("c-1", &person("Anna Example", PHONE)).await;
        let ben = people.call("c-2", &person("Ben Example", PHONE)).await;
        let page = people.get("/v1/calls?provider_call_id=c-2").await;
        let call = page["data"][0]["call_id"].as_str().expect("an id").to_owned();
        let by_contact = people.task(&json!({ "contact_id": anna })).await;
        let by_call = people.task(&json!({ "call_id": call })).await;
        let unrelated = people.task(&json!({})).await;
        let note = json!({ "text": "Likes the zephyrlamp." });
        people.post(&format!("/v1/calls/{call}/notes"), &note, 201).await;
        people.close(&by_contact, "done").await;
        people.close(&by_contact, "done").await;
        people.close(&by_call, "cancel").await;
        people.close(&unrelated, "done").await;
        people.tenant.settle().await;
        assert_eq!(
            tasks(&people.timeline(&anna, 50).await),
            [(by_contact.as_str(), "open"), (by_contact.as_str(), "done")]
        );
        let of_ben = people.timeline(&ben, 50).await;
        assert_eq!(tasks(&of_ben), [(by_call.as_str(), "open"), (by_call.as_str(), "cancelled")]);
        let kinds: Vec<&str> = of_ben.iter().filter_map(|entry| entry["kind"].as_str()).collect();
        assert_eq!(kinds, ["task", "note", "task", "call"], "newest first");
        let entry = &of_ben[0];
        assert_eq!((&entry["call_id"], &entry["contact_id"]), (&json!(call), &json!(ben)));
        assert_eq!(
            (&entry["task_kind"], &entry["event_type"]),
            (&json!("call_back"), &Value::Null)
        );
        assert!(entry["due_at"].is_string() && entry["event_id"].is_string(), "{entry}");

        people.merge(&ben, &anna).await;
        people.tenant.settle().await;
        let all = people.timeline(&anna, 50).await;
        assert_eq!(tasks(&all).len(), 4);
        assert!(!json!(all).to_string().contains("zephyrlamp"), "texts are not in a timeline");
        for limit in [1, 2, 3] {
            assert_eq!(people.timeline(&anna, limit).await, all, "pages of {limit}");
        }
        // A key without scope `personal` sees the same, and nothing is recorded as read.
        let path = format!("/v1/contacts/{anna}/timeline");
        let reads = people.tenant.facts_of("access.personal_data_read").await.len();
        let (_, masked) = people.tenant.get_with(&people.tenant.read_key, &path).await;
        assert_eq!(masked["data"], json!(all));
        assert_eq!(people.tenant.facts_of("access.personal_data_read").await.len(), reads);
    });
}

#[test]
fn a_timeline_waits_for_the_read_model_of_tasks_and_is_the_same_after_a_rebuild() {
    run(async {
        let own = OwnDatabase::create().await;
        let ledger = own.server().await;
        let people = People::new(&ledger).await;
        let anna = people.call("c-1", &person("Anna Example", PHONE)).await;
        for verb in ["done", "cancel", "none"] {
            let task = people.task(&json!({ "contact_id": anna })).await;
            if verb != "none" {
                people.close(&task, verb).await;
            }
        }
        let (position,): (i64,) =
            sqlx::query_as("select max(position) from ledger.events where tenant_id = $1")
                .bind(people.tenant.tenant_id.0)
                .fetch_one(&mut own.superuser().await)
                .await
                .expect("a position");
        let page =
            people.get(&format!("/v1/contacts/{anna}/timeline?min_position={position}")).await;
        let entries = page["data"].as_array().expect("a list");
        assert_eq!(entries.iter().filter(|entry| entry["kind"] == "task").count(), 5, "{page}");
        people.tenant.settle().await;
        assert_eq!(assert_rebuilds_to_the_same(&ledger.store, "due").await, 3);
        ledger.stop().await;
    });
}
