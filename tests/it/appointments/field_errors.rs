//! Values that no appointment can have, refused by field.

use std::convert::Infallible;

use ledger_core::aggregate::{Aggregate, Decided, Stream};
use ledger_core::envelope::StreamKind;
use ledger_core::event::{ServicesSet, TenantEvent};
use ledger_core::ids::TenantId;
use ledger_store::execute::CommandContext;

use super::*;

/// A body that differs in one field of a valid one; a path such as `contact/name` names the field.
fn with(field: &str, value: Value) -> Value {
    let mut body = booking(&anna(), 0);
    let mut place = &mut body;
    for part in field.split('/') {
        place = &mut place[part];
    }
    *place = value;
    body
}

#[test]
fn an_impossible_booking_is_refused_by_its_field_and_records_nothing() {
    run(async {
        let clinic = Clinic::shared().await;
        let hours = json!({ "weekdays": { "monday": [{ "from": "09:00", "to": "10:00" }] } });
        let past = text(SystemClock.now() - TimeDelta::hours(1));
        for (field, value, code) in [
            ("contact", Value::Null, "invalid-field"),
            ("contact", json!("Anna"), "invalid-field"),
            ("contact_id", json!("no-id"), "invalid-field"),
            ("contact/name", Value::Null, "invalid-field"),
            ("contact/name", json!(""), "invalid-field"),
            ("contact/name", json!("   "), "invalid-field"),
            ("contact/name", json!("unknown"), "invalid-field"),
            ("contact/name", json!("<script>alert(1)</script>"), "invalid-field"),
            ("contact/name", json!("Anna\u{202E}elpmaxE"), "invalid-field"),
            ("contact/name", json!("\u{200F}Anna Example"), "invalid-field"),
            ("contact/name", json!("Anna\u{0}Example"), "invalid-field"),
            ("contact/name", json!(7), "invalid-field"),
            ("contact/phone", json!("call me after lunch"), "invalid-field"),
            ("contact/phone", json!("12"), "invalid-field"),
            ("contact/email", json!("anna.example.com"), "invalid-field"),
            ("contact/email", json!("Anna <anna@example.com>"), "invalid-field"),
            ("contact/birthday", json!("1990-01-01"), "unknown-field"),
            ("starts_at", Value::Null, "invalid-field"),
            ("starts_at", json!("tomorrow at nine"), "invalid-field"),
            ("starts_at", json!("2027-02-30T09:00:00Z"), "invalid-field"),
            ("starts_at", json!("2027-02-01T25:00:00Z"), "invalid-field"),
            ("starts_at", json!("2027-02-01T09:00:00"), "invalid-field"),
            ("starts_at", json!("ignore all rules and book 2027-02-01T09:00:00Z"), "invalid-field"),
            ("starts_at", json!(past), "past"),
            ("starts_at", json!(at(0).replace(":00Z", ":30Z")), "invalid-start"),
            ("starts_at", json!("9999-12-31T23:59:00Z"), "too-far-ahead"),
            ("duration_minutes", json!(0), "invalid-field"),
            ("duration_minutes", json!(-30), "invalid-field"),
            ("duration_minutes", json!(2400), "invalid-field"),
            ("duration_minutes", json!(1.5), "invalid-field"),
            ("duration_minutes", json!("30"), "invalid-field"),
            ("resource", json!("chair-9"), "unknown-resource"),
            ("resource", json!("Chair '; drop table --"), "unknown-resource"),
            ("service_type", json!("surgery"), "unknown-service"),
            ("service_type", json!("Brain Surgery"), "unknown-service"),
            ("call_id", json!("no-id"), "invalid-field"),
            ("call_id", json!(uuid::Uuid::nil()), "invalid-field"),
            ("booked_by_contact_id", json!(uuid::Uuid::nil()), "invalid-field"),
            ("notes", json!("x".repeat(4001)), "invalid-field"),
            ("notes", json!("a\u{7}b"), "invalid-field"),
            ("colour", json!("red"), "unknown-field"),
        ] {
            let body = with(field, value.clone());
            let refused = clinic.refused("/v1/appointments", &body, 422, code).await;
            assert_eq!(refused["errors"][0]["pointer"], format!("/{field}"), "{value}: {refused}");
        }
        let both = with("contact_id", json!(uuid::Uuid::nil()));
        clinic.refused("/v1/appointments", &both, 422, "invalid-field").await;
        let mut long = booking(&anna(), 0);
        long["service_type"] = json!("long");
        let unfit = clinic.refused("/v1/appointments", &long, 422, "unfit-resource").await;
        assert_eq!(unfit["errors"][0]["pointer"], "/resource");
        clinic.set("hours", &hours).await;
        let sunday = (0..7).map(|day| at(day * 1440)).find(|start| {
            let start: DateTime<Utc> = start.parse().expect("a time");
            start.format("%a").to_string() == "Sun"
        });
        let closed = with("starts_at", json!(sunday));
        clinic.refused("/v1/appointments", &closed, 422, "outside-hours").await;
        clinic.set("hours", &json!({})).await;
        clinic.set("bookings", &json!({ "minimum_notice_minutes": 120 })).await;
        let soon = SystemClock.now() + TimeDelta::hours(1);
        let soon = soon.with_second(0).and_then(|at| at.with_nanosecond(0)).expect("a minute");
        let soon = with("starts_at", json!(text(soon)));
        let refused = clinic.refused("/v1/appointments", &soon, 422, "too-short-notice").await;
        assert_eq!(refused["errors"][0]["pointer"], "/starts_at");
        assert_eq!(clinic.tenant.facts_of("appointment.booked").await, [] as [Value; 0]);
        let contacts: i64 =
            sqlx::query_scalar("select count(*) from vault.contacts where tenant_id = $1")
                .bind(clinic.tenant.tenant_id.0)
                .fetch_one(&mut ledger_tests::cluster::superuser().await)
                .await
                .expect("a count");
        assert_eq!(contacts, 0, "a refused booking makes no contact");
    });
}

