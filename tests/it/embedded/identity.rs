//! The user of the server process: root starts it as another user, all others as themselves.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use ledger_store::embedded::{Cluster, Error, Settings};
use nix::unistd::geteuid;

use super::separate_process::{UNPRIVILEGED_UID, as_unprivileged, start_behind, unprivileged_data};
use super::{Data, execute};

fn owner(path: &Path) -> u32 {
    fs::metadata(path).unwrap().uid()
}

#[test]
fn an_ordinary_user_can_start_the_server_repeatedly() {
    let data = unprivileged_data();
    let data_dir = data.dir().join("data");
    for _ in 0..2 {
        let printed = start_behind(&as_unprivileged(), &data_dir, None);
        assert!(printed.starts_with("started, anew"), "{printed}");
        let user = if geteuid().is_root() { UNPRIVILEGED_UID } else { geteuid().as_raw() };
        assert_eq!(owner(&data_dir.join("pg")), user);
    }
}

#[test]
fn an_ordinary_user_cannot_run_the_server_as_another_user() {
    let data = unprivileged_data();
    let printed = start_behind(&as_unprivileged(), &data.dir().join("data"), Some("daemon"));
    assert!(
        printed.starts_with("refused: only root can run PostgreSQL as another user"),
        "{printed}"
    );
    assert!(printed.contains("--pg-user daemon"), "{printed}");
    assert!(!data.dir().join("data/pg").exists());
}

#[tokio::test]
async fn root_runs_the_data_of_an_ordinary_user_as_that_user() {
    if !geteuid().is_root() {
        return; // Only root can run it as another user.
    }
    let data = unprivileged_data();
    let data_dir = data.dir().join("data");
    start_behind(&as_unprivileged(), &data_dir, None);
    let ours = data.start().await.unwrap();
    execute(&ours, "select 1").await;
    let server = format!("/proc/{}", ours.pid().unwrap());
    assert_eq!(owner(Path::new(&server)), UNPRIVILEGED_UID);
    ours.stop().await.unwrap();
    let printed = start_behind(&as_unprivileged(), &data_dir, None);
    assert!(printed.starts_with("started, anew"), "{printed}");
}

#[tokio::test]
async fn data_of_another_user_is_refused_with_its_path_and_not_changed() {
    if !geteuid().is_root() {
        return; // Only root can create data of another user.
    }
    let data = Data::new();
    let data_dir = data.dir().join("data");
    let ours = data.start().await.unwrap();
    // Neither adopted nor started: the ordinary user cannot even open the lock.
    let printed = start_behind(&as_unprivileged(), &data_dir, None);
    assert!(printed.starts_with("refused: cannot open"), "{printed}");
    assert!(printed.contains(&*data_dir.to_string_lossy()), "{printed}");
    assert!(printed.contains("this user owns the data directory"), "{printed}");
    execute(&ours, "select 1").await;
    ours.stop().await.unwrap();

    let other = Settings { user: Some("nobody".into()), ..data.settings() };
    let refused = Cluster::start_or_adopt(other).await.unwrap_err();
    assert!(matches!(&refused, Error::WrongOwner { user, .. } if user == "nobody"), "{refused}");
    data.start().await.unwrap().stop().await.unwrap();
}

#[tokio::test]
async fn root_runs_the_server_as_the_configured_user_and_never_as_root() {
    if !geteuid().is_root() {
        return; // Only root can choose the server user.
    }
    let data = Data::new();
    for name in ["root", "nobody-of-this-name"] {
        let named = Settings { user: Some(name.into()), ..data.settings() };
        let refused = Cluster::start_or_adopt(named).await.unwrap_err();
        assert!(matches!(&refused, Error::NoServerUser { tried } if tried == name), "{refused}");
        assert!(refused.to_string().contains("--pg-user"), "{refused}");
    }
    let named = Settings { user: Some("nobody".into()), ..data.settings() };
    let ours = Cluster::start_or_adopt(named).await.unwrap();
    assert_eq!(owner(Path::new(&format!("/proc/{}", ours.pid().unwrap()))), UNPRIVILEGED_UID);
    ours.stop().await.unwrap();
}

#[test]
fn a_directory_the_user_cannot_enter_is_named() {
    if !geteuid().is_root() {
        return; // Only root can create a directory it cannot enter as another user.
    }
    let data = Data::new();
    let closed = data.dir().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let printed = start_behind(&as_unprivileged(), &closed.join("data"), None);
    assert!(printed.starts_with("refused: cannot"), "{printed}");
    assert!(printed.contains("closed/data") && printed.contains("Permission denied"), "{printed}");
}
