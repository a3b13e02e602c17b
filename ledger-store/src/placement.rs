//! Placements: each tenant belongs to one, and the tenants of one placement share a database.
//!
//! There is one placement today. Code that spans tenants is written per placement: append workers,
//! calls of `ledger.append`, commit notifications and projection engines. A further placement then
//! adds pools and a directory of tenants, and changes none of these.

use std::hash::{DefaultHasher, Hash, Hasher};

use ledger_core::ids::TenantId;

/// A group of tenants whose logs and read models are in one database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Placement(usize);

impl Placement {
    /// Returns the index of the placement, from 0.
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }
}

/// The placements of an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placements(usize);

/// Tenants of two placements where one was required.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an append carries tenants of two placements")]
pub struct MixedPlacements;

impl Placements {
    /// The placements of this build: one.
    pub const CURRENT: Self = Self(1);

    /// Returns every placement, in order.
    pub fn all(self) -> impl Iterator<Item = Placement> {
        (0..self.0).map(Placement)
    }

    /// Returns the placement of a tenant.
    #[must_use]
    pub fn of(self, tenant_id: TenantId) -> Placement {
        if self.0 == 1 {
            return Placement(0);
        }
        let mut hasher = DefaultHasher::new();
        tenant_id.hash(&mut hasher);
        let number = hasher.finish() % self.0 as u64;
        Placement(usize::try_from(number).unwrap_or(0))
    }

    /// Returns the placement that all of these tenants share; `None` if there is no tenant.
    ///
    /// # Errors
    /// [`MixedPlacements`] if they do not share one.
    pub fn common(
        self,
        tenants: impl IntoIterator<Item = TenantId>,
    ) -> Result<Option<Placement>, MixedPlacements> {
        let mut tenants = tenants.into_iter().map(|tenant_id| self.of(tenant_id));
        let first = tenants.next();
        if tenants.all(|one| Some(one) == first) { Ok(first) } else { Err(MixedPlacements) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use uuid::Uuid;

    use super::*;

    fn tenants() -> Vec<TenantId> {
        (0..64).map(|number| TenantId(Uuid::from_u128(number))).collect()
    }

    #[test]
    fn tenants_of_two_placements_are_refused_in_one_append() {
        let two = Placements(2);
        assert_eq!(two.common(tenants()), Err(MixedPlacements));
        for placement in two.all() {
            let of_one = tenants().into_iter().filter(|one| two.of(*one) == placement);
            assert_eq!(two.common(of_one), Ok(Some(placement)));
        }
        assert_eq!(two.common([]), Ok(None));
    }

    #[test]
    fn every_tenant_has_one_placement_of_those_that_exist() {
        for placements in [Placements(1), Placements(3)] {
            let all: HashSet<Placement> = placements.all().collect();
            let used: HashSet<Placement> =
                tenants().iter().map(|one| placements.of(*one)).collect();
            assert_eq!(used, all);
        }
    }
}
