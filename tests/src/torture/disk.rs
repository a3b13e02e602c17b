//! Disks that can be filled and emptied: memory file systems with a size that is reduced to their
//! contents.
//!
//! The mounts are in a private mount namespace of this process, so the kernel removes them with its
//! last process.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::statvfs::statvfs;

/// A memory file system mounted over one directory.
#[derive(Debug)]
pub(super) struct Disk {
    path: PathBuf,
    size: u64,
}

/// Moves this process into a private mount namespace. Must be called before any thread starts;
/// returns `false` without the privilege.
pub(super) fn own_namespace() -> bool {
    let nothing: Option<&str> = None;
    unshare(CloneFlags::CLONE_NEWNS).is_ok()
        && mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing).is_ok()
}

impl Disk {
    /// Mounts an empty disk over an existing directory; contents, owner and mode of the directory
    /// are kept.
    pub(super) fn mount(path: &Path, size: u64) -> std::io::Result<Self> {
        let found = fs::metadata(path)?;
        let aside = path.with_extension("aside");
        fs::create_dir(&aside)?;
        copy(path, &aside)?;
        mount(Some("tmpfs"), path, Some("tmpfs"), MsFlags::empty(), Some(size_of(size).as_str()))?;
        fs::set_permissions(path, fs::Permissions::from_mode(found.mode() & 0o7777))?;
        chown(path, Some(found.uid()), Some(found.gid()))?;
        copy(&aside, path)?;
        fs::remove_dir_all(&aside)?;
        Ok(Self { path: path.to_owned(), size })
    }

    /// Reduces the size to the used blocks, so that the next write fails.
    pub(super) fn fill(&self) -> std::io::Result<()> {
        let disk = statvfs(&self.path)?;
        self.resize((disk.blocks() - disk.blocks_free()) * disk.fragment_size())
    }

    /// Restores the original size.
    pub(super) fn empty(&self) -> std::io::Result<()> {
        self.resize(self.size)
    }

    fn resize(&self, size: u64) -> std::io::Result<()> {
        let nothing: Option<&str> = None;
        let options = size_of(size.max(4_096));
        Ok(mount(nothing, &self.path, nothing, MsFlags::MS_REMOUNT, Some(options.as_str()))?)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = umount2(&self.path, MntFlags::MNT_DETACH);
    }
}

fn size_of(bytes: u64) -> String {
    format!("size={bytes}")
}

/// Copies the contents of a directory with owners and modes.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    let copied = Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status()?;
    if copied.success() { Ok(()) } else { Err(std::io::Error::other("cp -a failed")) }
}
