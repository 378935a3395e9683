//! Limits: what a plugin may use up.
//!
//! *Instructions are the budget.* They are counted (wasmtime's fuel: one for an operator, one for a byte of a bulk copy),
//! so the same call ends the same way on every machine, however busy. The budget of a call grows with the rows and bytes it
//! is given, and is set anew before each call.
//! *Time is the backstop*, at least ten times what the budget takes on a slow machine: it catches what is not counted, and
//! must never fail a good run because the machine is loaded.
//! *Memory* is the sum of an instance's linear memories, and is refused, not taken away: a guest that asks for more than its
//! limit gets the answer that there is none, and mostly gives up; the limit remembers that it refused, to name the cause.
//! *What comes back* is limited in bytes before it is copied into the host.
//!
//! Not limited here: how many instances a run has at once, which is the run's own budget.

use std::time::Duration;

use wasmtime::ResourceLimiter;

/// How often the clock moves by which calls are stopped. Fine enough to stop a call soon after its time, coarse enough that
/// an idle program does not notice.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// What one instance of a plugin may use up. All of it is the caller's to set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory of an instance. Default 256 MiB: room for an interpreter, or a mapping table of a million rows.
    pub memory: u64,
    /// Instructions that every call may use, whatever it is given. Default two thousand million, a second or two: the
    /// regular expressions of a long settings table are compiled in it, and an endless loop is found after it.
    pub fuel_base: u64,
    /// Further instructions for each row. Default 200,000, some ten times what an interpreted language takes for a row.
    pub fuel_per_row: u64,
    /// Further instructions for each byte of the columns, settings or attachments that a call is given. Default 2,000, some
    /// ten times what a list of regular expressions takes for a character.
    pub fuel_per_byte: u64,
    /// The time after which a call is stopped. Default: ten times what its instructions take on a slow machine.
    pub timeout: Option<Duration>,
    /// Bytes that a call may return, counted as the host holds them. Default 64 MiB.
    pub result_bytes: u64,
    /// Log lines that are passed on for each call; further ones are counted. Default 100.
    pub log_lines: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 256 << 20,
            fuel_base: 2_000_000_000,
            fuel_per_row: 200_000,
            fuel_per_byte: 2_000,
            timeout: None,
            result_bytes: 64 << 20,
            log_lines: 100,
        }
    }
}

/// Instructions a second of a small and busy machine: a tenth of what one core of a current one runs of ordinary code.
const SLOW_MACHINE: u64 = 100_000_000;
/// How much longer than a slow machine needs a call may take.
const BACKSTOP: u32 = 10;
/// The least time any call gets by default, so that a tiny budget is not cut by a machine that stands still for a while.
const LEAST_TIMEOUT: Duration = Duration::from_mins(1);

impl Limits {
    /// The instructions of a call that is given so many rows and bytes.
    pub fn fuel(&self, rows: usize, bytes: usize) -> u64 {
        let rows = self.fuel_per_row.saturating_mul(rows as u64);
        let bytes = self.fuel_per_byte.saturating_mul(bytes as u64);
        self.fuel_base.saturating_add(rows).saturating_add(bytes)
    }

    /// The time that a call of so many instructions may take.
    pub fn timeout_of(&self, fuel: u64) -> Duration {
        self.timeout.unwrap_or_else(|| {
            let on_a_slow_machine = Duration::from_secs(fuel / SLOW_MACHINE);
            on_a_slow_machine.saturating_mul(BACKSTOP).max(LEAST_TIMEOUT)
        })
    }
}

/// A time in ticks of the engine's clock, rounded up; the tick that is under way does not count.
pub(super) fn ticks(time: Duration) -> u64 {
    let ticks = time.as_nanos().div_ceil(TICK.as_nanos()) + 1;
    u64::try_from(ticks).unwrap_or(u64::MAX / 2)
}

/// Linear memories of one instance. Languages with an interpreter use a few, one for each module they are linked from.
const MOST_MEMORIES: usize = 16;
/// Modules that one component is made of. An interpreter with its libraries has some thirty.
const MOST_CORE_INSTANCES: usize = 256;
/// Tables of one instance: as many as modules, at the most.
const MOST_TABLES: usize = MOST_CORE_INSTANCES;
/// Entries of all tables of one instance: function pointers, of which a large interpreter has some ten thousand.
const MOST_TABLE_ENTRIES: u64 = 1_000_000;

/// Counts what an instance takes, and refuses what is too much.
#[derive(Debug)]
pub(super) struct Limiter {
    memory: Quota,
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
}

impl Limiter {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { memory: Quota::new(limits.memory), table_entries: Quota::new(MOST_TABLE_ENTRIES) }
    }

    /// Whether the guest was refused memory or table entries since this was last asked.
    pub(super) fn take_refused(&mut self) -> bool {
        let memory = std::mem::take(&mut self.memory.refused);
        let table_entries = std::mem::take(&mut self.table_entries.refused);
        memory || table_entries
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.memory.grant(current, desired, maximum))
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.table_entries.grant(current, desired, maximum))
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
    use super::*;

    #[test]
    fn a_budget_grows_with_rows_and_bytes_and_never_overflows() {
        let limits = Limits { fuel_base: 10, fuel_per_row: 3, fuel_per_byte: 2, ..Limits::default() };
        assert_eq!(limits.fuel(0, 0), 10);
        assert_eq!(limits.fuel(5, 7), 10 + 15 + 14);
        let limits = Limits { fuel_per_row: u64::MAX, ..limits };
        assert_eq!(limits.fuel(2, 2), u64::MAX);
    }

    #[test]
    fn time_is_ten_times_what_the_budget_takes_unless_it_is_set() {
        let limits = Limits::default();
        assert_eq!(limits.timeout_of(SLOW_MACHINE * 30), Duration::from_mins(5));
        assert_eq!(limits.timeout_of(1), LEAST_TIMEOUT);
        let limits = Limits { timeout: Some(Duration::from_secs(2)), ..limits };
        assert_eq!(limits.timeout_of(SLOW_MACHINE * 30), Duration::from_secs(2));
    }

    #[test]
    fn ticks_round_up() {
        assert_eq!(ticks(Duration::ZERO), 1);
        assert_eq!(ticks(TICK), 2);
        assert_eq!(ticks(TICK * 2 + Duration::from_nanos(1)), 4);
        assert_eq!(ticks(Duration::MAX), u64::MAX / 2);
    }

    #[test]
    fn all_memories_of_an_instance_share_one_limit() {
        let mut limiter = Limiter::new(&Limits { memory: 100, ..Limits::default() });
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(!limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.take_refused() && !limiter.take_refused());
        assert!(limiter.memory_growing(60, 90, None).unwrap());
        assert!(!limiter.memory_growing(90, 95, Some(92)).unwrap(), "the guest's own bound");
        assert!(!limiter.take_refused(), "which is no refusal of ours");
        assert!(limiter.memory_growing(0, 10, None).unwrap());
    }
}
