//! The `after` of list endpoints.
//!
//! HubSpot documents it as opaque. In practice that of records is a number: the lowest id that the next page may begin with,
//! one above the last id of this page, and any number is answered, with the records from there on. Both forms are here, so
//! that a client which computes numbers is tried against an account that does not take them.
//!
//! The opaque form names the last record of the page, in Base64, so that it contains `=`, and with a checksum, so
//! that one that was computed, or taken from another list, is refused. Owners have no other.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::answer::Refusal;
use crate::data::random::{mix, salt};

/// The form of the `after` of records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cursors {
    /// The number of an id, from which on the next page lists: how HubSpot answers.
    #[default]
    Numeric,
    /// What only the server can read: how HubSpot's documentation puts it.
    Opaque,
}

impl Cursors {
    /// The `after` that continues behind the record `id` of `list`.
    pub(super) fn encode(self, list: &str, id: u64) -> String {
        match self {
            Self::Numeric => id.saturating_add(1).to_string(),
            Self::Opaque => encode(list, id),
        }
    }

    /// The id that an `after` of `list` continues behind; `None` for the beginning.
    pub(super) fn decode(self, list: &str, after: &str) -> Result<Option<u64>, Refusal> {
        match self {
            Self::Numeric => {
                let from: u64 = after.parse().map_err(|_| invalid(after))?;
                Ok(from.checked_sub(1))
            }
            Self::Opaque => decode(list, after).map(Some),
        }
    }
}

/// The opaque `after` that continues behind the record `id` of `list`.
pub(super) fn encode(list: &str, id: u64) -> String {
    BASE64.encode(format!("{id}.{:08x}", checksum(list, id)))
}

/// The id that an opaque `after` of `list` continues behind.
pub(super) fn decode(list: &str, after: &str) -> Result<u64, Refusal> {
    let read = || {
        let text = String::from_utf8(BASE64.decode(after).ok()?).ok()?;
        let id: u64 = text.split_once('.')?.0.parse().ok()?;
        (encode(list, id) == after).then_some(id)
    };
    read().ok_or_else(|| invalid(after))
}

fn invalid(after: &str) -> Refusal {
    Refusal::Invalid(format!("Invalid paging token: {after}"))
}

fn checksum(list: &str, id: u64) -> u32 {
    (mix(salt(list) ^ id) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_works_for_its_own_list_only() {
        let after = encode("contacts", 151);
        assert_eq!(decode("contacts", &after), Ok(151));
        assert!(decode("deals", &after).is_err());
        for forged in ["151", "", "MTUx", "152", "!"] {
            assert!(decode("contacts", forged).is_err(), "{forged}");
        }
    }

    #[test]
    fn a_number_is_where_the_next_page_begins() {
        assert_eq!(Cursors::Numeric.encode("contacts", 151), "152");
        for (after, behind) in
            [("152", Some(151)), ("1", Some(0)), ("0", None), ("18446744073709551615", Some(u64::MAX - 1))]
        {
            assert_eq!(Cursors::Numeric.decode("contacts", after), Ok(behind), "{after}");
        }
        for forged in ["", "-1", "1.5", "MTUx", "18446744073709551616"] {
            assert!(Cursors::Numeric.decode("contacts", forged).is_err(), "{forged}");
        }
    }
}