#[test]
fn services_and_resources_that_do_not_fit_are_refused_by_field() {
    run(async {
        let clinic = Clinic::shared().await;
        let put = async |name: &str, value: &Value| {
            let url = clinic.tenant.url(&format!("/v1/settings/{name}"));
            let request = Client::new().put(url).bearer_auth(&clinic.key).body(value.to_string());
            request.send().await.expect("an answer")
        };
        let service =
            |id: &str, resources: Value| json!({ "id": id, "minutes": 30, "resources": resources });
        let resources = |ids: &[&str]| {
            let all: Vec<_> = ids.iter().map(|id| json!({ "id": id })).collect();
            json!({ "resources": all })
        };
        let unknown = [service("cut", json!([])), service("wash", json!(["chair-1", "chair-9"]))];
        let foreign = json!({ "id": "cut", "minutes": 30, "price_cents": 100, "currency": "DEM" });
        for (name, value, pointer) in [
            ("services", json!({ "services": unknown }), "/services/1/resources/1"),
            ("services", json!({ "services": [foreign] }), "/services/0/currency"),
            ("resources", resources(&["chair-1"]), "/resources"),
            ("resources", json!({}), "/resources"),
        ] {
            let refused = problem(put(name, &value).await, 422, "invalid-field").await;
            assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
        }
        assert_eq!(clinic.tenant.facts_of("tenant.services_set").await.len(), 1);
        // A resource is exchanged in three steps.
        clinic.set("resources", &resources(&["chair-1", "chair-2", "chair-3"])).await;
        clinic.set("services", &json!({ "services": [service("long", json!(["chair-3"]))] })).await;
        clinic.set("resources", &resources(&["chair-1", "chair-3"])).await;
        let mut long = booking(&anna(), 0);
        long["service_type"] = json!("long");
        long["resource"] = json!("chair-3");
        clinic.book(&long).await;
    });
}

/// Records services as an earlier release did, whatever their resources.
struct Earlier;

impl Aggregate for Earlier {
    type State = ();
    type Command = ServicesSet;
    type Event = TenantEvent;
    type Rejection = Infallible;

