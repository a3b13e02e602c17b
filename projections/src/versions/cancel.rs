//! Cancels a version under construction.

use sqlx::PgPool;

use super::catalogue::{State, Version, building, lock};
use super::deletion::{delete_version, drop_schema};
use super::error::VersionError;

/// Deletes the version under construction that [`building`] returns. Returns its number.
///
/// # Errors
/// [`VersionError::NoneBuilding`] if there is none.
pub async fn cancel(owner: &PgPool, name: &str) -> Result<i32, VersionError> {
    let building = building(&mut *owner.acquire().await?, name).await?;
    let none = || VersionError::NoneBuilding { name: name.to_owned() };
    cancel_version(owner, &building.ok_or_else(none)?).await
}

/// Deletes this version. Returns its number.
///
/// # Errors
/// [`VersionError::NoneBuilding`] if it is no longer under construction.
pub async fn cancel_version(owner: &PgPool, version: &Version) -> Result<i32, VersionError> {
    let name = version.name.as_str();
    let mut tx = owner.begin().await?;
    let building = lock(&mut tx, version, &[State::Building]).await?.pop();
    let building = building.ok_or_else(|| VersionError::NoneBuilding { name: name.to_owned() })?;
    delete_version(&mut tx, name, building.version).await?;
    drop_schema(&mut tx, name, building.version).await?;
    tx.commit().await?;
    Ok(building.version)
}
