//! One budget for the memory of many instances.
//!
//! Every instance has a limit of its own ([`Limits::memory`](crate::Limits)), and all that share a budget have that, too: each
//! is charged for its memory as it grows, and gives all of it back when it ends. An instance that would grow past the budget
//! is refused, as by its own limit; who held what at that moment is kept, to be told.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Memory that instances share. Clones are the same budget.
#[derive(Clone)]
pub struct MemoryBudget(Arc<Inner>);

struct Inner {
    most: u64,
    held: Mutex<BTreeMap<Arc<str>, u64>>,
}

/// A budget that was spent: how large it is, and who held how much of it, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetSpent {
    /// The budget.
    pub budget: u64,
    /// Who held it, the largest share first.
    pub held: Vec<(Arc<str>, u64)>,
}

impl MemoryBudget {
    /// A budget of so many bytes.
    pub fn new(most: u64) -> Self {
        Self(Arc::new(Inner { most, held: Mutex::default() }))
    }

    /// A budget that is never spent.
    pub fn unbounded() -> Self {
        Self::new(u64::MAX)
    }

    /// A share that has nothing yet, for an instance of `holder`.
    pub(super) fn share(&self, holder: &Arc<str>) -> Share {
        Share { budget: self.clone(), holder: Arc::clone(holder), taken: 0, refused: None }
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, u64>> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryBudget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MemoryBudget").field("most", &self.0.most).finish_non_exhaustive()
    }
}

/// What one instance has of a budget. It is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Share {
    budget: MemoryBudget,
    holder: Arc<str>,
    taken: u64,
    refused: Option<BudgetSpent>,
}

impl Share {
    /// Whether there were so many bytes more.
    pub(super) fn take(&mut self, bytes: u64) -> bool {
        let mut held = self.budget.held();
        let after = held.values().fold(bytes, |sum, bytes| sum.saturating_add(*bytes));
        if after > self.budget.0.most {
            let mut shares: Vec<_> = held.iter().map(|(holder, bytes)| (Arc::clone(holder), *bytes)).collect();
            shares.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
            self.refused = Some(BudgetSpent { budget: self.budget.0.most, held: shares });
            return false;
        }
        *held.entry(Arc::clone(&self.holder)).or_default() += bytes;
        self.taken += bytes;
        true
    }

    /// What the budget was when it refused this instance something since this was last asked.
    pub(super) fn take_refused(&mut self) -> Option<BudgetSpent> {
        self.refused.take()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.budget.held();
        if let Some(bytes) = held.get_mut(&self.holder) {
            *bytes -= self.taken;
            if *bytes == 0 {
                held.remove(&self.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_charged_as_it_is_used_and_tells_who_has_it() {
        let budget = MemoryBudget::new(100);
        let [scrub, remap] = ["scrub", "remap"].map(Arc::from);
        let mut one = budget.share(&scrub);
        let mut other = budget.share(&scrub);
        let mut third = budget.share(&remap);
        assert!(one.take(30) && other.take(30) && third.take(25));
        assert!(!third.take(16));
        let spent = BudgetSpent { budget: 100, held: vec![(Arc::clone(&scrub), 60), (remap, 25)] };
        assert_eq!((third.take_refused(), third.take_refused()), (Some(spent), None));
        drop(one);
        assert!(third.take(45) && !other.take(1));
        drop((other, third));
        assert!(budget.held().is_empty());
    }
}
