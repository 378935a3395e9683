//! Lists that come in pages, and that they come to an end.

use std::collections::HashSet;

use serde::Deserialize;

use super::json;

/// Pages without a record, one after the other, before a list is held to be endless. HubSpot may filter the last records of
/// a page away, hardly ever those of several.
const EMPTY_PAGES: u32 = 20;

/// `paging` of any answer that comes in pages.
///
/// What may name a next page and cannot be read is an error: a list must not end by mistake.
#[derive(Debug, Deserialize)]
pub(super) struct Paging {
    next: Option<NextPage>,
}

#[derive(Debug, Deserialize)]
struct NextPage {
    #[serde(default, deserialize_with = "json::id_or_none")]
    after: Option<String>,
}

impl Paging {
    /// Where the next page begins, if there is one.
    pub(super) fn after(paging: Option<Self>) -> Option<String> {
        paging.and_then(|paging| paging.next).and_then(|next| next.after)
    }

    /// The same, of paging that is there.
    pub(super) fn next_page(&self) -> Option<&str> {
        self.next.as_ref()?.after.as_deref()
    }
}

/// How far the reading of a list has come. It remembers where every page began: a position or a record that comes again
/// shows a list that would never end.
#[derive(Debug, Default)]
pub(super) struct Course {
    positions: HashSet<String>,
    first_records: HashSet<String>,
    empty_pages: u32,
}

impl Course {
    /// Notes a page: its first record, and where the next one begins. Says what shows that there is no end, if it does.
    pub(super) fn page(&mut self, first_record: Option<&str>, after: Option<&str>) -> Result<(), &'static str> {
        match first_record {
            None => self.empty_pages += 1,
            Some(id) if !self.first_records.insert(id.to_owned()) => {
                return Err("a page begins with a record that another page has begun with");
            }
            Some(_) => self.empty_pages = 0,
        }
        match after {
            Some(after) if !self.positions.insert(after.to_owned()) => {
                Err("a page names as the next one a page that has been read")
            }
            Some(_) if self.empty_pages >= EMPTY_PAGES => Err("page after page is empty and names a next one"),
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_ends_is_read_to_its_end() {
        let mut course = Course::default();
        for page in 0..1000 {
            assert_eq!(course.page(Some(&page.to_string()), Some(&format!("p{page}"))), Ok(()));
            assert_eq!(course.page(None, Some(&format!("e{page}"))), Ok(()));
        }
        assert_eq!(course.page(None, None), Ok(()));
    }

    #[test]
    fn a_list_that_does_not_end_is_noticed() {
        let mut same = Course::default();
        same.page(Some("1"), Some("a")).unwrap();
        assert!(same.page(Some("2"), Some("a")).is_err());

        let mut circle = Course::default();
        for after in ["a", "b", "c"] {
            circle.page(Some(after), Some(after)).unwrap();
        }
        assert!(circle.page(Some("d"), Some("a")).is_err());

        let mut again = Course::default();
        again.page(Some("1"), Some("a")).unwrap();
        assert!(again.page(Some("1"), Some("b")).is_err());

        let mut empty = Course::default();
        assert!((0..100).any(|page| empty.page(None, Some(&page.to_string())).is_err()));
    }
}
