//! Ids as numbers. HubSpot writes them as texts; they are compared, counted with and kept as the numbers that they are.

/// The number that an id is the only way to write; `None` for any other text.
pub(super) fn number(id: &str) -> Option<u64> {
    let is_canonical = id.bytes().all(|byte| byte.is_ascii_digit()) && (id == "0" || !id.starts_with('0'));
    if is_canonical { id.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_in_one_way() {
        for (id, expected) in [
            ("0", Some(0)),
            ("7", Some(7)),
            ("9007199254740993", Some(9_007_199_254_740_993)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("07", None),
            ("00", None),
            ("+7", None),
            ("7 ", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(number(id), expected, "{id}");
        }
    }
}
