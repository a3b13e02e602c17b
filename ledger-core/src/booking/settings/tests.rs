use serde_json::{Value, json};

use super::*;
use crate::event::{
    BookingRulesSet, Event, HoursSet, RemindersSet, ResourcesSet, ServicesSet, TenantEvent,
};
use crate::settings::{BookingSetting, InvalidSetting, Setting, SettingName};

fn parse(name: &str, value: Value) -> Result<Setting, InvalidSetting> {
    let name = SettingName::parse(name).expect("a name");
    Setting::parse(name, serde_json::from_value(value).expect("an object"))
}

fn hours() -> Value {
    json!({
        "weekdays": {
            "monday": [{ "from": "09:00", "to": "12:30" }, { "from": "13:00", "to": "24:00" }],
            "tuesday": [], "wednesday": [], "thursday": [], "friday": [],
            "saturday": [{ "from": "18:00", "to": "02:00" }], "sunday": [],
        },
        "exceptions": [{ "date": "2026-12-24", "intervals": [] }],
    })
}

fn samples() -> Vec<(&'static str, Value)> {
    vec![
        ("hours", hours()),
        (
            "resources",
            json!({ "resources": [
                { "id": "chair-1", "name": "Example Person", "capacity": 2, "hours": hours() },
                { "id": "chair-2", "name": null, "capacity": 1, "hours": null },
            ]}),
        ),
        (
            "services",
            json!({ "services": [{
                "id": "cut", "name": "Cut", "keywords": ["hair", "trim"], "minutes": 45,
                "buffer_before_minutes": 5, "buffer_after_minutes": 10,
                "price_cents": 4500, "currency": "EUR", "resources": ["chair-1"],
            }]}),
        ),
        (
            "bookings",
            json!({
                "minimum_notice_minutes": 60, "horizon_days": 90, "daily_limit": 8,
                "default_minutes": 20, "step_minutes": 10, "closures": "buffers",
                "requires_confirmation": true,
            }),
        ),
        ("reminders", json!({ "offsets_minutes": [2880, 60] })),
    ]
}

#[test]
fn a_setting_reads_back_as_it_is_written() {
    for (name, value) in samples() {
        assert_eq!(parse(name, value.clone()).expect("a value").to_json(), value);
    }
}

#[test]
fn the_defaults_are_one_resource_always_open_and_half_an_hour() {
    for name in ["hours", "resources", "services", "bookings", "reminders"] {
        let default = parse(name, json!({})).expect("all fields are optional").to_json();
        assert_eq!(parse(name, default.clone()).expect("a value").to_json(), default);
    }
    let defaults = BookingSettings::defaults(chrono_tz::Tz::UTC);
    assert_eq!(defaults.resources.as_slice().len(), 1);
    assert_eq!(
        (defaults.resources.as_slice()[0].capacity, defaults.rules.default_minutes),
        (1, 30)
    );
    assert_eq!(defaults.hours.weekdays, None);
}

#[test]
fn facts_hold_every_value_but_the_names_of_resources() {
    for (name, value) in samples() {
        let Setting::Booking(setting) = parse(name, value).expect("a value") else {
            panic!("{name}")
        };
        let event = match setting.clone() {
            BookingSetting::Hours(hours) => TenantEvent::HoursSet(HoursSet(hours)),
            BookingSetting::Resources(resources) => {
                TenantEvent::ResourcesSet(ResourcesSet { resources })
            }
            BookingSetting::Services(services) => {
                TenantEvent::ServicesSet(ServicesSet { services })
            }
            BookingSetting::Rules(rules) => TenantEvent::BookingRulesSet(BookingRulesSet(rules)),
            BookingSetting::Reminders(reminders) => {
                TenantEvent::RemindersSet(RemindersSet(reminders))
            }
        };
        let facts = event.to_facts();
        assert!(!facts.contains("Example Person"), "{facts}");
        let read = crate::event::upcast::decode(event.event_type(), 1, &facts).expect("facts");
        let Event::Tenant(read) = read else { panic!("{facts}") };
        match (read, setting) {
            (TenantEvent::HoursSet(read), BookingSetting::Hours(hours)) => {
                assert_eq!(read.0, hours);
            }
            (TenantEvent::ResourcesSet(read), BookingSetting::Resources(resources)) => {
                let names = resources.names();
                assert_eq!(read.resources.with_names(&names), resources);
                assert!(!format!("{resources:?} {names:?}").contains("Example Person"));
            }
            (TenantEvent::ServicesSet(read), BookingSetting::Services(services)) => {
                assert_eq!(read.services, services);
            }
            (TenantEvent::BookingRulesSet(read), BookingSetting::Rules(rules)) => {
                assert_eq!(read.0, rules);
            }
            (TenantEvent::RemindersSet(read), BookingSetting::Reminders(reminders)) => {
                assert_eq!(read.0, reminders);
            }
            (read, _) => panic!("{read:?}"),
        }
    }
}

