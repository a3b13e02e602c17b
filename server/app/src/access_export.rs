//! Exports of a subject's data for the person: Articles 15 and 20 of Regulation (EU) 2016/679.
//!
//! The events are selected from the log alone ([`about`]), opened, and written as a zip into a file
//! that is encrypted to a passphrase (`bundle`). Only encrypted bytes reach the disk, and the
//! passphrase is stored nowhere: the process that got it makes the file. See
//! `docs/access-export.md`.

pub mod about;
mod age;
mod bundle;
mod calls;
mod csv;
mod error;
mod events;
mod files;
mod html;
mod make;
mod passphrase;
mod record;
mod request;
mod text;

pub use self::error::AccessExportError;
pub use self::files::ExportFiles;
pub use self::make::{Made, make};
pub use self::passphrase::Passphrase;
pub use self::record::{EXPORT_VERSION, SCHEMA};
pub use self::request::{
    AccessExports, ExportState, ExportStatus, NewExport, Requested, delete_exports_of,
};
