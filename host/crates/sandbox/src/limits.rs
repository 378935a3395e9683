//! How plugins are held to their [`Limits`].
//!
//! *Instructions* are wasmtime's fuel: one for an operator, one for a byte of a bulk copy. They are set anew before each
//! call. *Time* is counted in ticks of the engine's clock.
//! *Memory* is the sum of an instance's linear memories and tables, and of what the host holds for it whatever it does: for its
//! functions and globals, and for its outline. It is refused, not taken away: a guest that asks for more than its limit gets
//! the answer that there is none, and mostly gives up; the limit remembers that it refused, to name the cause.
//! *What comes back* is limited in bytes before it is copied into the host.
//!
//! What instances take together is bounded by the budget that they share ([`MemoryBudget`](crate::MemoryBudget)).

use std::time::Duration;

use sluice_model::limits::Limits;
use wasmtime::{ResourceLimiter, UpdateDeadline};

use super::{
    memory::{BudgetSpent, Share},
    stop::{LOOK, Stop},
};

/// How often the clock moves by which calls are stopped. Fine enough to stop a call soon after its time, coarse enough that
/// an idle program does not notice.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// A time in ticks of the engine's clock, rounded up; the tick that is under way does not count.
fn ticks(time: Duration) -> u64 {
    let ticks = time.as_nanos().div_ceil(TICK.as_nanos()) + 1;
    u64::try_from(ticks).unwrap_or(u64::MAX / 2)
}

/// When the call that is under way ends, finished or not. The engine's clock is given a short stretch of the time at once, so
/// that there is a look at the stop between any two.
#[derive(Debug)]
pub(super) struct Deadline {
    /// Ticks that the call has beside those of the stretch that is under way.
    left: u64,
    stop: Stop,
}

impl Deadline {
    pub(super) fn new(stop: Stop) -> Self {
        Self { left: 0, stop }
    }

    /// Sets the time of the next call; the ticks of its first stretch.
    pub(super) fn begin(&mut self, time: Duration) -> u64 {
        self.left = ticks(time);
        self.stretch()
    }

    /// A stretch is over: whether there is another.
    pub(super) fn passed(&mut self) -> UpdateDeadline {
        if self.left == 0 || self.is_stopping() {
            UpdateDeadline::Interrupt
        } else {
            UpdateDeadline::Continue(self.stretch())
        }
    }

    /// Whether whoever made the engine has to stop.
    pub(super) fn is_stopping(&self) -> bool {
        self.stop.is_now()
    }

    fn stretch(&mut self) -> u64 {
        let stretch = self.left.min(LOOK);
        self.left -= stretch;
        stretch
    }
}

/// Linear memories of one instance. Languages with an interpreter use a few, one for each module they are linked from.
pub(super) const MOST_MEMORIES: usize = 16;
/// Modules that one component is made of. An interpreter with its libraries has some thirty.
const MOST_CORE_INSTANCES: usize = 256;
/// Tables of one instance: as many as modules, at the most.
pub(super) const MOST_TABLES: usize = MOST_CORE_INSTANCES;
/// Entries of all tables of one instance: function pointers, of which a large interpreter has some ten thousand.
pub(super) const MOST_TABLE_ENTRIES: u64 = 1_000_000;

/// Bytes of an entry of a table.
const TABLE_ENTRY: usize = 8;

/// Why a guest was refused memory.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It has all that an instance may have.
    ByItsLimit,
    /// All that share its budget have it all.
    ByTheBudget(BudgetSpent),
}

/// Counts what an instance takes, and refuses what is too much.
#[derive(Debug)]
pub(super) struct Limiter {
    memory: Quota,
    share: Share,
    table_entries: Quota,
}

#[derive(Debug)]
struct Quota {
    most: u64,
    /// What was granted so far. Nothing is ever given back: memories and tables only grow.
    taken: u64,
    refused: bool,
}

impl Quota {
    fn new(most: u64) -> Self {
        Self { most, taken: 0, refused: false }
    }

    /// `maximum` is what the guest declared itself; past it a growth fails whatever is answered here.
    fn grant(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> bool {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return false;
        }
        let after = self.taken.saturating_add(desired.saturating_sub(current) as u64);
        let granted = after <= self.most;
        if granted {
            self.taken = after;
        } else {
            self.refused = true;
        }
        granted
    }

    /// A growth that was granted and did not happen after all.
    fn give_back(&mut self, current: usize, desired: usize) {
        self.taken -= desired.saturating_sub(current) as u64;
    }
}

impl Limiter {
    pub(super) fn new(limits: &Limits, share: Share) -> Self {
        Self { memory: Quota::new(limits.memory), share, table_entries: Quota::new(MOST_TABLE_ENTRIES) }
    }

    /// Whether the host may hold so many bytes more for the instance.
    pub(super) fn hold(&mut self, bytes: u64) -> bool {
        self.take(0, usize::try_from(bytes).unwrap_or(usize::MAX), None)
    }

