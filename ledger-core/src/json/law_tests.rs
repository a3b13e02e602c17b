//! Properties of the reader and the writer: a round trip neither loses nor adds anything, and the
//! output is never larger than the input.

use std::borrow::Cow;

use proptest::prelude::*;

use super::Json;

/// Generates any tree, repeated keys included.
fn tree() -> impl Strategy<Value = Json<'static>> {
    let number = "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,5})?";
    let text = prop_oneof![
        any::<String>(),
        Just("\u{0}\u{1f}\"\\/\u{7f}\u{2028}\u{FFFD}\u{10FFFF}".to_owned()),
        "[a-c]{0,2}",
    ];
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        // Numbers borrow their text, so a few short texts are leaked for the duration of the tests.
        number.prop_map(|text| Json::Number(String::leak(text))),
        text.clone().prop_map(|text| Json::String(Cow::Owned(text))),
    ];
    leaf.prop_recursive(8, 64, 8, move |inner| {
        let key = prop_oneof![3 => "[a-c]{0,1}", 1 => text.clone()];
        let field = (key.prop_map(Cow::Owned), inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(Json::Array),
            prop::collection::vec(field, 0..6).prop_map(Json::Object),
        ]
    })
}

/// Writes the same JSON with every character escaped and white space wherever the grammar permits
/// it.
fn spelt_out(value: &Json<'_>) -> String {
    let text = |text: &str| {
        let units = text.encode_utf16().map(|unit| format!("\\u{unit:04X}"));
        format!("\"{}\"", units.collect::<String>())
    };
    match value {
        Json::Null => "null".to_owned(),
        Json::Bool(value) => value.to_string(),
        Json::Number(number) => (*number).to_owned(),
        Json::String(string) => text(string),
        Json::Array(items) => {
            let items: Vec<_> = items.iter().map(spelt_out).collect();
            format!(" [\t{}\r\n]", items.join(" ,\n"))
        }
        Json::Object(fields) => {
            let field = |(key, value): &(Cow<'_, str>, Json<'_>)| {
                format!("{} : {}", text(key), spelt_out(value))
            };
            let fields: Vec<_> = fields.iter().map(field).collect();
            format!("{{ {} }}\n", fields.join("\t,"))
        }
    }
}

/// Returns the number of values in a tree.
fn count(value: &Json<'_>) -> usize {
    match value {
        Json::Array(items) => 1 + items.iter().map(count).sum::<usize>(),
        Json::Object(fields) => 1 + fields.iter().map(|(_, value)| count(value)).sum::<usize>(),
        _ => 1,
    }
}

/// Returns true if every key gives the same value in both trees; the last of repeated keys counts.
fn agree(whole: &Json<'_>, canonical: &Json<'_>) -> bool {
    match (whole, canonical) {
        (Json::Object(fields), Json::Object(_)) => fields.iter().all(|(key, _)| {
            let values = (whole.get(key), canonical.get(key));
            matches!(values, (Some(whole), Some(canonical)) if agree(whole, canonical))
        }),
        (Json::Array(whole), Json::Array(canonical)) => {
            whole.len() == canonical.len()
                && whole.iter().zip(canonical).all(|(whole, canonical)| agree(whole, canonical))
        }
        (whole, canonical) => whole == canonical,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_is_written_reads_as_what_it_was(tree in tree()) {
        let written = tree.to_compact();
        prop_assert_eq!(Json::parse(&written), Ok(tree.clone()));
        let spelt = spelt_out(&tree);
        prop_assert_eq!(Json::parse(spelt.as_bytes()), Ok(tree));
    }

    #[test]
    fn nothing_is_written_larger_than_it_was_read(text in ".{0,80}", tree in tree()) {
        let spelt = spelt_out(&tree);
        for text in [text.as_bytes(), spelt.as_bytes(), &tree.to_compact()] {
            let Ok(read) = Json::parse(text) else { continue };
            prop_assert!(read.to_compact().len() <= text.len());
            prop_assert!(read.to_canonical().len() <= text.len());
            prop_assert!(count(&read) <= text.len());
        }
    }

    #[test]
    fn one_canonical_form_for_every_spelling_and_the_same_key_counts_in_it(tree in tree()) {
        let canonical = tree.to_canonical();
        let read = Json::parse(&canonical).expect("it is JSON");
        prop_assert_eq!(&read.to_canonical(), &canonical);
        prop_assert_eq!(&read.to_compact(), &canonical);
        prop_assert!(agree(&tree, &read));
        let spelt = spelt_out(&tree);
        let respelt = Json::parse(spelt.as_bytes()).expect("it is JSON");
        prop_assert_eq!(&respelt.to_canonical(), &canonical);
        prop_assert_eq!(read.to_value(), tree.to_value());
    }
}
