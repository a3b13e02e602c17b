//! An altered or moved section is `Corrupt`: no plaintext and no panic.

use super::*;

const NAMES: [SectionName; 4] =
    [SectionName::Party, SectionName::ToolIo, SectionName::Conversation, SectionName::Raw];

fn uuid(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn context(name: SectionName) -> SectionContext<'static> {
    SectionContext {
        tenant_id: TenantId(uuid(1)),
        subject_id: SubjectId(uuid(2)),
        generation: 1,
        event_id: EventId(uuid(3)),
        event_type: "call.ended",
        schema_version: 1,
        name,
    }
}

fn key(byte: u8) -> KeyBytes {
    Zeroizing::new([byte; 32])
}

fn opened(tenant_id: TenantId, section: &[u8]) -> Result<Vec<u8>, Corrupt> {
    open(&key(1), tenant_id, section)
}

/// A section of each name and content; lengths inside and at the end of a cipher block, and all
/// codecs.
fn sections() -> Vec<(SectionContext<'static>, Vec<u8>)> {
    let contents: [&[u8]; 3] = [b"", b"sixteen bytes ..", b"What was said, and by whom."];
    let sealed = |name| contents.map(|text| (context(name), seal(&key(1), &context(name), text)));
    NAMES.into_iter().flat_map(sealed).collect()
}

#[test]
fn every_flipped_byte_is_corrupt() {
    for (context, section) in sections() {
        for nth in 0..section.len() {
            for mask in [0x01, 0x02, 0x10, 0x55, 0x80, 0xff] {
                let mut flipped = section.clone();
                flipped[nth] ^= mask;
                let found = opened(context.tenant_id, &flipped);
                assert_eq!(found, Err(Corrupt), "{:?} byte {nth} mask {mask:#x}", context.name);
            }
        }
    }
}

#[test]
fn a_section_cut_short_or_drawn_out_is_corrupt() {
    for (context, section) in sections() {
        for len in 0..section.len() {
            assert_eq!(opened(context.tenant_id, &section[..len]), Err(Corrupt), "end at {len}");
            assert_eq!(opened(context.tenant_id, &section[len + 1..]), Err(Corrupt), "from {len}");
            let mut without = section.clone();
            without.remove(len);
            assert_eq!(opened(context.tenant_id, &without), Err(Corrupt), "without {len}");
            let mut doubled = section.clone();
            doubled.insert(len, section[len]);
            assert_eq!(opened(context.tenant_id, &doubled), Err(Corrupt), "twice {len}");
        }
        for more in 1..=32 {
            let longer = [section.as_slice(), &vec![0; more]].concat();
            assert_eq!(opened(context.tenant_id, &longer), Err(Corrupt), "{more} more");
        }
    }
}

/// The context with one field changed, for every authenticated field, to values of equal and of
/// other length. The tenant is passed to `open`; the other fields are in the header.
fn moved_contexts(
    context: SectionContext<'static>,
) -> Vec<(&'static str, SectionContext<'static>)> {
    let mut moved = vec![
        ("tenant", SectionContext { tenant_id: TenantId(uuid(9)), ..context }),
        ("no tenant", SectionContext { tenant_id: TenantId::INSTALLATION, ..context }),
        ("subject", SectionContext { subject_id: SubjectId(uuid(9)), ..context }),
        ("later generation", SectionContext { generation: 2, ..context }),
        ("generation of another byte", SectionContext { generation: 1 << 24, ..context }),
        ("event", SectionContext { event_id: EventId(uuid(9)), ..context }),
        (
            "subject and event exchanged",
            SectionContext {
                subject_id: SubjectId(context.event_id.0),
                event_id: EventId(context.subject_id.0),
                ..context
            },
        ),
        ("type of the same length", SectionContext { event_type: "call.begun", ..context }),
        ("shorter type", SectionContext { event_type: "call.ende", ..context }),
        ("longer type", SectionContext { event_type: "call.ended2", ..context }),
        ("no type", SectionContext { event_type: "", ..context }),
        ("schema version", SectionContext { schema_version: 2, ..context }),
        ("schema version of another byte", SectionContext { schema_version: 256, ..context }),
        ("negative schema version", SectionContext { schema_version: -1, ..context }),
    ];
    let other_names = NAMES.into_iter().filter(|name| *name != context.name);
    moved.extend(other_names.map(|name| ("section name", SectionContext { name, ..context })));
    moved
}

