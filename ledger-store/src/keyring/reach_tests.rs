//! Key files out of reach: not mounted, without permission to read or write, or on a full volume.

use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Command;

use nix::unistd::{Uid, geteuid, setfsuid};

use super::refusal_tests::{NEW, assert_named, file, is_io, on_disk, root_file, two_tenants};
use super::tests::{ONE, installed, keyring};
use super::*;

const UNPRIVILEGED: u32 = 65_534;

#[tokio::test]
async fn a_keyring_that_is_not_mounted_is_not_begun_anew() {
    let dir = two_tenants().await;
    let (there, away) = (dir.path().join("keyring"), dir.path().join("away"));
    fs::rename(&there, &away).expect("it moves");
    let ring = keyring(dir.path());
    for mounted in ["nothing", "an empty directory", "a new volume", "a file"] {
        match mounted {
            "an empty directory" => fs::create_dir(&there).expect("a directory"),
            "a new volume" => fs::create_dir(there.join("lost+found")).expect("a directory"),
            "a file" => {
                fs::remove_dir_all(&there).expect("ours");
                fs::write(&there, "").expect("a file");
            }
            _ => {}
        }
        let before = on_disk(dir.path());
        for error in [ring.check().await.err(), ring.ensure_tenant(NEW).await.err()] {
            let error = error.unwrap_or_else(|| panic!("{mounted}"));
            assert!(matches!(error, KeyringError::Missing { .. }) || is_io(&error), "{error}");
            assert_named(&error, &file(&dir, TenantId::INSTALLATION, "digest.key"));
        }
        assert_eq!(on_disk(dir.path()), before, "{mounted}");
    }
    fs::remove_file(&there).expect("ours");
    fs::rename(&away, &there).expect("it moves back");
    ring.check().await.expect("sound again without a restart");
}

#[test]
fn a_new_volume_is_a_new_installation() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::create_dir_all(dir.path().join("keyring/lost+found")).expect("a directory");
    keyring(dir.path()).ensure_root().expect("a root key");
}

/// Runs `body` as an unprivileged user, because file modes do not stop the superuser. Only this
/// thread changes.
fn as_unprivileged<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if geteuid().is_root() {
                setfsuid(Uid::from_raw(UNPRIVILEGED));
            }
            body()
        });
        thread.join().expect("it ends")
    })
}

fn block<T>(body: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(body)
}

/// Changes the owner of everything below `path` to the user of [`as_unprivileged`].
fn chown_recursively(path: &Path) {
    if geteuid().is_root() {
        chown(path, Some(UNPRIVILEGED), None).expect("we are root");
    }
    for entry in fs::read_dir(path).into_iter().flatten() {
        chown_recursively(&entry.expect("an entry").path());
    }
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
}

fn denied(error: &KeyringError) -> bool {
    let (KeyringError::Io { source, .. } | KeyringError::Root(RootKeyError::Io { source, .. })) =
        error
    else {
        return false;
    };
    source.kind() == ErrorKind::PermissionDenied
}

#[test]
fn files_and_directories_that_may_not_be_read_or_written_are_refused_by_name() {
    let dir = block(two_tenants());
    chown_recursively(dir.path());
    let one = dir.path().join("keyring").join(ONE.to_string());
    for path in [file(&dir, ONE, "1.tek"), one.clone()] {
        let mode = fs::metadata(&path).expect("it is there").permissions().mode();
        chmod(&path, 0o000);
        let ring = keyring(dir.path());
        let refused = || block(ring.epoch(ONE, 1)).err();
        let error = as_unprivileged(refused).expect("it may not be read");
        assert!(denied(&error), "{error}");
        assert_named(&error, &file(&dir, ONE, "1.tek"));
        chmod(&path, mode);
        as_unprivileged(|| block(ring.epoch(ONE, 1)).map(|_| ())).expect("without a restart");
    }

    let root = root_file(&dir);
    let all = dir.path().join("keyring");
    chmod(&root, 0o000);
    let error =
        as_unprivileged(|| block(keyring(dir.path()).check())).expect_err("it may not be read");
    assert!(denied(&error), "{error}");
    assert_named(&error, &root);
    chmod(&root, 0o640);
    let error =
        as_unprivileged(|| block(keyring(dir.path()).check())).expect_err("others may read it");
    assert!(matches!(error, KeyringError::Root(RootKeyError::TooOpen { .. })), "{error}");
    assert_named(&error, &root);
    chmod(&root, 0o600);

    // With an unreadable directory it is unknown whether keys exist, so no root key is created.
    fs::rename(&root, dir.path().join("kept")).expect("it moves");
    chmod(&all, 0o000);
    let error =
        as_unprivileged(|| keyring(dir.path()).ensure_root()).expect_err("it cannot be told");
    assert!(denied(&error), "{error}");
    assert!(!root.exists());
    fs::rename(dir.path().join("kept"), &root).expect("it moves back");

    chmod(&all, 0o500);
    let before = on_disk(dir.path());
    let refused = || block(keyring(dir.path()).ensure_tenant(NEW)).err();
    let error = as_unprivileged(refused).expect("it may not be written");
    assert!(denied(&error), "{error}");
    assert_named(&error, &all.join(NEW.to_string()));
    assert_eq!(on_disk(dir.path()), before);
    chmod(&all, 0o700);
    as_unprivileged(|| block(keyring(dir.path()).ensure_tenant(NEW)).map(|_| ()))
        .expect("it may now");
}

/// A file system of 32 KB, unmounted on drop.
struct SmallVolume(PathBuf);

impl SmallVolume {
    /// Mounts it; `None` without permission to mount.
    fn mount(at: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=32k", "tmpfs"]).arg(at);
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallVolume {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_volume_is_refused_by_name_and_leaves_no_half_a_key() {
    let dir = tempfile::tempdir().expect("a directory");
    let all = dir.path().join("keyring");
    fs::create_dir(&all).expect("a directory");
    let Some(volume) = SmallVolume::mount(&all) else {
        eprintln!("NOT RUN: a full volume needs a mount, which is not allowed here");
        return;
    };
    let ring = installed(dir.path()).await;
    let ballast = all.join("ballast");
    // The write fails half-way, after filling the volume.
    let filled = fs::write(&ballast, vec![0; 64 << 10]).expect_err("it is full");
    assert_eq!(filled.kind(), ErrorKind::StorageFull);

    let error = ring.ensure_tenant(NEW).await.err().expect("it is full");
    let KeyringError::Io { path, source } = &error else { panic!("{error}") };
    assert_eq!(source.kind(), ErrorKind::StorageFull);
    assert_named(&error, path);
    let files = |dir: &Path| on_disk(dir).into_iter().filter(|(_, (_, bytes))| !bytes.is_empty());
    assert_eq!(files(&all.join(NEW.to_string())).count(), 0, "neither a key nor half of one");
    ring.check().await.expect("what was there is there");

    fs::remove_file(&ballast).expect("ours");
    ring.ensure_tenant(NEW).await.expect("room again, without a restart");
    drop(volume);
}