#[test]
fn a_value_that_does_not_fit_is_refused_by_its_pointer() {
    let monday = |intervals: Value| json!({ "weekdays": { "monday": intervals } });
    let one = |field: &str, value: Value| {
        let mut service = json!({ "id": "cut", "minutes": 30 });
        service[field] = value;
        json!({ "services": [service] })
    };
    let priced = |currency: &str| {
        json!({ "services": [
            { "id": "cut", "minutes": 30, "price_cents": 100, "currency": currency }
        ] })
    };
    let chair = |field: &str, value: Value| {
        let mut resource = json!({ "id": "chair" });
        resource[field] = value;
        json!({ "resources": [resource] })
    };
    for (name, value, field) in [
        ("hours", monday(json!([{ "from": "25:00", "to": "26:00" }])), "weekdays/monday/0/from"),
        ("hours", monday(json!([{ "from": "9:00", "to": "17:00" }])), "weekdays/monday/0/from"),
        ("hours", monday(json!([{ "from": "09:00", "to": "09:00" }])), "weekdays/monday/0/to"),
        ("hours", monday(json!([{ "from": "24:00", "to": "02:00" }])), "weekdays/monday/0/to"),
        ("hours", monday(json!([{ "from": "09:00" }])), "weekdays/monday/0/to"),
        (
            "hours",
            monday(json!([{ "from": "09:00", "to": "12:00" }, { "from": "11:00", "to": "13:00" }])),
            "weekdays/monday/1/from",
        ),
        ("hours", monday(json!("always")), "weekdays/monday"),
        ("hours", json!({ "exceptions": [{ "date": "2026-02-30" }] }), "exceptions/0/date"),
        (
            "hours",
            json!({ "exceptions": [{ "date": "2026-02-03" }, { "date": "2026-02-03" }] }),
            "exceptions/1/date",
        ),
        ("resources", json!({ "resources": [] }), "resources"),
        ("resources", json!({ "resources": [{ "id": "a" }, { "id": "a" }] }), "resources/1/id"),
        ("resources", chair("id", json!("Chair 1")), "resources/0/id"),
        ("resources", chair("capacity", json!(0)), "resources/0/capacity"),
        ("resources", chair("capacity", json!(1.5)), "resources/0/capacity"),
        ("resources", chair("name", json!("a\u{202e}b")), "resources/0/name"),
        ("resources", chair("hours", json!({ "weekdays": 7 })), "resources/0/hours/weekdays"),
        ("services", one("minutes", json!(0)), "services/0/minutes"),
        ("services", one("minutes", json!(2400)), "services/0/minutes"),
        ("services", one("buffer_after_minutes", json!(-5)), "services/0/buffer_after_minutes"),
        ("services", one("price_cents", json!(100)), "services/0/price_cents"),
        ("services", one("currency", json!("EUR")), "services/0/currency"),
        ("services", priced("eur"), "services/0/currency"),
        ("services", priced("DEM"), "services/0/currency"),
        ("services", priced("ZZZ"), "services/0/currency"),
        ("services", priced("XXX"), "services/0/currency"),
        ("services", one("keywords", json!(["ok", ""])), "services/0/keywords/1"),
        ("services", one("resources", json!(["No"])), "services/0/resources/0"),
        ("services", json!({ "services": [{ "id": "cut" }] }), "services/0/minutes"),
        ("bookings", json!({ "step_minutes": 1 }), "step_minutes"),
        ("bookings", json!({ "closures": "never" }), "closures"),
        ("bookings", json!({ "requires_confirmation": "yes" }), "requires_confirmation"),
        ("bookings", json!({ "daily_limit": 0 }), "daily_limit"),
    ] {
        let refused = parse(name, value.clone()).expect_err(&value.to_string());
        assert_eq!((refused.field.as_str(), refused.is_unknown), (field, false), "{value}");
    }
}

#[test]
fn an_unknown_field_is_named_where_it_is() {
    for (name, value, field) in [
        ("hours", json!({ "opening": 1 }), "opening"),
        ("hours", json!({ "weekdays": { "funday": [] } }), "weekdays/funday"),
        ("resources", json!({ "resources": [{ "id": "a", "size": 1 }] }), "resources/0/size"),
        (
            "services",
            json!({ "services": [{ "id": "a", "minutes": 1, "Dr. X": 1 }] }),
            "services/0",
        ),
        ("bookings", json!({ "notice": 1 }), "notice"),
    ] {
        let refused = parse(name, value).expect_err("no field");
        assert_eq!((refused.field.as_str(), refused.is_unknown), (field, true));
    }
}