#[test]
fn a_section_moved_in_any_field_it_is_bound_to_is_corrupt() {
    for (context, section) in sections() {
        let sealed = Sealed::parse(&section).expect("as it was sealed");
        let codec = sealed.codec;
        let rest = &section[sealed.header_len..];
        let unmoved = [header(&context, codec), rest.to_vec()].concat();
        assert!(opened(context.tenant_id, &unmoved).is_ok(), "the test moves what it means to");
        for (what, moved) in moved_contexts(context) {
            let section = [header(&moved, codec), rest.to_vec()].concat();
            assert_eq!(opened(moved.tenant_id, &section), Err(Corrupt), "{what}");
        }
        for other in (0..=u8::MAX).filter(|other| *other != codec) {
            let section = [header(&context, other), rest.to_vec()].concat();
            assert_eq!(opened(context.tenant_id, &section), Err(Corrupt), "codec {other}");
        }
    }
}

#[test]
fn parts_of_two_sections_under_one_key_make_no_third() {
    let context = context(SectionName::Party);
    let texts: [&[u8]; 2] = [b"What one person said.", b"What a second said ..."];
    let moved_contexts = SectionContext { event_id: EventId(uuid(4)), ..context };
    for other_context in [context, moved_contexts] {
        let one = seal(&key(1), &context, texts[0]);
        let two = seal(&key(1), &other_context, texts[1]);
        let parts = |section: &[u8]| {
            let sealed = Sealed::parse(section).expect("as it was sealed");
            let (header, rest) = section.split_at(sealed.header_len);
            let (salt, rest) = rest.split_at(SALT);
            let (commitment, body) = rest.split_at(COMMITMENT);
            [header, salt, commitment, body].map(<[u8]>::to_vec)
        };
        let (one, two) = (parts(&one), parts(&two));
        for choice in 0..16_u8 {
            let pick = |nth: usize| if choice >> nth & 1 == 0 { &one[nth] } else { &two[nth] };
            let section: Vec<u8> = (0..4).flat_map(|nth| pick(nth).iter().copied()).collect();
            let found = opened(context.tenant_id, &section);
            match choice {
                0 => assert_eq!(found.as_deref(), Ok(texts[0])),
                15 => assert_eq!(found.as_deref(), Ok(texts[1])),
                // Both headers are equal here, so exchanging them changes nothing.
                1 if other_context == context => assert_eq!(found.as_deref(), Ok(texts[0])),
                14 if other_context == context => assert_eq!(found.as_deref(), Ok(texts[1])),
                _ => assert_eq!(found, Err(Corrupt), "{choice:#06b}"),
            }
        }
    }
}

#[test]
fn a_section_opens_under_no_key_but_its_own() {
    for (context, section) in sections() {
        for bit in 0..256 {
            let mut other = key(1);
            other[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&other, context.tenant_id, &section), Err(Corrupt), "bit {bit}");
        }
    }
}

/// Valid encryption of content that its codec cannot decompress; only the holder of the key can
/// make it.
#[test]
fn a_content_that_does_not_decompress_is_corrupt() {
    let context = context(SectionName::Raw);
    let whole = zstd::bulk::compress(&[7; 1_000], 3).expect("it compresses");
    for content in [&b"no zstd"[..], &whole[..whole.len() - 1]] {
        let section = seal_content(&key(1), &context, codec::ZSTD, content, &[0; SALT]);
        assert_eq!(opened(context.tenant_id, &section), Err(Corrupt));
    }
    let section = seal_content(&key(1), &context, 0xee, b"of a later build", &[0; SALT]);
    assert_eq!(opened(context.tenant_id, &section), Err(Corrupt));
}

#[test]
fn a_column_altered_anywhere_gives_nothing_that_was_not_in_it() {
    let sections: Vec<Vec<u8>> = sections().into_iter().map(|(_, section)| section).collect();
    let column = pack(&sections[..3]).expect("there are some");
    let opens = |column: &[u8]| -> Vec<Vec<u8>> {
        let opened = |section: &&[u8]| opened(TenantId(uuid(1)), section).ok();
        unpack(column).into_iter().flatten().filter_map(|section| opened(&section)).collect()
    };
    let plain = opens(&column);
    assert_eq!(plain.len(), 3);
    for nth in 0..column.len() {
        for mask in [0x01, 0x80, 0xff] {
            let mut flipped = column.clone();
            flipped[nth] ^= mask;
            let found = opens(&flipped);
            assert!(found.len() < 3 && found.iter().all(|text| plain.contains(text)), "byte {nth}");
        }
        let cut = opens(&column[..nth]);
        assert!(cut.len() < 3 && cut.iter().all(|text| plain.contains(text)), "cut at {nth}");
    }
}
