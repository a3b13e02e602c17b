//! The user of the server process: root starts it as another user, all others as themselves.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use ledger_store::embedded::{Cluster, Error, Settings};
use nix::unistd::geteuid;

use super::elsewhere::{ORDINARY, as_ordinary, ordinary_data, start_behind};
use super::{Data, execute};

fn owner(path: &Path) -> u32 {
    fs::metadata(path).unwrap().uid()
}

#[test]
fn an_ordinary_user_runs_the_server_as_themselves_again_and_again() {
    let data = ordinary_data();
    let data_dir = data.dir().join("data");
    for _ in 0..2 {
        let said = start_behind(&as_ordinary(), &data_dir, None);
        assert!(said.starts_with("started, anew"), "{said}");
        let user = if geteuid().is_root() { ORDINARY } else { geteuid().as_raw() };
        assert_eq!(owner(&data_dir.join("pg")), user);
    }
}

#[test]
fn an_ordinary_user_cannot_run_the_server_as_somebody_else() {
    let data = ordinary_data();
    let said = start_behind(&as_ordinary(), &data.dir().join("data"), Some("daemon"));
    assert!(said.starts_with("refused: only root can run PostgreSQL as another user"), "{said}");
    assert!(said.contains("--pg-user daemon"), "{said}");
    assert!(!data.dir().join("data/pg").exists());
}

#[tokio::test]
async fn what_an_ordinary_user_made_root_runs_as_them_and_they_go_on_with_it() {
    if !geteuid().is_root() {
        return; // Only root can run it as another user.
    }
    let data = ordinary_data();
    let data_dir = data.dir().join("data");
    start_behind(&as_ordinary(), &data_dir, None);
    let ours = data.start().await.unwrap();
    execute(&ours, "select 1").await;
    let server = format!("/proc/{}", ours.pid().unwrap());
    assert_eq!(owner(Path::new(&server)), ORDINARY);
    ours.stop().await.unwrap();
    let said = start_behind(&as_ordinary(), &data_dir, None);
    assert!(said.starts_with("started, anew"), "{said}");
}

#[tokio::test]
async fn data_of_somebody_else_is_refused_by_name_and_left_alone() {
    if !geteuid().is_root() {
        return; // Only root can create data of another user.
    }
    let data = Data::new();
    let data_dir = data.dir().join("data");
    let ours = data.start().await.unwrap();
    // Neither adopted nor started: the ordinary user cannot even open the lock.
    let said = start_behind(&as_ordinary(), &data_dir, None);
    assert!(said.starts_with("refused: cannot open"), "{said}");
    assert!(said.contains(&*data_dir.to_string_lossy()), "{said}");
    assert!(said.contains("this user owns the data directory"), "{said}");
    execute(&ours, "select 1").await;
    ours.stop().await.unwrap();

    let other = Settings { user: Some("nobody".into()), ..data.settings() };
    let refused = Cluster::start_or_adopt(other).await.unwrap_err();
    assert!(matches!(&refused, Error::WrongOwner { user, .. } if user == "nobody"), "{refused}");
    data.start().await.unwrap().stop().await.unwrap();
}

#[tokio::test]
async fn root_runs_the_server_as_whom_it_names_and_never_as_root() {
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
    assert_eq!(owner(Path::new(&format!("/proc/{}", ours.pid().unwrap()))), ORDINARY);
    ours.stop().await.unwrap();
}

#[test]
fn a_place_an_ordinary_user_cannot_get_to_is_named() {
    if !geteuid().is_root() {
        return; // Only root can create a directory it cannot enter as another user.
    }
    let data = Data::new();
    let closed = data.dir().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let said = start_behind(&as_ordinary(), &closed.join("data"), None);
    assert!(said.starts_with("refused: cannot"), "{said}");
    assert!(said.contains("closed/data") && said.contains("Permission denied"), "{said}");
}
