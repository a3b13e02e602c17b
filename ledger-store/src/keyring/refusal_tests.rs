//! Lost, damaged, exchanged or unreachable key files: the error names the file, nothing is created
//! or changed, and the keyring works without a restart once the file is restored.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};

use tempfile::TempDir;

use super::tests::{ONE, TWO, installed, keyring};
use super::*;

pub(super) const NEW: TenantId = TenantId(Uuid::from_u128(9));

/// A keyring of the installation and two tenants, the first of them with a second epoch.
pub(super) async fn two_tenants() -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let ring = installed(dir.path()).await;
    for tenant in [ONE, TWO] {
        ring.ensure_tenant(tenant).await.expect("keys");
    }
    ring.create(ONE, "2.tek").await.expect("a later epoch");
    dir
}

pub(super) fn file(dir: &TempDir, tenant: TenantId, name: &str) -> PathBuf {
    dir.path().join("keyring").join(tenant.to_string()).join(name)
}

pub(super) fn root_file(dir: &TempDir) -> PathBuf {
    dir.path().join("root.key")
}

/// Mode and bytes of every path below a directory.
pub(super) fn on_disk(dir: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        let kind = fs::symlink_metadata(&path).expect("it is there");
        if kind.is_dir() {
            found.extend(on_disk(&path));
        }
        let contents = if kind.is_file() { fs::read(&path).expect("a file") } else { Vec::new() };
        found.insert(path, (kind.permissions().mode(), contents));
    }
    found
}

/// Reads a tenant's key as a new process does.
async fn open(ring: &Keyring, tenant: TenantId, name: &str) -> Result<(), KeyringError> {
    match name {
        "digest.key" => ring.digest_key(tenant).await.map(|_| ()),
        _ => ring.epoch(tenant, 1).await.map(|_| ()),
    }
}

fn is_damaged(error: &KeyringError) -> bool {
    matches!(error, KeyringError::Damaged { .. })
}

pub(super) fn is_io(error: &KeyringError) -> bool {
    matches!(error, KeyringError::Io { .. } | KeyringError::Root(RootKeyError::Io { .. }))
}

/// Asserts that the error names the file and a remedy.
pub(super) fn assert_named(error: &KeyringError, path: &Path) {
    let message = error.to_string();
    assert!(message.contains(path.to_str().expect("a text")), "{message}");
    let advice =
        ["restore", "mount", "put the", "put back", "check the", "point --root-key", "chmod"];
    assert!(advice.iter().any(|advice| message.contains(advice)), "{message}");
}

/// A change to a file, and the error it must cause.
struct Fault {
    what: &'static str,
    apply: fn(&Path),
    is_expected: fn(&KeyringError) -> bool,
}

const FAULTS: &[Fault] = &[
    Fault {
        what: "missing",
        apply: |path| fs::remove_file(path).expect("it was there"),
        is_expected: |error| {
            matches!(
                error,
                KeyringError::Missing { .. } | KeyringError::Root(RootKeyError::Missing { .. })
            )
        },
    },
    Fault { what: "empty", apply: |path| overwrite(path, b""), is_expected: is_unreadable },
    Fault {
        what: "garbage",
        apply: |path| overwrite(path, &[0xa5; 72]),
        is_expected: is_unreadable,
    },
    Fault {
        what: "huge",
        apply: |path| overwrite(path, &vec![b'a'; 1 << 20]),
        is_expected: is_unreadable,
    },
    Fault {
        what: "a directory",
        apply: |path| {
            fs::remove_file(path).expect("it was there");
            fs::create_dir(path).expect("a directory");
        },
        is_expected: is_io,
    },
    Fault {
        what: "a link to itself",
        apply: |path| {
            fs::remove_file(path).expect("it was there");
            symlink(path, path).expect("a link");
        },
        is_expected: is_io,
    },
    Fault {
        what: "a pipe",
        apply: |path| {
            fs::remove_file(path).expect("it was there");
            nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRUSR).expect("a pipe");
        },
        is_expected: is_io,
    },
];

