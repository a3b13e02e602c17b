//! Random commands on two servers at once: what is live never exceeds the capacity, and the log agrees with
//! itself.

use std::sync::Arc;

use fastrand::Rng;
use ledger_tests::OwnDatabase;
use tokio::sync::Mutex;

use super::*;

/// Tasks that send commands at the same time, and commands of each.
const TASKS: u64 = 12;
const COMMANDS: usize = 20;
const CAPACITIES: [(&str, i64); 2] = [("chair-1", 1), ("class", 3)];

/// A start in three hours, so that most appointments want the same times, some across UTC midnight.
fn start(rng: &mut Rng) -> String {
    at(13 * 60 + 30 + 5 * rng.i64(0..36))
}

/// A random booking, move or change of an appointment that some task booked.
async fn command(clinic: &Clinic, rng: &mut Rng, booked: &Mutex<Vec<Value>>) -> (u16, Value) {
    let known = {
        let booked = booked.lock().await;
        (!booked.is_empty()).then(|| booked[rng.usize(..booked.len())].clone())
    };
    let (resource, _) = CAPACITIES[rng.usize(..CAPACITIES.len())];
    match (rng.u8(0..10), known) {
        (0..=4, _) | (_, None) => {
            let phone = format!("+1555{:07}", 100_000 + rng.u32(0..100_000));
            let mut body = json!({
                "contact": person("Anna Example", &phone), "starts_at": start(rng),
                "duration_minutes": rng.i64(1..13) * 5,
            });
            if rng.bool() {
                body["resource"] = json!(resource);
            }
            let answer = clinic.post("/v1/appointments", &body).await;
            if answer.0 == 201 {
                booked.lock().await.push(answer.1.clone());
            }
            answer
        }
        (5..=7, Some(known)) => {
            let body = json!({ "starts_at": start(rng), "resource": resource });
            clinic.change(&known, "reschedule", &body).await
        }
        (8, Some(known)) => clinic.change(&known, "confirm", &json!({})).await,
        (_, Some(known)) => clinic.change(&known, "cancel", &json!({})).await,
    }
}

#[test]
fn random_commands_at_once_leave_no_more_live_appointments_than_the_capacity() {
    run(async {
        let own = OwnDatabase::create().await;
        let (one, two) = (own.server().await, own.server().await);
        let clinic = Clinic::new(&one).await;
        let resources = CAPACITIES.map(|(id, capacity)| json!({ "id": id, "capacity": capacity }));
        let service =
            json!({ "id": HAIRCUT, "minutes": 30, "price_cents": 4500, "currency": "USD" });
        clinic.set("services", &json!({ "services": [service] })).await;
        clinic.set("resources", &json!({ "resources": resources })).await;
        clinic.set("bookings", &json!({ "requires_confirmation": true })).await;
        let tenant_id = clinic.tenant.tenant_id;
        let other = Clinic { tenant: clinic.tenant.through(&two), key: clinic.key.clone() };
        let seed = fastrand::u64(..);
        let booked = Arc::new(Mutex::new(Vec::new()));
        let servers = [Arc::new(clinic), Arc::new(other)];
        let mut tasks = JoinSet::new();
        for task in 0..TASKS {
            let clinic = Arc::clone(&servers[usize::try_from(task % 2).expect("0 or 1")]);
            let booked = Arc::clone(&booked);
            tasks.spawn(async move {
                let mut rng = Rng::with_seed(seed ^ task);
                for _ in 0..COMMANDS {
                    let (status, answer) = command(&clinic, &mut rng, &booked).await;
                    let code = answer["code"].as_str().unwrap_or_default();
                    let is_expected = matches!(
                        (status, code),
                        (200 | 201, _)
                            | (409, "slot-taken")
                            | (422, "invalid-transition")
                            | (503, "schedule-busy")
                    );
                    assert!(is_expected, "seed {seed}: {status} {answer}");
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.expect("no panic");
        }
        let [clinic, _] = servers;
        clinic.tenant.settle().await;
        for (resource, capacity) in CAPACITIES {
            let most = most_at_once(&own, tenant_id.0, resource).await;
            assert!(most <= capacity, "seed {seed}: {most} on {resource}");
            assert!(most > 0, "seed {seed}: hardly anything was booked on {resource}");
        }
        let check = own.store(1).check_bookings(tenant_id).await.expect("it is read");
        assert_eq!(check.differences, [], "seed {seed}");
        assert!(check.appointments > 0 && check.entries >= check.appointments, "{check:?}");
    });
}

/// The largest number of live appointments at one instant; that is at the start of one of them.
async fn most_at_once(own: &OwnDatabase, tenant_id: uuid::Uuid, resource: &str) -> i64 {
    sqlx::query_scalar(
        "select coalesce(max(live), 0) from (
           select count(*) as live from read.appointments a join read.appointments b
               on b.tenant_id = a.tenant_id and b.resource = a.resource and b.status <> 'cancelled'
              and b.scheduled_at <= a.scheduled_at and a.scheduled_at < b.ends_at
            where a.tenant_id = $1 and a.resource = $2 and a.status <> 'cancelled'
            group by a.appointment_id) at_start",
    )
    .bind(tenant_id)
    .bind(resource)
    .fetch_one(&mut own.superuser().await)
    .await
    .expect("the read model answers")
}
