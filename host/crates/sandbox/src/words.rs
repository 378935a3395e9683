//! A plugin's own words, as far as they may be shown.
//!
//! Words are the one thing that leaves the sandbox and is no column, so they are where values could leave unseen. A plugin
//! that reads any marked column has all of them withheld: what remains is that something was said.

use std::fmt;

use sluice_model::printable::printable;

/// Characters of a log line or message that are passed on. A screen line or ten; no place for a table.
const LONGEST: usize = 1_000;

/// A message of a plugin, as far as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Words {
    /// Printable, and cut.
    Said(String),
    /// Withheld: the plugin reads a marked column or attachment.
    Withheld,
}

impl fmt::Display for Words {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said(text) => formatter.write_str(text),
            Self::Withheld => formatter.write_str("(withheld: the plugin reads marked data)"),
        }
    }
}

impl Words {
    /// What may be shown of a text.
    pub(super) fn of(text: &str, withhold: bool) -> Self {
        if withhold { Self::Withheld } else { Self::Said(line(text)) }
    }
}

/// A text as one line that can be shown: printable, and cut.
pub(super) fn line(text: &str) -> String {
    printable(text, LONGEST)
}
