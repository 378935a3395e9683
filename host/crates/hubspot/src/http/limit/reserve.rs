//! The share of a budget that is left to others: an account's limit is the limit of all its apps.

use std::num::NonZeroU32;

use super::Rate;

/// Shares are kept as whole millionths: a share that was typed as `0.1` is a tenth, whatever the nearest binary fraction is.
const WHOLE: u32 = 1_000_000;

/// A share of what a server allows, from nothing up to, not including, all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserve {
    /// What is left of a million.
    kept: NonZeroU32,
}

impl Reserve {
    /// Nothing is left to others.
    pub const NONE: Self = Self { kept: NonZeroU32::new(WHOLE).unwrap() };

    /// A share of at least 0 and below 1, to a millionth, of which one is always kept. What is no such number is taken for
    /// the nearest that is.
    pub fn of(share: f64) -> Self {
        // The conversion saturates.
        let reserved = (share * f64::from(WHOLE)).round() as u32;
        Self { kept: NonZeroU32::new(WHOLE.saturating_sub(reserved)).unwrap_or(NonZeroU32::MIN) }
    }

    /// What may be used of a rate: rounded down, and at least one request an interval.
    pub(super) fn leaves(self, rate: Rate) -> Rate {
        let left = u64::from(rate.requests.get()) * u64::from(self.kept.get()) / u64::from(WHOLE);
        let left = u32::try_from(left).ok().and_then(NonZeroU32::new);
        Rate { requests: left.unwrap_or(NonZeroU32::MIN), ..rate }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_left_is_rounded_down_and_never_nothing() {
        for (requests, share, expected) in [
            (190, 0.1, 171),
            (5, 0.1, 4),
            (100, 0.07, 93),
            (100, 0.29, 71),
            (100, 0.9, 10),
            (190, 0.0, 190),
            (190, 0.999, 1),
            (1, 0.1, 1),
            (u32::MAX, 0.5, u32::MAX / 2),
        ] {
            let rate = Rate { requests: NonZeroU32::new(requests).unwrap(), interval: Duration::from_secs(10) };
            let left = Reserve::of(share).leaves(rate);
            assert_eq!((left.requests.get(), left.interval), (expected, rate.interval), "{share} of {requests}");
        }
    }

    #[test]
    fn what_is_no_share_is_the_nearest_that_is_one() {
        let least = Reserve { kept: NonZeroU32::MIN };
        for (share, expected) in [(1.0, least), (7.5, least), (0.999_999_9, least), (-0.1, Reserve::NONE)] {
            assert_eq!(Reserve::of(share), expected, "{share}");
        }
    }
}
