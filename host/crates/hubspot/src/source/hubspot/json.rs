//! One reader for all of HubSpot's JSON.
//!
//! What HubSpot sends has grown over twenty years, and old imports show in it: half an emoji in a label, a number where a
//! text belongs, `1.0` for a whole number, `null` for a list. None of it is worth a run. So every answer goes through
//! [`judged`] first, whatever it is read into, and the members of definitions and errors are read by the functions
//! here: a member of another JSON type is what it can be read as, or absent. Only what names a thing (an id, a name) must be
//! there. The values of records have a reader as tolerant ([`super::decode::raw`]).
//!
//! What this does not forgive: a body that is no JSON, which is asked for again, and a list in the place of an object, which
//! is another answer than the one that was asked for.

mod extent;
mod few;

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error as _};
use serde_json::value::RawValue;

pub(super) use self::few::{FewIn, FewOf};
use super::decode::raw;
use crate::http::Undecodable;

/// Elements of a list, at most, where no number was asked for. Accounts have thousands of properties and owners.
pub(super) const LONGEST_LIST: usize = 200_000;

/// Elements of a list, at most, in an answer about so many records that were asked for by id: one may be spoken of twice, or
/// beside another that it was merged into.
pub(super) fn about(asked: usize) -> usize {
    asked.saturating_mul(2)
}

/// Reads an answer in whose lists no more elements may stand than this.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8], most: usize) -> Result<T, Undecodable> {
    Ok(serde_json::from_slice(&judged(bytes, most)?)?)
}

/// An answer as whole Unicode, once it is known to be no more than it may be: what stands before every reader.
pub(super) fn judged(bytes: &[u8], most: usize) -> Result<Cow<'_, [u8]>, Undecodable> {
    extent::judge(bytes, most)?;
    Ok(whole_unicode(bytes))
}

/// The same JSON, with U+FFFD for every half of a surrogate pair that stands alone: such a text is no Unicode, and strict
/// readers refuse the whole document for it; and for every byte that is no UTF-8. Borrowed where there is none, which is nearly always.
fn whole_unicode(bytes: &[u8]) -> Cow<'_, [u8]> {
    const REPLACEMENT: &[u8; 4] = b"fffd";
    let mut mended = match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(_) => Cow::Borrowed(bytes),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    };
    let mut position = 0;
    while let Some(found) = mended.get(position..).and_then(|rest| rest.iter().position(|byte| *byte == b'\\')) {
        let escape = position + found;
        position = escape + 2;
        match code_unit(&mended, escape) {
            Some(0xd800..=0xdbff) if matches!(code_unit(&mended, escape + 6), Some(0xdc00..=0xdfff)) => {
                position = escape + 12;
            }
            Some(0xd800..=0xdfff) => mended.to_mut()[escape + 2..escape + 6].copy_from_slice(REPLACEMENT),
            Some(_) | None => {}
        }
    }
    mended
}

/// The code unit that is written as `\uXXXX` at this place, if one is.
fn code_unit(bytes: &[u8], escape: usize) -> Option<u16> {
    let digits = bytes.get(escape..escape + 6)?.strip_prefix(b"\\u")?;
    let digits =
        std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u16::from_str_radix(digits, 16).ok()
}

/// A text: a string, or the JSON of anything else. `None` for `null`.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(raw::text(&<Box<RawValue>>::deserialize(deserializer)?).map(Cow::into_owned))
}

/// A text where `null` is the empty one.
pub(super) fn text_or_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    text(deserializer).map(Option::unwrap_or_default)
}

/// What names a thing: a string or a number. Anything else is an error.
pub(super) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let value = <Box<RawValue>>::deserialize(deserializer)?;
    raw::id(&value)
        .map(Cow::into_owned)
        .ok_or_else(|| D::Error::custom("no id, expected a string or a number of some length"))
}