    fn take(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> bool {
        let granted = self.memory.grant(current, desired, maximum);
        if granted && !self.share.take(desired.saturating_sub(current) as u64) {
            self.memory.give_back(current, desired);
            return false;
        }
        granted
    }

    /// What the guest was refused since this was last asked, if anything.
    pub(super) fn take_refused(&mut self) -> Option<Refused> {
        let memory = std::mem::take(&mut self.memory.refused);
        let table_entries = std::mem::take(&mut self.table_entries.refused);
        let own = (memory || table_entries).then_some(Refused::ByItsLimit);
        self.share.take_refused().map(Refused::ByTheBudget).or(own)
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.take(current, desired, maximum))
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let granted = self.table_entries.grant(current, desired, maximum);
        if granted && !self.take(current.saturating_mul(TABLE_ENTRY), desired.saturating_mul(TABLE_ENTRY), None) {
            self.table_entries.give_back(current, desired);
            return Ok(false);
        }
        Ok(granted)
    }

    fn instances(&self) -> usize {
        MOST_CORE_INSTANCES
    }

    fn tables(&self) -> usize {
        MOST_TABLES
    }

    fn memories(&self) -> usize {
        MOST_MEMORIES
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use super::*;
    use crate::MemoryBudget;

    #[test]
    fn ticks_round_up() {
        assert_eq!(ticks(Duration::ZERO), 1);
        assert_eq!(ticks(TICK), 2);
        assert_eq!(ticks(TICK * 2 + Duration::from_nanos(1)), 4);
        assert_eq!(ticks(Duration::MAX), u64::MAX / 2);
    }

    #[test]
    fn a_call_has_all_of_its_time_in_stretches() {
        let mut deadline = Deadline::new(Stop::never());
        let mut all = deadline.begin(TICK * 12);
        let mut stretches = 1;
        while let UpdateDeadline::Continue(ticks) = deadline.passed() {
            assert!((1..=LOOK).contains(&ticks), "{ticks}");
            all += ticks;
            stretches += 1;
        }
        assert_eq!((all, stretches), (ticks(TICK * 12), 3));
    }

    #[test]
    fn a_stop_ends_it_at_the_next_look() {
        let is_stopping = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&is_stopping);
        let mut deadline = Deadline::new(Stop::asking(move || asked.load(Ordering::SeqCst)));
        deadline.begin(Duration::MAX);
        assert!(matches!(deadline.passed(), UpdateDeadline::Continue(LOOK)));
        is_stopping.store(true, Ordering::SeqCst);
        assert!(matches!(deadline.passed(), UpdateDeadline::Interrupt));
    }

    #[test]
    fn all_memories_of_an_instance_share_one_limit() {
        let share = MemoryBudget::new(200).share(&"test".into());
        let mut limiter = Limiter::new(&Limits { memory: 100, ..Limits::default() }, share);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(!limiter.memory_growing(0, 60, None).unwrap());
        assert_eq!((limiter.take_refused(), limiter.take_refused()), (Some(Refused::ByItsLimit), None));
        assert!(limiter.memory_growing(60, 90, None).unwrap());
        assert!(!limiter.memory_growing(90, 95, Some(92)).unwrap(), "the guest's own bound");
        assert_eq!(limiter.take_refused(), None, "which is no refusal of ours");
        assert!(limiter.memory_growing(0, 10, None).unwrap());
    }

    #[test]
    fn tables_and_what_is_held_beside_count_as_memory() {
        let budget = MemoryBudget::new(3_000);
        let limits = Limits { memory: 2_000, ..Limits::default() };
        let mut limiter = Limiter::new(&limits, budget.share(&"test".into()));
        assert!(limiter.hold(300));
        assert!(limiter.table_growing(0, 200, None).unwrap());
        assert!(!limiter.table_growing(200, 220, None).unwrap());
        assert_eq!(limiter.take_refused(), Some(Refused::ByItsLimit));
        assert!(!limiter.hold(101) && limiter.hold(50) && limiter.memory_growing(0, 50, None).unwrap());
        let mut other = Limiter::new(&limits, budget.share(&"other".into()));
        assert!(!other.table_growing(0, 126, None).unwrap());
        assert!(matches!(other.take_refused(), Some(Refused::ByTheBudget(_))));
        assert!(other.table_growing(0, 125, None).unwrap());
        drop(limiter);
        assert!(other.table_growing(0, 125, None).unwrap());
    }

    #[test]
    fn what_the_budget_refuses_is_no_memory_of_the_instance() {
        let budget = MemoryBudget::new(100);
        let mut other = budget.share(&"other".into());
        assert!(other.take(80));
        let mut limiter = Limiter::new(&Limits { memory: 90, ..Limits::default() }, budget.share(&"test".into()));
        assert!(!limiter.memory_growing(0, 30, None).unwrap());
        assert!(matches!(limiter.take_refused(), Some(Refused::ByTheBudget(spent)) if spent.held.len() == 1));
        drop(other);
        assert!(limiter.memory_growing(0, 90, None).unwrap());
    }
}
