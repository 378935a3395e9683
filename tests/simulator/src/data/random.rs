//! Hashing in place of randomness.
//!
//! Every choice in the data set is a hash of the seed, the object type, the record and the property,
//! so that any record can be computed alone and always comes out the same.
//! Nothing here is cryptographic.

/// The increment of the sequence: 2^64 divided by the golden ratio, made odd, so that successive
/// states differ in about half their bits.
const GOLDEN_STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// Scatters the bits of `value`: close inputs give unrelated outputs.
pub(crate) const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(GOLDEN_STEP);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// A number for a name (FNV-1a, then mixed), so that each type and property draws its own values.
pub(crate) const fn salt(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let mut hash: u64 = 0xCBF2_9CE4_8422_2325;
    let mut index = 0;
    while index < bytes.len() {
        hash = (hash ^ bytes[index] as u64).wrapping_mul(0x0000_0100_0000_01B3);
        index += 1;
    }
    mix(hash)
}

/// A sequence of choices that follows from one key.
#[derive(Clone, Debug)]
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) const fn new(key: u64) -> Self {
        Self(key)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN_STEP);
        mix(self.0)
    }

    /// A number in `0..bound`; 0 where `bound` is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `low..=high`.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low.wrapping_add(self.below(high.abs_diff(low).saturating_add(1)) as i64)
    }

    /// One of `choices`, which is not empty.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.index(choices)]
    }

    /// The place of one of `choices`, which is not empty.
    pub(crate) fn index<T>(&mut self, choices: &[T]) -> usize {
        self.below(choices.len() as u64) as usize
    }
}
