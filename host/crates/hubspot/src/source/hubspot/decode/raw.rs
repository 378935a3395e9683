//! A JSON value as the text it is sent as.
//!
//! HubSpot sends nearly every value as a JSON string, whatever the property's type; where it forgets to, the digits it sent
//! are the value, and not what a 64-bit float makes of them. So a scalar is taken as it stands between its delimiters, and
//! whether it fits a type is for the column to say. A list or an object is its own JSON text: one odd value never costs a
//! page. The JSON is whole Unicode ([`super::super::json::judged`]).

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::http::Undecodable;

/// The text of a value; `None` for `null`.
pub(in crate::source::hubspot) fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    let raw = value.get();
    match raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) if !inner.contains('\\') => Some(Cow::Borrowed(inner)),
        // What has been recognized as a string can be read as one, once it is whole Unicode.
        Some(_) => Some(Cow::Owned(serde_json::from_str(raw).unwrap_or_else(|_| raw.to_owned()))),
        None if raw == "null" => None,
        None => Some(Cow::Borrowed(raw)),
    }
}

/// The longest id, name or position: some go into URLs, and all are kept for as long as a list is read.
const LONGEST_ID: usize = 1024;

/// The text of an id: a string or a number. `None` for anything else.
pub(in crate::source::hubspot) fn id(value: &RawValue) -> Option<Cow<'_, str>> {
    let scalar = value.get().starts_with(|first: char| first == '"' || first.is_ascii_digit());
    text(value).filter(|text| scalar && !text.is_empty() && text.len() <= LONGEST_ID)
}

/// The text of an id that must be there.
pub(in crate::source::hubspot) fn wanted_id<'v>(value: &'v RawValue, what: &str) -> Result<Cow<'v, str>, Undecodable> {
    id(value).ok_or_else(|| Undecodable::Unexpected { what: format!("`{what}` is no string or number, or too long") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_the_text_that_was_sent() {
        for (json, expected) in [
            (r#""a b""#, Some("a b")),
            (r#""""#, Some("")),
            (r#""a \"b\" \u00e9 \ud83d\ude00""#, Some("a \"b\" é 😀")),
            ("null", None),
            ("true", Some("true")),
            ("12345678901234567890123", Some("12345678901234567890123")),
            ("1e400", Some("1e400")),
            (r#"["a",{"b":1}]"#, Some(r#"["a",{"b":1}]"#)),
        ] {
            let value: &RawValue = serde_json::from_str(json).unwrap();
            assert_eq!(text(value).as_deref(), expected, "{json}");
        }
    }

    #[test]
    fn an_id_is_a_string_or_a_number() {
        for (json, expected) in [
            (r#""151""#, Some("151")),
            ("9007199254740993", Some("9007199254740993")),
            (r#""""#, None),
            ("null", None),
            ("true", None),
            ("[1]", None),
        ] {
            let value: &RawValue = serde_json::from_str(json).unwrap();
            assert_eq!(id(value).as_deref(), expected, "{json}");
        }
    }
}
