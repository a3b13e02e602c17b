//! Golden sections and columns: each is opened, and reproduced byte for byte.

use super::*;
use crate::golden::{Vector, vectors};

fn context(vector: &Vector) -> SectionContext<'_> {
    SectionContext {
        tenant_id: vector.tenant_id(),
        subject_id: vector.subject_id(),
        generation: vector.number("generation"),
        event_id: vector.event_id(),
        event_type: vector.text("event_type"),
        schema_version: vector.number("schema_version"),
        name: SectionName::parse(vector.text("section_name").as_bytes()).expect("a known name"),
    }
}

#[test]
fn golden_sections_open_to_what_was_sealed() {
    for vector in vectors("sections") {
        let name = vector.text("name");
        let section = vector.bytes("section");
        let opened = open(&vector.key("key"), vector.tenant_id(), &section);
        assert_eq!(opened, Ok(vector.bytes("plaintext")), "{name}");
        let sealed = Sealed::parse(&section).expect(name);
        let fields = (sealed.subject_id, sealed.generation, sealed.event_id, sealed.name);
        let SectionContext { subject_id, generation, event_id, name: section_name, .. } =
            context(&vector);
        assert_eq!(fields, (subject_id, generation, event_id, section_name), "{name}");
    }
}

#[test]
fn golden_sections_are_made_again_from_the_same_input() {
    for vector in vectors("sections") {
        let salt = vector.bytes("salt").try_into().expect("32 bytes");
        let codec = vector.number("codec");
        let key = vector.key("key");
        let made = seal_content(&key, &context(&vector), codec, &vector.bytes("content"), &salt);
        let made = hex::encode(made);
        assert_eq!(
            vector.text("section"),
            made,
            "{}: this build makes {made}",
            vector.text("name")
        );
    }
}

/// The output of a compressor may change with its version. Every output ever stored must stay
/// readable, so each codec in use needs a vector.
#[test]
fn every_codec_that_is_written_has_a_golden_section() {
    let known: Vec<u8> = vectors("sections").iter().map(|one| one.number("codec")).collect();
    for plaintext in [&b""[..], b"short", &[b'a'; 10_000]] {
        let (codec, _) = codec::compress(plaintext);
        assert!(known.contains(&codec), "codec {codec}");
    }
}

#[test]
fn golden_columns_come_apart_and_together() {
    for vector in vectors("columns") {
        let sections: Vec<Vec<u8>> = vector
            .value("sections")
            .as_array()
            .expect("a list")
            .iter()
            .map(|section| hex::decode(section.as_str().expect("a text")).expect("hex"))
            .collect();
        let column = vector.bytes("column");
        assert_eq!(pack(&sections).as_ref(), Some(&column));
        assert_eq!(unpack(&column), Ok(sections.iter().map(Vec::as_slice).collect()));
    }
}
