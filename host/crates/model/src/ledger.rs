//! What became of the records of one stream, and whether these were all.
//!
//! A service that counts its records is asked before a stream is read and, where the answer differs from what was read, once
//! more after. Records come and go meanwhile, so what was read is complete if it lies between the two.
//! This decides nothing of what follows, and does not ask.

/// What became of the records of one stream, each a number of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ledger {
    /// What the service counted when the reading began; `None` where it does not count such a stream, or gave no answer.
    pub before: Option<u64>,
    /// What it counted when the reading was over; `None` also where nobody had to ask.
    pub after: Option<u64>,
    /// Read, each once.
    pub read: u64,
    /// Filtered out by transforms.
    pub dropped: u64,
    /// Rejected by transforms.
    pub rejected: u64,
    /// Passed all transforms.
    pub written: u64,
}

impl Ledger {
    /// Whether all records were read, as far as counts can tell: as many as before, or any number from the lesser to the
    /// greater of the two counts. `None` where a count is missing that would have to tell.
    pub fn is_complete(&self) -> Option<bool> {
        let before = self.before?;
        if before == self.read {
            return Some(true);
        }
        let after = self.after?;
        Some((before.min(after)..=before.max(after)).contains(&self.read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_complete_between_the_two_counts() {
        for (before, after, read, complete) in [
            (Some(500), None, 500, Some(true)),
            (Some(0), None, 0, Some(true)),
            (Some(500), Some(510), 500, Some(true)),
            (Some(500), Some(510), 505, Some(true)),
            (Some(500), Some(510), 510, Some(true)),
            (Some(500), Some(510), 499, Some(false)),
            (Some(500), Some(510), 511, Some(false)),
            (Some(510), Some(500), 505, Some(true)),
            (Some(510), Some(500), 500, Some(true)),
            (Some(510), Some(500), 511, Some(false)),
            (Some(500), Some(500), 499, Some(false)),
            (Some(u64::MAX), Some(0), 7, Some(true)),
            (Some(500), None, 499, None),
            (None, None, 500, None),
            (None, Some(500), 500, None),
        ] {
            let ledger = Ledger { before, after, read, ..Ledger::default() };
            assert_eq!(ledger.is_complete(), complete, "{ledger:?}");
        }
    }
}
