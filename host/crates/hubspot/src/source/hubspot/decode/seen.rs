//! The ids of all records that have come, so that one which comes again is no second row.
//!
//! HubSpot lists records by id, and neither says so nor promises it: a list that shifts while it is read may bring a record
//! again, on the next page or a far one.

use std::collections::HashSet;

use crate::source::hubspot::ids::{Ids, number};

/// All ids so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    all: Ids,
    /// Those of the page that is being decoded: they count once it is kept.
    page_numbers: HashSet<u64>,
    page_others: HashSet<String>,
}

impl Seen {
    /// Begins a page. One that was begun and not kept has never been.
    pub(super) fn begin_page(&mut self) {
        self.page_numbers.clear();
        self.page_others.clear();
    }

    /// Notes a record of the page; says whether it comes for the first time.
    pub(super) fn is_new(&mut self, id: &str) -> bool {
        let is_new_on_page = match number(id) {
            Some(number) => self.page_numbers.insert(number),
            None => self.page_others.insert(id.to_owned()),
        };
        is_new_on_page && !self.all.contains(id)
    }

    /// Keeps the page.
    pub(super) fn keep_page(&mut self) {
        self.all.extend(self.page_numbers.drain(), self.page_others.drain());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_new_once_and_on_a_page_that_is_repeated() {
        let mut seen = Seen::default();
        seen.begin_page();
        let ids = ["7", "07", "18446744073709551615", "18446744073709551616", "x", "", "+7"];
        assert!(ids.iter().all(|id| seen.is_new(id)));
        assert!(!ids.iter().any(|id| seen.is_new(id)), "twice on one page");
        seen.begin_page();
        assert!(ids.iter().all(|id| seen.is_new(id)), "the page was not kept");
        seen.keep_page();
        for page in ["8", "9"] {
            seen.begin_page();
            assert!(seen.is_new(page) && !ids.iter().any(|id| seen.is_new(id)), "on any later page");
            seen.keep_page();
        }
    }
}