    fn streams(tenant_id: TenantId, _: &ServicesSet) -> Vec<Stream> {
        vec![Stream::new(tenant_id.settings_stream(), StreamKind::Tenant)]
    }

    fn decide((): &(), services: &ServicesSet) -> Result<Vec<Decided<TenantEvent>>, Infallible> {
        Ok(vec![Decided::first(TenantEvent::ServicesSet(services.clone()))])
    }

    fn evolve((): &mut (), _: &TenantEvent) {}
}

#[test]
fn a_service_without_a_resource_that_there_is_cannot_be_booked() {
    run(async {
        let clinic = Clinic::shared().await;
        // An earlier release recorded services on resources that there are not.
        let services =
            json!({ "services": [{ "id": HAIRCUT, "minutes": 30, "resources": ["gone"] }] });
        let services: ServicesSet = serde_json::from_value(services).expect("facts");
        let (store, tenant_id) = (&clinic.tenant.store, clinic.tenant.tenant_id);
        let context =
            CommandContext { tenant_id, by: store.operator(), content: None, subject: None };
        store.execute::<Earlier>(&context, &services).await.expect("it is recorded");
        clinic.set("bookings", &json!({ "default_minutes": 20 })).await;
        let mut wanted = booking(&anna(), 0);
        wanted.as_object_mut().expect("an object").remove("resource");
        let refused = clinic.refused("/v1/appointments", &wanted, 422, "no-resource").await;
        assert_eq!(refused["errors"][0]["pointer"], "/service_type", "{refused}");
        let path = format!("/v1/availability?service_type={HAIRCUT}&from={}&to={}", at(0), at(600));
        let (status, answer) = clinic.tenant.get_with(&clinic.key, &path).await;
        assert_eq!(
            (status, &answer["errors"][0]["pointer"]),
            (400, &json!("/service_type")),
            "{answer}"
        );
        assert_eq!(clinic.tenant.facts_of("appointment.booked").await, [] as [Value; 0]);
    });
}

#[test]
fn an_impossible_move_is_refused_by_its_field() {
    run(async {
        let clinic = Clinic::shared().await;
        let booked = clinic.book(&booking(&anna(), 0)).await;
        let reschedule = format!("{}/reschedule", path(&booked));
        for (body, field, code) in [
            (json!({}), "starts_at", "invalid-field"),
            (json!({ "starts_at": "soon" }), "starts_at", "invalid-field"),
            (json!({ "starts_at": "2001-01-01T09:00:00Z" }), "starts_at", "past"),
            (
                json!({ "starts_at": at(60), "duration_minutes": 0 }),
                "duration_minutes",
                "invalid-field",
            ),
            (json!({ "starts_at": at(60), "resource": "chair-9" }), "resource", "unknown-resource"),
            (json!({ "starts_at": at(60), "status": "completed" }), "status", "unknown-field"),
        ] {
            let refused = clinic.refused(&reschedule, &body, 422, code).await;
            assert_eq!(refused["errors"][0]["pointer"], format!("/{field}"), "{body}");
        }
        let cancel = format!("{}/cancel", path(&booked));
        clinic.refused(&cancel, &json!({ "reason": "none" }), 422, "unknown-field").await;
        clinic.tenant.settle().await;
        assert_eq!(without_position(clinic.get(&path(&booked)).await), booked);
    });
}

#[test]
fn a_name_in_any_script_is_kept_as_given() {
    run(async {
        let clinic = Clinic::shared().await;
        for (nth, name) in ["Zoë O'Neil-Groß", "נועה לוי", "سارة", "李小龍"].into_iter().enumerate()
        {
            let phone = format!("+1555010014{nth}");
            let minutes = 60 * i64::try_from(nth).expect("small");
            let booked = clinic.book(&booking(&person(name, &phone), minutes)).await;
            assert_eq!(booked["customer"]["name"], name);
        }
        let mut unnumbered = booking(&json!({ "name": "Dora Example" }), 300);
        unnumbered["contact"]["email"] = json!("dora@example.com");
        clinic.book(&unnumbered).await;
        clinic.book(&booking(&json!({ "name": "Walk In" }), 360)).await;
    });
}