fn is_unreadable(error: &KeyringError) -> bool {
    is_damaged(error) || matches!(error, KeyringError::Root(RootKeyError::Malformed { .. }))
}

/// Overwrites in place, so that owner and mode stay.
fn overwrite(path: &Path, contents: &[u8]) {
    fs::write(path, contents).expect("our own file");
}

/// Restores a file as an operator does from a backup.
fn restore(path: &Path, contents: &[u8]) {
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_dir() => fs::remove_dir(path).expect("it is empty"),
        Ok(_) => fs::remove_file(path).expect("it is ours"),
        Err(_) => {}
    }
    write_new(path, contents).expect("a free name");
}

#[tokio::test]
async fn a_tenants_bad_key_file_is_refused_by_name_left_alone_and_read_again_when_mended() {
    let dir = two_tenants().await;
    for name in ["1.tek", "digest.key"] {
        let path = file(&dir, ONE, name);
        let contents = fs::read(&path).expect("a key file");
        for fault in FAULTS {
            (fault.apply)(&path);
            let before = on_disk(dir.path());
            let ring = keyring(dir.path());
            let error = open(&ring, ONE, name).await.expect_err(fault.what);
            assert!((fault.is_expected)(&error), "{name} {}: {error}", fault.what);
            assert_named(&error, &path);
            if fault.what != "missing" {
                // Set-up could continue here, but the path exists, so nothing is created.
                let set_up = ring.ensure_tenant(ONE).await;
                assert!(set_up.is_err() || name == "digest.key", "{}", fault.what);
            }
            ring.check().await.expect("the others' keys are sound");
            open(&ring, TWO, name).await.expect("another tenant's keys");
            assert_eq!(on_disk(dir.path()), before, "{name} {}", fault.what);
            restore(&path, &contents);
            open(&ring, ONE, name).await.expect("read again without a restart");
        }
    }
}

#[tokio::test]
async fn without_its_first_keys_a_keyring_is_unsound_and_no_tenant_gets_keys() {
    let dir = two_tenants().await;
    let installation = |name| file(&dir, TenantId::INSTALLATION, name);
    for path in [root_file(&dir), installation("1.tek"), installation("digest.key")] {
        let contents = fs::read(&path).expect("a key file");
        let running = keyring(dir.path());
        for fault in FAULTS {
            (fault.apply)(&path);
            let before = on_disk(dir.path());
            for ring in [&running, &keyring(dir.path())] {
                for error in [ring.check().await.err(), ring.ensure_tenant(NEW).await.err()] {
                    let error = error.unwrap_or_else(|| panic!("{}", fault.what));
                    assert!((fault.is_expected)(&error), "{}: {error}", fault.what);
                    assert_named(&error, &path);
                }
                // The result may vary, but no root key is created.
                let _ = ring.ensure_root();
            }
            assert_eq!(on_disk(dir.path()), before, "{}", fault.what);
            restore(&path, &contents);
            running.check().await.expect("sound again without a restart");
        }
    }
    keyring(dir.path()).ensure_tenant(NEW).await.expect("keys, at last");
}

#[tokio::test]
async fn a_key_file_cut_anywhere_or_altered_anywhere_is_refused() {
    let dir = two_tenants().await;
    let path = file(&dir, ONE, "1.tek");
    let contents = fs::read(&path).expect("a key file");
    let refused = async |altered: &[u8]| {
        overwrite(&path, altered);
        keyring(dir.path()).epoch(ONE, 1).await.err().expect("it is altered")
    };
    for len in 0..contents.len() {
        let error = refused(&contents[..len]).await;
        assert!(is_damaged(&error), "cut at {len}: {error}");
    }
    let error = refused(&[contents.as_slice(), b"\0"].concat()).await;
    assert!(is_damaged(&error), "drawn out: {error}");
    for nth in 0..contents.len() {
        for mask in [0x01, 0x80, 0xff] {
            let mut altered = contents.clone();
            altered[nth] ^= mask;
            let error = refused(&altered).await;
            match nth {
                4..12 => {
                    assert!(matches!(error, KeyringError::WrongRootKey { .. }), "{nth}: {error}");
                }
                _ => assert!(is_damaged(&error), "byte {nth}: {error}"),
            }
        }
    }
}

