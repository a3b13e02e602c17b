//! Differential test of the phone number parser against Google's own port.
//!
//! `tests/python/phone_corpus.py` writes the corpus; `tests/fixtures/phone/README.md` states the
//! version.

use super::{is_example, is_withheld, parse_phone};

const CORPUS: &[u8] = include_bytes!("../../../tests/fixtures/phone/google-9.0.42.tsv.zst");
const MAX_BYTES: usize = 8 << 20;

struct Case<'a> {
    region: Option<&'a str>,
    text: &'a str,
    e164: &'a str,
    is_valid: bool,
    extension: Option<&'a str>,
}

impl<'a> Case<'a> {
    fn read(line: &'a str) -> Self {
        let fields: Vec<&str> = line.split('\t').collect();
        let [region, text, e164, valid, extension] = fields[..] else { panic!("{line}") };
        let present = |field: &'a str| Some(field).filter(|field| *field != "-");
        Self {
            region: present(region),
            text,
            e164,
            is_valid: valid == "1",
            extension: present(extension),
        }
    }
}

#[test]
fn validity_and_e164_form_agree_with_googles_port() {
    let corpus = zstd::bulk::decompress(CORPUS, MAX_BYTES).expect("a zstd frame");
    let corpus = String::from_utf8(corpus).expect("text");
    let mut lines = corpus.lines();
    assert_eq!(lines.next(), Some("# phonenumbers 9.0.42"));
    let (mut cases, mut differences) = (0, Vec::new());
    for case in lines.map(Case::read) {
        let ours = parse_phone(case.text, case.region);
        let same = match &ours {
            Some(ours) if case.is_valid => {
                ours.e164 == case.e164 && ours.extension.as_deref() == case.extension
            }
            Some(ours) => is_example(&ours.e164) && ours.e164 == case.e164,
            None => !case.is_valid || is_withheld(case.text),
        };
        cases += 1;
        if !same {
            differences.push(format!("{:?} {} {}", case.region, case.text, case.e164));
        }
    }
    assert!(cases >= 20_000, "{cases}");
    assert!(
        differences.is_empty(),
        "{} of {cases}: {:#?}",
        differences.len(),
        &differences[..differences.len().min(40)]
    );
}
