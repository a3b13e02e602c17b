//! Lines that are torn, forged, moved or missing; processes that append at the same time; a full
//! disk.

use std::fs;
use std::path::Path;
use std::process::Command;

use chrono::TimeZone;
use ledger_core::event::{Ground, IdentityCheck, Requester};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;

/// Variable with the directory of [`a_disk_that_fills_up`].
const FULL_DISK: &str = "LEDGER_TESTS_FULL_DISK";

fn journal(dir: &Path) -> Journal {
    Journal::new(dir.join("journal"), dir.join("signing.key"))
}

/// A new journal with a signing key.
fn new() -> (TempDir, Journal) {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = journal(dir.path());
    journal.signing().ensure().expect("a key");
    (dir, journal)
}

fn erasure(tenant: u128, nth: u128) -> JournaledErasure {
    let at = Utc.timestamp_opt(1_796_000_000, 0).single().expect("a time");
    let erasure_id = ErasureId(Uuid::from_u128(nth));
    let subject_id = SubjectId(Uuid::from_u128(nth << 64));
    JournaledErasure {
        tenant_id: TenantId(Uuid::from_u128(tenant)),
        request: ErasureRequested {
            erasure_id,
            subject_id,
            ground: Ground::ConsentWithdrawn,
            requester: Requester::ALL[0],
            identity: IdentityCheck::ALL[0],
            received_at: at,
            due_at: at,
        },
        plan: ErasurePlanned {
            erasure_id,
            parts: Vec::new(),
            subjects: 1,
            keys: 1,
            events: 2,
            ambiguous_calls: 0,
            recipients: 0,
            digest: HexDigest([1; 32]),
        },
        fenced_at: at,
        keys: vec![JournaledKey { subject_id, generation: 1, fingerprint: HexDigest([2; 32]) }],
        position: Position(9),
        at,
    }
}

/// A journal with three entries, and its bytes.
fn three() -> (TempDir, Journal, Vec<u8>) {
    let (dir, journal) = new();
    for nth in 1..=3 {
        journal.append_now(&erasure(1, nth)).expect("appended");
    }
    let bytes = fs::read(journal.path()).expect("our file");
    (dir, journal, bytes)
}

