//! The opaque `after` of list endpoints.
//!
//! It names the last record of the page, in Base64, so that it contains `=`, and with a checksum, so
//! that one that was computed, or taken from another list, is refused.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::answer::Refusal;
use crate::data::random::{mix, salt};

/// The `after` that continues behind the record `id` of `list`.
pub(super) fn encode(list: &str, id: u64) -> String {
    BASE64.encode(format!("{id}.{:08x}", checksum(list, id)))
}

/// The id that an `after` of `list` continues behind.
pub(super) fn decode(list: &str, after: &str) -> Result<u64, Refusal> {
    let read = || {
        let text = String::from_utf8(BASE64.decode(after).ok()?).ok()?;
        let id: u64 = text.split_once('.')?.0.parse().ok()?;
        (encode(list, id) == after).then_some(id)
    };
    read().ok_or_else(|| Refusal::Invalid(format!("Invalid paging token: {after}")))
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
}
