//! Seeded random choices. The demo uses no other randomness, so the same seed generates the same
//! traffic.

use std::ops::RangeInclusive;

/// Random number generator that depends on its seed alone.
pub(crate) struct SeededRng(fastrand::Rng);

impl SeededRng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// Returns an independent generator for one call, so that its length does not change later
    /// calls.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.0.fork())
    }

    /// Returns true with a probability of `percent` %.
    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.0.u32(..100) < percent
    }

    /// Returns a number of `range`, uniformly distributed.
    pub(crate) fn between(&mut self, range: RangeInclusive<i64>) -> i64 {
        self.0.i64(range)
    }

    /// Returns an index into a list of `len` items.
    pub(crate) fn index(&mut self, len: usize) -> usize {
        self.0.usize(..len)
    }

    /// Returns one of `items`, uniformly distributed. `items` must not be empty.
    pub(crate) fn one<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.index(items.len())]
    }

    /// Returns one of `items`, distributed by weight. The weights must not all be zero.
    pub(crate) fn weighted<T: Copy>(&mut self, items: &[(u32, T)]) -> T {
        let total: u32 = items.iter().map(|(weight, _)| weight).sum();
        let mut left = self.0.u32(..total);
        for (weight, item) in items {
            if left < *weight {
                return *item;
            }
            left -= weight;
        }
        unreachable!("`left` starts below the sum of the weights")
    }

    /// Returns `len` random characters of `alphabet`, which must be ASCII.
    pub(crate) fn word(&mut self, len: usize, alphabet: &[u8]) -> String {
        (0..len).map(|_| char::from(self.one(alphabet))).collect()
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        self.0.shuffle(items);
    }

    /// Returns 16 random bytes for an id.
    pub(crate) fn bytes(&mut self) -> [u8; 16] {
        self.0.u128(..).to_be_bytes()
    }
}