/// Number of entries as a new process finds them, or the line that is not valid.
fn found(dir: &Path) -> Result<u64, u64> {
    let journal = journal(dir);
    let mut known = journal.lock();
    match journal.look(&mut known) {
        Ok(()) => Ok(known.head().map_or(0, |head| head.entry)),
        Err(JournalError::Invalid { line, .. }) => Err(line),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn entries_are_read_back_by_another_process_and_appended_once() {
    let (dir, first) = new();
    assert_eq!(found(dir.path()), Ok(0));
    for nth in 1..=3 {
        let entry = first.append_now(&erasure(1, nth)).expect("appended");
        assert_eq!(
            (entry.entry, &entry.erasure),
            (u64::try_from(nth).expect("few"), &erasure(1, nth))
        );
    }
    let before = fs::read(first.path()).expect("our file");
    let second = journal(dir.path());
    let mut later = erasure(1, 2);
    later.position = Position(10);
    let again = second.append_now(&later).expect("it is there");
    assert_eq!((again.entry, again.erasure), (2, erasure(1, 2)), "as it was journaled first");
    assert_eq!(fs::read(first.path()).expect("our file"), before);
    // The same erasure id of another tenant is another erasure.
    assert_eq!(second.append_now(&erasure(2, 2)).expect("appended").entry, 4);
    assert_eq!(first.append_now(&erasure(1, 5)).expect("appended").entry, 5);
    let read = first.entries().expect("a key").expect("a file").map(|entry| entry.expect("valid"));
    let read: Vec<_> = read.map(|entry| entry.erasure).collect();
    assert_eq!(read, [erasure(1, 1), erasure(1, 2), erasure(1, 3), erasure(2, 2), erasure(1, 5)]);
}

#[test]
fn a_torn_last_line_is_cut_off_by_the_next_append() {
    let (dir, journal, bytes) = three();
    let second = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').expect("lines");
    for cut in (second + 1..bytes.len()).step_by(29).chain([bytes.len() - 1]) {
        fs::write(journal.path(), &bytes[..cut]).expect("our file");
        assert_eq!(found(dir.path()), Ok(2), "cut at {cut}");
        assert_eq!(journal.append_now(&erasure(1, 3)).expect("appended").entry, 3);
        assert_eq!(fs::read(journal.path()).expect("our file"), bytes, "cut at {cut}");
    }
    // After a loss of power, blocks that were not written are zero.
    let mut zeros = bytes.clone();
    zeros[second + 1..second + 200].fill(0);
    fs::write(journal.path(), &zeros).expect("our file");
    assert_eq!(found(dir.path()), Ok(2));
    assert_eq!(journal.append_now(&erasure(1, 3)).expect("appended").entry, 3);
    assert_eq!(fs::read(journal.path()).expect("our file"), bytes);
}

#[test]
fn every_changed_byte_is_refused_by_its_line_and_nothing_is_written() {
    let (dir, journal, bytes) = three();
    for at in (0..bytes.len() - 1).step_by(7) {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 3);
        let line = bytes[..at].split(|byte| *byte == b'\n').count() as u64;
        fs::write(journal.path(), &changed).expect("our file");
        assert_eq!(found(dir.path()), Err(line), "byte {at}");
        let refused = journal.append_now(&erasure(1, 4));
        assert!(matches!(refused, Err(JournalError::Invalid { .. })), "{refused:?}");
        assert_eq!(fs::read(journal.path()).expect("our file"), changed);
    }
}

#[test]
fn moved_repeated_missing_and_forged_lines_are_refused_by_name() {
    let (dir, journal, bytes) = three();
    let text = String::from_utf8(bytes).expect("JSON");
    let lines: Vec<&str> = text.lines().collect();
    let (_other_dir, other, other_bytes) = three();
    let foreign = String::from_utf8(other_bytes).expect("JSON");
    let foreign = foreign.lines().nth(2).expect("a third line");
    drop(other);
    let swapped =
        lines[1].replace(&Uuid::from_u128(1).to_string(), &Uuid::from_u128(2).to_string());
    for (what, file, line) in [
        ("moved", vec![lines[1], lines[0], lines[2]], 1),
        ("moved", vec![lines[0], lines[2], lines[1]], 2),
        ("repeated", vec![lines[0], lines[1], lines[1], lines[2]], 3),
        ("without the first", vec![lines[1], lines[2]], 1),
        ("without the second", vec![lines[0], lines[2]], 2),
        ("of another tenant", vec![lines[0], &swapped, lines[2]], 2),
        ("of another key", vec![lines[0], lines[1], foreign], 3),
        ("empty", vec![lines[0], "", lines[1]], 2),
        ("with a space", vec![lines[0], &lines[1].replace(':', ": "), lines[2]], 2),
    ] {
        fs::write(journal.path(), file.join("\n") + "\n").expect("our file");
        assert_eq!(found(dir.path()), Err(line), "{what}");
        let refused = journal.append_now(&erasure(1, 4));
        assert!(matches!(refused, Err(JournalError::Invalid { .. })), "{what}: {refused:?}");
    }
}

#[test]
fn an_older_copy_is_refused_once_its_end_is_known() {
    let (dir, journal, bytes) = three();
    let end = bytes.iter().position(|byte| *byte == b'\n').expect("a line");
    for older in [&bytes[..=end], &[]] {
        fs::write(journal.path(), older).expect("our file");
        let fresh = super::tests::journal(dir.path());
        fresh.expect(3);
        let refused = fresh.append_now(&erasure(1, 4));
        assert!(matches!(refused, Err(JournalError::Behind { applied: 3, .. })), "{refused:?}");
    }
    assert_eq!(fs::read(journal.path()).expect("our file"), b"");
}

#[test]
fn a_file_that_is_replaced_or_changed_in_place_is_verified_again() {
    let (_dir, journal, bytes) = three();
    let head = |journal: &Journal| {
        let mut known = journal.lock();
        journal.look(&mut known).map(|()| known.head().map(|head| head.entry))
    };
    assert_eq!(head(&journal).expect("valid"), Some(3));
    let mut changed = bytes.clone();
    changed[5] ^= 1;
    fs::write(journal.path(), &changed).expect("our file");
    assert!(matches!(head(&journal), Err(JournalError::Invalid { line: 1, .. })));
    assert!(head(&journal).is_err(), "also by the next look");
    fs::remove_file(journal.path()).expect("our file");
    assert_eq!(head(&journal).expect("no file"), None);
    fs::write(journal.path(), &bytes).expect("our file");
    assert_eq!(head(&journal).expect("valid"), Some(3));
}

#[test]
fn without_its_signing_key_a_journal_is_neither_read_nor_written() {
    let (dir, journal, bytes) = three();
    fs::remove_file(dir.path().join("signing.key")).expect("our file");
    let refused = super::tests::journal(dir.path()).append_now(&erasure(1, 4));
    assert!(
        matches!(refused, Err(JournalError::Signing(SigningKeyError::Missing { .. }))),
        "{refused:?}"
    );
    journal.signing().ensure().expect("another key");
    assert_eq!(found(dir.path()), Err(1));
    assert_eq!(fs::read(journal.path()).expect("our file"), bytes);
}

#[test]
fn appends_of_many_processes_form_one_chain() {
    const PROCESSES: u128 = 4;
    const EACH: u128 = 25;
    let (dir, journal) = new();
    std::thread::scope(|scope| {
        for process in 0..PROCESSES {
            let dir = dir.path();
            scope.spawn(move || {
                // A file that is opened again has locks of its own, as in another process.
                let journal = super::tests::journal(dir);
                for nth in 0..EACH {
                    // Every process appends the erasures of tenant 0, and its own.
                    journal.append_now(&erasure(0, nth)).expect("appended");
                    journal.append_now(&erasure(process + 1, nth)).expect("appended");
                }
            });
        }
    });
    let expected = u64::try_from(EACH + PROCESSES * EACH).expect("a few");
    assert_eq!(found(dir.path()), Ok(expected));
    let entries = journal.entries().expect("a key").expect("a file");
    let mut ids: Vec<_> = entries
        .map(|entry| entry.expect("valid").erasure)
        .map(|erasure| (erasure.tenant_id, erasure.erasure_id()))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len() as u64, expected, "each erasure once");
}

