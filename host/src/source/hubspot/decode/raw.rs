//! A JSON value as the text it is sent as.
//!
//! HubSpot sends nearly every value as a JSON string, whatever the property's type; where it forgets to, the digits it sent
//! are the value, and not what a 64-bit float makes of them. So a scalar is taken as it stands between its delimiters, and
//! whether it fits a type is for the column to say. A string that is no Unicode (half of a surrogate pair, which old imports
//! have left) keeps what can be kept of it, and a list or an object is its own JSON text: one odd value never costs a page.

use std::{borrow::Cow, fmt};

use serde::de::{Deserializer as _, Visitor};
use serde_json::value::RawValue;

/// The text of a value; `None` for `null`.
pub(in crate::source::hubspot) fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    let raw = value.get();
    match raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) if !inner.contains('\\') => Some(Cow::Borrowed(inner)),
        Some(_) => Some(Cow::Owned(unescaped(raw))),
        None if raw == "null" => None,
        None => Some(Cow::Borrowed(raw)),
    }
}

/// The text of an id: a string or a number. `None` for anything else.
pub(in crate::source::hubspot) fn id(value: &RawValue) -> Option<Cow<'_, str>> {
    let scalar = value.get().starts_with(|first: char| first == '"' || first.is_ascii_digit());
    text(value).filter(|text| scalar && !text.is_empty())
}

/// A JSON string without its escapes. What is no Unicode becomes U+FFFD.
fn unescaped(raw: &str) -> String {
    struct Lossy;
    impl Visitor<'_> for Lossy {
        type Value = String;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a string")
        }

        // serde_json gives the bytes of a string unchecked to those who ask for bytes.
        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<String, E> {
            Ok(String::from_utf8_lossy(bytes).into_owned())
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(raw);
    // What has been recognized as a value can be read as one; the raw text is what remains if not.
    deserializer.deserialize_bytes(Lossy).unwrap_or_else(|_| raw.to_owned())
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
            (r#""cut \ud83d""#, Some("cut \u{fffd}\u{fffd}\u{fffd}")),
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
