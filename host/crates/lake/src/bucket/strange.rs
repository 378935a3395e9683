//! What lies in a bucket under a name that no key of sluice's has, or behind a symbolic link: passed over, and told once.
//!
//! Whoever may write to a bucket chooses what its keys are called. What they choose must neither end a run nor lead it
//! elsewhere; and it must not fill the log of a run either, which lists its lease's folder every few seconds.

use std::{collections::BTreeSet, sync::Mutex};

use sluice_model::printable::printable;

/// How many are told, each by its name; of what comes after that only that there is more.
const MOST_TOLD: usize = 20;
/// How much of a name is shown, in characters.
const LONGEST_SHOWN: usize = 200;

/// What of a bucket has been told already.
#[derive(Debug, Default)]
pub(super) struct Strange {
    told: Mutex<BTreeSet<String>>,
}

impl Strange {
    /// Tells that a name is passed over, and why, unless that has been told.
    pub(super) fn pass_over(&self, name: &str, why: &str) {
        let told = format!("`{}`, {why}", printable(name, LONGEST_SHOWN));
        let Ok(mut all) = self.told.lock() else { return };
        if all.len() > MOST_TOLD || all.contains(&told) {
            return;
        }
        if all.len() < MOST_TOLD {
            tracing::warn!("passed over in the bucket: {told}");
        } else {
            tracing::warn!("there is more in the bucket that is passed over, which is not told any more");
        }
        all.insert(told);
    }

    #[cfg(test)]
    pub(super) fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_once_made_printable_and_not_without_end() {
        let strange = Strange::default();
        for _ in 0..2 {
            strange.pass_over("a\n::error::b", "it is odd");
        }
        assert_eq!(strange.told(), ["`a\\n::error::b`, it is odd"]);
        for number in 0..100 {
            strange.pass_over(&number.to_string(), "it is odd");
        }
        assert_eq!(strange.told().len(), MOST_TOLD + 1);
    }
}
