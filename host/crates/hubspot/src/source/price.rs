//! What reading costs, before anything is read.

use jiff::Timestamp;

use crate::http::Rate;

/// What reading one stream costs, as far as can be known before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// Requests that bring its rows, each sent once, in the account's general limit. Not among them: discovery and the trial
    /// of the stream, searches (which have a limit of their own), and what a stream that is divided costs more, about one
    /// request for each slice.
    pub requests: u64,
    /// Rows that it has now, where they are counted.
    pub rows: Option<u64>,
}

/// What may be asked of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Requests in an interval, after the reserve: what the service has said so far, or what is assumed until it does.
    pub rate: Rate,
    /// Requests in a day, for all apps of the account together; `None` where this identity is not told.
    pub day: Option<Day>,
}

/// A day of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// Requests that it allows.
    pub limit: u64,
    /// Those that have been used up.
    pub used: u64,
    /// When the next day begins, where that is told.
    pub resets: Option<Timestamp>,
}

impl Day {
    /// Requests that are left.
    pub fn left(self) -> u64 {
        self.limit.saturating_sub(self.used)
    }
}