/// What names a thing, where it may be absent: `null` and the empty text are nothing, a list or an object is an error.
pub(super) fn id_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let value = <Box<RawValue>>::deserialize(deserializer)?;
    if matches!(value.get(), "null" | r#""""#) {
        return Ok(None);
    }
    let id = raw::id(&value).ok_or_else(|| D::Error::custom("no id, expected a string or a number of some length"))?;
    Ok(Some(id.into_owned()))
}

/// A word that is acted on: a string, and nothing that is merely written like one.
pub(super) fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let value = <Box<RawValue>>::deserialize(deserializer)?;
    Ok(raw::text(&value).filter(|_| value.get().starts_with('"')).map(Cow::into_owned))
}

/// `true` or `false`, as a text too. `None` for anything else.
pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    Ok(text(deserializer)?.and_then(|text| match text.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }))
}

/// A whole number, written with a fraction of zero or as a text too. `None` for anything else.
pub(super) fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(text(deserializer)?.and_then(|text| {
        let digits = text.split_once('.').map_or(text.as_str(), |(whole, fraction)| {
            if fraction.bytes().all(|byte| byte == b'0') { whole } else { "" }
        });
        digits.parse().ok()
    }))
}

/// How many, where nothing and nonsense are none.
pub(super) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    Ok(whole_number(deserializer)?.and_then(|count| usize::try_from(count).ok()).unwrap_or_default())
}

/// Texts: a list of them, or one alone. `null` is none.
pub(super) fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let value = <Box<RawValue>>::deserialize(deserializer)?;
    let elements: Vec<Box<RawValue>> = match serde_json::from_str(value.get()) {
        Ok(elements) => elements,
        Err(_) => vec![value],
    };
    Ok(elements.iter().filter_map(|element| raw::text(element)).map(Cow::into_owned).collect())
}

/// A list; anything else is an empty one. Of its elements each must be readable.
pub(super) fn list<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let value = <Box<RawValue>>::deserialize(deserializer)?;
    if !value.get().starts_with('[') {
        return Ok(Vec::new());
    }
    serde_json::from_str(value.get()).map_err(D::Error::custom)
}

/// A list of things, each its default where it cannot be read as one. `null` is none of them, and anything else one: what may
/// be an error must not go uncounted.
pub(super) fn each_or_default<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let value = <Box<RawValue>>::deserialize(deserializer)?;
    let elements: Vec<Box<RawValue>> = match value.get() {
        "null" => Vec::new(),
        list if list.starts_with('[') => serde_json::from_str(list).map_err(D::Error::custom)?,
        _ => vec![value],
    };
    Ok(elements.iter().map(|element| serde_json::from_str(element.get()).unwrap_or_default()).collect())
}

/// The JSON of no object in particular.
pub(super) fn nothing() -> String {
    "{}".to_owned()
}

/// The longest object that is read member by member only to be written again: what one says of a stage of a pipeline.
const LONGEST_OBJECT: usize = 64 * 1024;

/// A small object, as JSON of one form; anything else is an empty one.
pub(super) fn object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let value = <Box<RawValue>>::deserialize(deserializer)?;
    let short = Some(value.get()).filter(|json| json.len() <= LONGEST_OBJECT);
    let short = short.ok_or_else(|| D::Error::custom("too long, expected a small object"))?;
    let members: serde_json::Map<String, serde_json::Value> = serde_json::from_str(short).unwrap_or_default();
    Ok(serde_json::Value::Object(members).to_string())
}

