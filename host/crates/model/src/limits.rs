//! Limits: what a plugin may use up.
//!
//! *Instructions are the budget.* They are counted, so the same call ends the same way on every machine, however busy. The
//! budget of a call grows with the rows and bytes it is given.
//! *Time is the backstop*, at least ten times what the budget takes on a slow machine: it catches what is not counted, and
//! must never fail a good run because the machine is loaded.
//! The sandbox holds plugins to all of it.

use std::time::Duration;

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
    /// Bytes that a call may return, and that all calls of a step for one batch may return together, counted as the host
    /// holds them. Default 64 MiB.
    pub result_bytes: u64,
    /// Log lines that are passed on for each call; further ones are counted. Default 100. All calls of a run
    /// together have a bound beside this one, which is the sandbox's.
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
}
