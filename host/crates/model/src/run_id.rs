//! Run ids: the name of one run in keys, leases, commits and logs.
//!
//! An id is the time at which the run began and a random part, `20261123T201500Z-1a2b3c4d`: ids sort by time as text, so
//! that listings show runs in order and a listing can start in the middle.
//! Two ids of one second differ by their random part. Nothing is decided by the order of ids: clocks differ.

use std::{fmt, str::FromStr};

use jiff::Timestamp;

use crate::printable::printable;

/// The name of one run: `<YYYYMMDD>T<HHMMSS>Z-<8 lower-case hexadecimal digits>`. Ordered by time, as far as clocks agree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(String);

/// The operating system has no randomness to give.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gives no random number for a run id")]
pub struct NoRandomness(#[source] getrandom::Error);

/// A text that is no run id, made printable.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no run id: expected a form like `20261123T201500Z-1a2b3c4d`")]
pub struct NotARunId(String);

/// Characters that are shown of a text that is no run id.
const LONGEST_SHOWN: usize = 80;

impl RunId {
    /// An id for a run that begins at this time, with a random part from the operating system.
    pub fn new(began: Timestamp) -> Result<Self, NoRandomness> {
        let random = getrandom::u32().map_err(NoRandomness)?;
        Ok(Self(format!("{}-{random:08x}", Self::time_part(began))))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the ids of all runs that begin at this second start with; sorts before all ids of later runs.
    pub fn time_part(began: Timestamp) -> String {
        began.strftime("%Y%m%dT%H%M%SZ").to_string()
    }
}

impl FromStr for RunId {
    type Err = NotARunId;

    fn from_str(text: &str) -> Result<Self, NotARunId> {
        let legal = |(index, byte): (usize, u8)| match index {
            8 => byte == b'T',
            15 => byte == b'Z',
            16 => byte == b'-',
            0..15 => byte.is_ascii_digit(),
            17..25 => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            _ => false,
        };
        if text.len() == 25 && text.bytes().enumerate().all(legal) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotARunId(printable(text, LONGEST_SHOWN)))
        }
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_its_time_and_reads_back() {
        let began: Timestamp = "2026-11-23T20:15:00.75Z".parse().unwrap();
        let id = RunId::new(began).unwrap();
        assert!(id.as_str().starts_with("20261123T201500Z-"), "{id}");
        assert_eq!(id.as_str().parse::<RunId>().unwrap(), id);
    }

    #[test]
    fn ids_sort_by_time_and_differ_within_a_second() {
        let earlier: Timestamp = "2026-11-23T20:15:00Z".parse().unwrap();
        let later: Timestamp = "2026-11-23T20:15:01Z".parse().unwrap();
        let first = RunId::new(earlier).unwrap();
        assert_ne!(first, RunId::new(earlier).unwrap());
        assert!(first < RunId::new(later).unwrap());
        assert!(first.as_str() < RunId::time_part(later).as_str());
    }

    #[test]
    fn other_texts_are_refused() {
        for text in
            ["", "20261123T201500Z", "20261123T201500Z-1A2B3C4D", "20261123 201500Z-1a2b3c4d", "../20261123T2015"]
        {
            assert!(text.parse::<RunId>().is_err(), "{text}");
        }
    }
}