/// A thing, or its default where it cannot be read as one: `null`, or another type.
pub(super) fn or_default<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    let value = <Box<RawValue>>::deserialize(deserializer)?;
    Ok(serde_json::from_str(value.get()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_pairs_are_replaced_and_nothing_else() {
        for (json, expected) in [
            (r#""cut \ud83d""#, r#""cut \ufffd""#),
            (r#""\udc00 cut""#, r#""\ufffd cut""#),
            (r#""\ud83d\ud83d\ude00\ude00""#, r#""\ufffd\ud83d\ude00\ufffd""#),
            (r#"{"k\uD83D":"\uD83Dx"}"#, r#"{"k\ufffd":"\ufffdx"}"#),
        ] {
            assert_eq!(whole_unicode(json.as_bytes()).as_ref(), expected.as_bytes(), "{json}");
            serde_json::from_slice::<serde_json::Value>(&whole_unicode(json.as_bytes())).unwrap();
        }
        assert_eq!(whole_unicode(b"{\"a\":\"\xff\"}").as_ref(), "{\"a\":\"\u{fffd}\"}".as_bytes());
        // A backslash that is itself escaped, whole pairs, other escapes, and what breaks off.
        for same in [r#""\\ud83d""#, r#""\ud83d\ude00 \u00e9 \n \\""#, "plain", r#""\ud8"#, r#""\"#, r#""\u+123""#, ""]
        {
            assert!(matches!(whole_unicode(same.as_bytes()), Cow::Borrowed(_)), "{same}");
        }
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Odd {
        #[serde(deserialize_with = "text")]
        text: Option<String>,
        #[serde(deserialize_with = "word")]
        word: Option<String>,
        #[serde(deserialize_with = "flag")]
        flag: Option<bool>,
        #[serde(deserialize_with = "whole_number")]
        number: Option<i64>,
        #[serde(deserialize_with = "count")]
        count: usize,
        #[serde(deserialize_with = "texts")]
        texts: Vec<String>,
        #[serde(deserialize_with = "list")]
        list: Vec<u8>,
        #[serde(deserialize_with = "each_or_default")]
        each: Vec<u8>,
        #[serde(deserialize_with = "or_default")]
        thing: std::collections::BTreeMap<String, u8>,
    }

    #[test]
    fn a_member_of_another_type_is_what_it_can_be_read_as_or_absent() {
        let odd = |json: &str| read::<Odd>(json.as_bytes(), 9).unwrap();
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        for (json, expected) in [
            (r#"{"text":5}"#, Odd { text: Some("5".to_owned()), ..Odd::default() }),
            (r#"{"text":{"a":1}}"#, Odd { text: Some(r#"{"a":1}"#.to_owned()), ..Odd::default() }),
            (r#"{"text":"cut \ud83d"}"#, Odd { text: Some("cut \u{fffd}".to_owned()), ..Odd::default() }),
            (r#"{"flag":"TRUE"}"#, Odd { flag: Some(true), ..Odd::default() }),
            (r#"{"flag":1}"#, Odd::default()),
            (r#"{"number":1.0}"#, Odd { number: Some(1), ..Odd::default() }),
            (r#"{"number":"-7"}"#, Odd { number: Some(-7), ..Odd::default() }),
            (r#"{"number":1.5,"count":-1}"#, Odd::default()),
            (r#"{"count":2.0}"#, Odd { count: 2, ..Odd::default() }),
            (r#"{"texts":"HIPAA"}"#, Odd { texts: texts(&["HIPAA"]), ..Odd::default() }),
            (r#"{"texts":["HIPAA",5,null]}"#, Odd { texts: texts(&["HIPAA", "5"]), ..Odd::default() }),
            (r#"{"list":{}}"#, Odd::default()),
            (r#"{"list":[1,2]}"#, Odd { list: vec![1, 2], ..Odd::default() }),
            (r#"{"each":[1,"x",null,2]}"#, Odd { each: vec![1, 0, 0, 2], ..Odd::default() }),
            (r#"{"each":5}"#, Odd { each: vec![5], ..Odd::default() }),
            (r#"{"each":{"a":1}}"#, Odd { each: vec![0], ..Odd::default() }),
            (r#"{"each":null,"word":5}"#, Odd::default()),
            (r#"{"word":"DAILY"}"#, Odd { word: Some("DAILY".to_owned()), ..Odd::default() }),
            (r#"{"thing":[1]}"#, Odd::default()),
            (
                r#"{"text":null,"flag":null,"number":null,"count":null,"texts":null,"list":null,"thing":null}"#,
                Odd::default(),
            ),
        ] {
            assert_eq!(odd(json), expected, "{json}");
        }
    }
}
