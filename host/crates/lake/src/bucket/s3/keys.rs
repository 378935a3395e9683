//! Lists of keys as S3 answers them, without the keys that the object store cannot read.
//!
//! It fails a whole list for one key that is no path to it: with `//`, `.` or `..`, or with a control character. Whoever may
//! put objects into the bucket chooses their keys, and none of sluice's is such a key. So they are taken out of the answer
//! before it is read. What ends in `/` is taken out, too, but not told: it is what stands for a folder in some tools, and
//! would be read as the file of that name.

use std::borrow::Cow;

use bytes::Bytes;
use object_store::path::Path as ObjectPath;

use crate::bucket::strange::Strange;

/// The elements that hold a key, and the element of it that is the key.
const OBJECT: (&str, &str) = ("Contents", "Key");
const FOLDER: (&str, &str) = ("CommonPrefixes", "Prefix");

/// The same answer without what no key of sluice's can be.
pub(super) fn readable(body: Bytes, strange: &Strange) -> Bytes {
    let text = String::from_utf8_lossy(&body);
    // What is not UTF-8 has a sign in its place that no key of ours has.
    let is_whole = matches!(text, Cow::Borrowed(_));
    let kept = without_strange(&without_strange(&text, OBJECT, strange), FOLDER, strange);
    if is_whole && kept.len() == text.len() { body } else { Bytes::from(kept) }
}

/// The same answer without the elements of a kind whose keys cannot be read.
fn without_strange(text: &str, kind: (&str, &str), strange: &Strange) -> String {
    let (element, key) = kind;
    let (opening, closing) = (format!("<{element}>"), format!("</{element}>"));
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, opened)) = rest.split_once(&opening) {
        // An answer that breaks off is for whoever reads it.
        let Some((within, after)) = opened.split_once(&closing) else { break };
        kept.push_str(before);
        if key_of(within, key).is_none_or(|key| is_readable(&key, kind == FOLDER, strange)) {
            for piece in [&opening, within, &closing] {
                kept.push_str(piece);
            }
        }
        rest = after;
    }
    kept.push_str(rest);
    kept
}

/// Whether the object store reads a key as what it is. Tells of one that it does not.
fn is_readable(key: &str, is_folder: bool, strange: &Strange) -> bool {
    let path = if is_folder { key.strip_suffix('/').unwrap_or(key) } else { key };
    if ObjectPath::parse(path).is_ok_and(|read| read.as_ref() == path && !path.is_empty()) {
        return true;
    }
    let stands_for_a_folder = path.strip_suffix('/').is_some_and(|path| ObjectPath::parse(path).is_ok());
    if !stands_for_a_folder {
        strange.pass_over(key, "which no client of S3 that takes keys for paths can read");
    }
    false
}

/// The key in an element, with its references read.
fn key_of(within: &str, element: &str) -> Option<String> {
    let (_, rest) = within.split_once(&format!("<{element}>"))?;
    let (text, _) = rest.split_once(&format!("</{element}>"))?;
    let mut key = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, reference)) = rest.split_once('&') {
        key.push_str(before);
        let read = reference.split_once(';').and_then(|(name, after)| Some((character(name)?, after)));
        if let Some((character, after)) = read {
            key.push(character);
            rest = after;
        } else {
            key.push('&');
            rest = reference;
        }
    }
    key.push_str(rest);
    Some(key)
}

/// The character that a reference of XML names.
fn character(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "amp" => Some('&'),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}
