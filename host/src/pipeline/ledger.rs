//! What a run says of streams whose ledger does not come out even.

use std::fmt;

use sluice_model::ledger::Ledger;

/// A stream of which not as many records were read as the source counts.
#[derive(Debug)]
pub struct Outside<'a> {
    /// The stream.
    pub stream: &'a str,
    /// Its ledger.
    pub ledger: &'a Ledger,
}

impl<'a> Outside<'a> {
    /// What there is to say, if it is outside.
    pub fn of(stream: &'a str, ledger: &'a Ledger) -> Option<Self> {
        (ledger.is_complete() == Some(false)).then_some(Self { stream, ledger })
    }
}

impl fmt::Display for Outside<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ledger { before, after, read, .. } = self.ledger;
        let number =
            |count: &Option<u64>| count.map_or_else(|| "an unknown number".to_owned(), |count| count.to_string());
        write!(
            formatter,
            "{}: {read} records were read, and HubSpot counts {} before and {} after it: records may have been made or removed \
             in the seconds by which its search is late, or the token may see fewer of them than the search counts",
            self.stream,
            number(before),
            number(after),
        )
    }
}