mod change {
    use super::*;
    use crate::aggregate::Aggregate;
    use crate::aggregate::testing::given;
    use crate::booking::settings::change::{BookingSettingsChange, SetBookingSetting};

    fn set(name: &str, value: Value) -> SetBookingSetting {
        let Setting::Booking(setting) = parse(name, value).expect("a value") else {
            panic!("{name}")
        };
        SetBookingSetting { setting, names_differ: false }
    }

    fn history() -> Vec<TenantEvent> {
        let mut history = Vec::new();
        let mut state = crate::booking::settings::change::Values::default();
        for (name, value) in samples() {
            for decided in BookingSettingsChange::decide(&state, &set(name, value)).expect("always")
            {
                BookingSettingsChange::evolve(&mut state, &decided.event);
                history.push(decided.event);
            }
        }
        assert_eq!(state.version, 5);
        history
    }

    #[test]
    fn a_setting_is_recorded_when_it_differs() {
        for (name, value) in samples() {
            let event = history().into_iter().find(|event| {
                let name = if name == "bookings" { "booking_rules" } else { name };
                event.event_type() == format!("tenant.{name}_set")
            });
            let expected = vec![event.expect("it is recorded")];
            // Services take place on resources that there are.
            let before = if name == "services" { vec![history().remove(1)] } else { vec![] };
            given::<BookingSettingsChange>(before)
                .when(set(name, value.clone()))
                .then(Ok(expected));
            given::<BookingSettingsChange>(history()).when(set(name, value)).then(Ok(vec![]));
            given::<BookingSettingsChange>([]).when(set(name, json!({}))).then(Ok(vec![]));
        }
    }

    /// A service on resources of these ids.
    fn on(resources: &Value) -> Value {
        json!({ "services": [{ "id": "cut", "minutes": 30, "resources": resources }] })
    }

    #[test]
    fn services_take_place_on_resources_that_there_are() {
        for (before, resources, field) in [
            (vec![], json!(["main", "chair-1"]), Some("services/0/resources/1")),
            (vec![], json!(["main"]), None),
            (vec![], json!([]), None),
            (history(), json!(["main"]), Some("services/0/resources/0")),
            (history(), json!(["chair-2"]), None),
        ] {
            let state = fold(&before);
            let decided = BookingSettingsChange::decide(&state, &set("services", on(&resources)));
            assert_eq!(decided.err().map(|refused| refused.field).as_deref(), field);
        }
    }

    #[test]
    fn a_resource_stays_while_a_service_takes_place_on_it() {
        let only = |id: &str| set("resources", json!({ "resources": [{ "id": id }] }));
        let state = fold(&history());
        for command in [only("chair-2"), set("resources", json!({}))] {
            let refused = BookingSettingsChange::decide(&state, &command).expect_err("it is used");
            assert_eq!(refused.field, "resources");
            assert!(refused.detail.contains("chair-1") && refused.detail.contains("cut"));
        }
        assert!(BookingSettingsChange::decide(&state, &only("chair-1")).is_ok());
        let mut history = history();
        let free = BookingSettingsChange::decide(&state, &set("services", on(&json!([]))));
        history.extend(free.expect("no resource is named").into_iter().map(|one| one.event));
        assert!(BookingSettingsChange::decide(&fold(&history), &only("chair-2")).is_ok());
    }

    #[test]
    fn services_of_earlier_releases_keep_a_resource_that_there_is_not() {
        let Setting::Booking(BookingSetting::Services(services)) =
            parse("services", on(&json!(["gone"]))).expect("a value")
        else {
            panic!("services")
        };
        let before = vec![TenantEvent::ServicesSet(ServicesSet { services })];
        let state = fold(&before);
        let same = BookingSettingsChange::decide(&state, &set("services", on(&json!(["gone"]))));
        assert!(same.expect("no change").is_empty());
        for (name, value) in [
            ("resources", json!({ "resources": [{ "id": "main" }, { "id": "chair-2" }] })),
            ("bookings", json!({ "daily_limit": 3 })),
        ] {
            let decided = BookingSettingsChange::decide(&state, &set(name, value));
            assert_eq!(decided.expect("it may").len(), 1, "{name}");
        }
    }

    fn fold(history: &[TenantEvent]) -> crate::booking::settings::change::Values {
        let mut state = crate::booking::settings::change::Values::default();
        for event in history {
            BookingSettingsChange::evolve(&mut state, event);
        }
        state
    }

    #[test]
    fn other_names_of_resources_are_recorded() {
        let value = samples()[1].1.clone();
        let command = SetBookingSetting { names_differ: true, ..set("resources", value) };
        let expected = history().remove(1);
        given::<BookingSettingsChange>(history()).when(command).then(Ok(vec![expected]));
    }
}
