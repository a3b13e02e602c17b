//! Seeded chance: every choice of the demo comes from here, so the same seed tells the same month.

use std::ops::RangeInclusive;

/// A stream of choices that depends on its seed alone.
pub(super) struct Dice(fastrand::Rng);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// Dice of their own for one call, so that a longer story does not change the calls after it.
    pub(super) fn fork(&mut self) -> Self {
        Self(self.0.fork())
    }

    /// True in `percent` of 100 throws.
    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.0.u32(..100) < percent
    }

    /// Any of the numbers in `range`, each as likely.
    pub(super) fn between(&mut self, range: RangeInclusive<i64>) -> i64 {
        self.0.i64(range)
    }

    /// A place in a list of `len` items.
    pub(super) fn index(&mut self, len: usize) -> usize {
        self.0.usize(..len)
    }

    /// One of `items`, each as likely. `items` must not be empty.
    pub(super) fn one<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.index(items.len())]
    }

    /// One of `items`, as likely as its weight. The weights must not all be zero.
    pub(super) fn weighted<T: Copy>(&mut self, items: &[(u32, T)]) -> T {
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

    /// `len` characters of `alphabet`, which is ASCII.
    pub(super) fn word(&mut self, len: usize, alphabet: &[u8]) -> String {
        (0..len).map(|_| char::from(self.one(alphabet))).collect()
    }

    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        self.0.shuffle(items);
    }

    /// 16 random bytes, the matter of an id.
    pub(super) fn bytes(&mut self) -> [u8; 16] {
        self.0.u128(..).to_be_bytes()
    }
}