#[tokio::test]
async fn a_root_key_cut_anywhere_or_altered_anywhere_opens_nothing() {
    let dir = two_tenants().await;
    let path = root_file(&dir);
    let contents = fs::read(&path).expect("a root key");
    // The key does not need the line end, so this length is left out.
    for len in 0..contents.len() - 1 {
        overwrite(&path, &contents[..len]);
        let error = keyring(dir.path()).check().await.expect_err("it is cut");
        assert!(
            matches!(error, KeyringError::Root(RootKeyError::Malformed { .. })),
            "cut at {len}: {error}"
        );
    }
    for nth in 0..contents.len() {
        for mask in [0x01, 0x04, 0x80] {
            let mut altered = contents.clone();
            altered[nth] ^= mask;
            overwrite(&path, &altered);
            let error = keyring(dir.path()).check().await.expect_err("it is altered");
            let is_refused = matches!(
                error,
                KeyringError::WrongRootKey { .. }
                    | KeyringError::Root(RootKeyError::Malformed { .. })
            );
            assert!(is_refused, "byte {nth}: {error}");
        }
    }
}

#[tokio::test]
async fn key_files_that_changed_places_do_not_open() {
    let dir = two_tenants().await;
    let places = [
        (ONE, "1.tek"),
        (ONE, "2.tek"),
        (ONE, "digest.key"),
        (TWO, "1.tek"),
        (TWO, "digest.key"),
        (TenantId::INSTALLATION, "1.tek"),
    ];
    let read: Vec<Vec<u8>> = places
        .iter()
        .map(|(tenant, name)| fs::read(file(&dir, *tenant, name)).expect("a file"))
        .collect();
    for (nth, (tenant, name)) in places.iter().enumerate() {
        for (other, contents) in read.iter().enumerate().filter(|(other, _)| *other != nth) {
            overwrite(&file(&dir, *tenant, name), contents);
            let error = keyring(dir.path()).read(*tenant, name).await.expect_err("moved here");
            assert!(is_damaged(&error), "{:?} at {tenant} {name}: {error}", places[other]);
            assert_named(&error, &file(&dir, *tenant, name));
        }
        overwrite(&file(&dir, *tenant, name), &read[nth]);
        keyring(dir.path()).read(*tenant, name).await.expect("in its own place");
    }
}

#[tokio::test]
async fn under_another_root_key_nothing_opens_and_the_right_one_is_seen_without_a_restart() {
    let dir = two_tenants().await;
    let path = root_file(&dir);
    let right = fs::read(&path).expect("a root key");
    let running = keyring(dir.path());
    open(&running, ONE, "1.tek").await.expect("it has read the right one");

    fs::remove_file(&path).expect("it was there");
    FileRootKey::create(&path).expect("another root key");
    let before = on_disk(dir.path());
    let restarted = keyring(dir.path());
    for ring in [&restarted, &running] {
        let error = ring.check().await.expect_err("another root key");
        assert!(matches!(error, KeyringError::WrongRootKey { .. }), "{error}");
        assert_named(&error, &file(&dir, TenantId::INSTALLATION, "digest.key"));
        assert!(ring.ensure_tenant(NEW).await.is_err(), "a keyring of two roots");
        ring.ensure_root().expect("there is one: it makes none");
    }
    for (ring, tenant) in [(&restarted, ONE), (&running, TWO)] {
        let error = ring.epoch(tenant, 1).await.err().expect("another root key");
        assert!(matches!(error, KeyringError::WrongRootKey { .. }), "{error}");
    }
    open(&running, ONE, "1.tek").await.expect("what it has read it keeps for a while");
    assert_eq!(on_disk(dir.path()), before);

    restore(&path, &right);
    for ring in [&restarted, &running] {
        ring.check().await.expect("the right one");
        open(ring, TWO, "1.tek").await.expect("seen without a restart");
        open(ring, TWO, "digest.key").await.expect("seen without a restart");
    }
}
