//! Against the note of Go's checksum database, which has the same form.

use super::*;

const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n";
const SIGNATURE: &str = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn key() -> NoteKey {
    KEY.parse().expect("a key")
}

#[test]
fn a_note_of_another_implementation_verifies() {
    let note = format!("{TEXT}\n{SIGNATURE}");
    assert_eq!(key().verify(&note), Ok(TEXT));
    assert_eq!(key().to_string(), KEY);
    assert_eq!(first_signer(&note), Ok("PeterNeumann"));
    let signature = STANDARD.decode(SIGNATURE.rsplit(' ').next().expect("base64").trim());
    let signature = signature.expect("base64")[4..].try_into().expect("64 bytes");
    assert_eq!(key().note(TEXT, &signature), note);
}

#[test]
fn signatures_of_other_keys_are_ignored_wherever_they_are() {
    let other = "\u{2014} example.com/log AAAAAAECAwQ=\n";
    let impostor = "\u{2014} PeterNeumann AAAAAAECAwQ=\n";
    for note in [
        format!("{TEXT}\n{other}{SIGNATURE}"),
        format!("{TEXT}\n{SIGNATURE}{other}"),
        format!("{TEXT}\n{impostor}{SIGNATURE}"),
    ] {
        assert_eq!(key().verify(&note), Ok(TEXT), "{note}");
    }
    let unsigned = format!("{TEXT}\n{other}");
    assert_eq!(key().verify(&unsigned), Err(NoteError::UnknownKey("PeterNeumann".into())));
}

#[test]
fn every_changed_missing_or_added_byte_is_refused() {
    let note = format!("{TEXT}\n{SIGNATURE}");
    let is_refused =
        |bytes: &[u8]| std::str::from_utf8(bytes).map_or(true, |note| key().verify(note).is_err());
    assert!(!is_refused(note.as_bytes()));
    for at in 0..note.len() {
        for bit in 0..8 {
            let mut changed = note.clone().into_bytes();
            changed[at] ^= 1 << bit;
            assert!(is_refused(&changed), "bit {bit} of byte {at}");
        }
        let mut shorter = note.clone().into_bytes();
        shorter.remove(at);
        assert!(is_refused(&shorter), "without byte {at}");
        assert!(is_refused(&note.as_bytes()[..at]), "the first {at} bytes");
        let mut longer = note.clone().into_bytes();
        longer.insert(at, b'x');
        assert!(is_refused(&longer), "with a byte at {at}");
    }
}

#[test]
fn texts_of_keys_are_read_with_their_id() {
    assert_eq!("".parse::<NoteKey>(), Err(KeyTextError));
    for changed in [
        KEY.replacen("c74f20a3", "c74f20a4", 1),
        KEY.replacen("PeterNeumann", "PeterNewmann", 1),
        KEY.replacen("+AR", "+AB", 1),
        KEY.replacen("ARpc2Q", "ARpc3Q", 1),
        KEY.replace('+', "-"),
    ] {
        assert_eq!(changed.parse::<NoteKey>(), Err(KeyTextError), "{changed}");
    }
    assert!(NoteKey::new("a b".into(), [0; 32]).is_none());
    assert!(NoteKey::new(String::new(), [0; 32]).is_none());
    let key = NoteKey::of_installation([7; 32]);
    assert_eq!(key.to_string().parse(), Ok(key));
}

#[test]
fn texts_that_are_no_notes_are_refused() {
    for note in [
        "",
        "\n",
        "\n\n",
        "text\n",
        "text\n\n",
        "text\n\nno signature\n",
        "a\r\n\n\u{2014} x AAAAAAA=\n",
    ] {
        assert!(matches!(key().verify(note), Err(NoteError::Malformed(_))), "{note:?}");
    }
    let many = format!("{TEXT}\n{}", SIGNATURE.repeat(MAX_SIGNATURES + 1));
    assert!(matches!(key().verify(&many), Err(NoteError::Malformed(_))));
}