#[test]
fn a_full_disk_accepts_nothing_and_loses_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let script = "mount -t tmpfs -o size=16k tmpfs \"$0\" && exec \"$1\" --ignored --exact \
                  journal::tests::a_disk_that_fills_up";
    let test = std::env::current_exe().expect("a test binary");
    let namespace = ["--user", "--map-root-user", "--mount", "sh", "-c", script];
    let run = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(arguments).arg(dir.path()).arg(&test).env(FULL_DISK, dir.path());
        command.output()
    };
    // As root no user namespace is needed.
    let ran = [&namespace[2..], &namespace].into_iter().filter_map(|arguments| run(arguments).ok());
    let mut outputs = Vec::new();
    for output in ran {
        if output.status.success() {
            let printed = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(printed.contains("1 passed"), "{printed}");
            return;
        }
        outputs.push(String::from_utf8_lossy(&output.stderr).into_owned());
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!printed.contains("FAILED"), "{printed}");
    }
    eprintln!("no file system can be mounted here, so no disk was filled: {outputs:?}");
}

#[test]
#[ignore = "a_full_disk_accepts_nothing_and_loses_nothing runs it on a small disk"]
fn a_disk_that_fills_up() {
    let Some(dir) = std::env::var_os(FULL_DISK) else { return };
    let dir = Path::new(&dir);
    let journal = journal(dir);
    journal.signing().ensure().expect("a key");
    let mut accepted = 0;
    let refused = (1..).find_map(|nth| match journal.append_now(&erasure(1, nth)) {
        Ok(entry) => {
            accepted = entry.entry;
            None
        }
        Err(error) => Some(error),
    });
    let refused = refused.expect("a full disk");
    let JournalError::Io { source, .. } = &refused else { panic!("{refused}") };
    assert_eq!(source.kind(), std::io::ErrorKind::StorageFull, "{refused}");
    assert!(accepted > 2, "{accepted}");
    assert_eq!(found(dir), Ok(accepted), "what was accepted, and nothing of the refused one");
    let bytes = fs::read(journal.path()).expect("our file");
    assert_eq!(bytes.last(), Some(&b'\n'));
    let again = journal.append_now(&erasure(1, 1)).expect("it is there");
    assert_eq!(again.entry, 1);
}
