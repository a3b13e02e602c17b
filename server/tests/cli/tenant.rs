//! `tenant update`, `settings show` and `settings set`.

use serde_json::json;

use crate::test_dir::TestDir;

/// Services on a resource that the tenant does not have.
const UNKNOWN_RESOURCE: &str =
    r#"{"services": [{"id": "cut", "minutes": 30, "resources": ["main", "gone"]}]}"#;

#[test]
fn a_profile_and_a_setting_are_changed_and_wrong_values_are_usage_errors() {
    let test_dir = TestDir::new();
    test_dir.json(&["tenant", "create", "--slug", "acme", "--country", "US"]);
    let updated = test_dir.json(&["tenant", "update", "acme", "--name", "Acme Dental"]);
    assert_eq!((&updated["name"], &updated["country"]), (&json!("Acme Dental"), &json!("US")));
    let updated = test_dir.json(&["tenant", "update", "acme", "--country", "none"]);
    assert_eq!((&updated["name"], &updated["country"]), (&json!("Acme Dental"), &json!("")));

    let set = ["settings", "set", "plan", r#"{"calls": 7}"#, "--tenant", "acme"];
    assert_eq!(test_dir.json(&set)["calls"], 7);
    assert_eq!(test_dir.json(&["settings", "show", "plan", "--tenant", "acme"])["calls"], 7);
    assert_eq!(test_dir.json(&["tenant", "plan", "--tenant", "acme"])["calls"], 7);

    for wrong in [
        &["tenant", "update", "acme"][..],
        &["tenant", "update", "acme", "--country", "Atlantis"],
        &["settings", "show", "colours", "--tenant", "acme"],
        &["settings", "set", "plan", "[]", "--tenant", "acme"],
        &["settings", "set", "plan", r#"{"kalls": 7}"#, "--tenant", "acme"],
        &["settings", "set", "services", UNKNOWN_RESOURCE, "--tenant", "acme"],
        &["tenant", "update", "acme", "--name", "Acme\u{202e}"],
        &["tenant", "create", "--slug", "other", "--name", "Acme\u{200b}"],
        &["key", "create", "--tenant", "acme", "--scopes", "read", "--name", "a\u{2066}b"],
        &["source", "create", "--tenant", "acme", "--provider", "vapi", "--name", "a\u{7}b"],
    ] {
        let refused = test_dir.run(wrong);
        assert_eq!(refused.code, 2, "{wrong:?}: {}", refused.stderr);
    }
    assert_eq!(test_dir.json(&["verify"])["ok"], true);
}
