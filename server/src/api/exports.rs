//! `/v1/exports`: exports of a subject's data for the person, with their files.

pub mod create;
pub mod file;
mod refused;
pub mod show;
