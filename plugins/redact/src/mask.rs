//! Replacing whole values.

use sluice_guest::Failure;

use crate::settings;

/// What hides a character unless the settings say otherwise.
const DEFAULT_CHARACTER: char = '*';

/// How to replace a value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Mask {
    /// By the same text, whatever the value.
    Text(String),
    /// Character by character, but for some at either end.
    Keep { first: usize, last: usize, filler: Filler },
}

/// What hides characters: one character, many times over. Appending it piece by piece is several times faster than
/// character by character.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Filler(String);

/// How many characters are appended at once; most values have fewer.
const FILLER_LEN: usize = 32;

impl Mask {
    pub(crate) fn new(settings: settings::Mask) -> Result<Self, Failure> {
        match settings {
            settings::Mask { text: Some(text), keep_first: None, keep_last: None, character: None } => {
                Ok(Self::Text(text))
            }
            settings::Mask { text: Some(_), .. } => {
                Err(Failure::settings("a mask has either `text`, or `keep_first`, `keep_last` and `character`"))
            }
            settings::Mask { text: None, keep_first: None, keep_last: None, .. } => {
                Err(Failure::settings("a mask needs `text`, or `keep_first` or `keep_last`"))
            }
            settings::Mask { text: None, keep_first, keep_last, character } => Ok(Self::Keep {
                first: keep_first.unwrap_or(0),
                last: keep_last.unwrap_or(0),
                filler: Filler::new(character.unwrap_or(DEFAULT_CHARACTER)),
            }),
        }
    }

    /// Appends what stands in place of a value.
    pub(crate) fn write(&self, value: &str, out: &mut String) {
        match self {
            Self::Text(text) => out.push_str(text),
            Self::Keep { first, last, filler } => {
                // Without a way out in the middle, as `str::is_ascii` has, this runs many bytes at a time.
                let is_ascii = value.bytes().fold(0, |all, byte| all | byte) <= 0x7f;
                let characters = if is_ascii { value.len() } else { value.chars().count() };
                let index_of = |character: usize| {
                    if is_ascii {
                        return character;
                    }
                    value.char_indices().nth(character).map_or(value.len(), |(index, _)| index)
                };
                // A value of which nothing would be hidden is hidden whole.
                let (first, last) = if characters <= first.saturating_add(*last) { (0, 0) } else { (*first, *last) };
                let (head, _) = value.split_at(index_of(first));
                let (_, tail) = value.split_at(index_of(characters - last));
                out.push_str(head);
                filler.write(characters - first - last, out);
                out.push_str(tail);
            }
        }
    }
}

impl Filler {
    fn new(character: char) -> Self {
        Self(std::iter::repeat_n(character, FILLER_LEN).collect())
    }

    fn write(&self, mut characters: usize, out: &mut String) {
        while characters >= FILLER_LEN {
            out.push_str(&self.0);
            characters -= FILLER_LEN;
        }
        let (rest, _) = self.0.split_at(self.0.len() / FILLER_LEN * characters);
        out.push_str(rest);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(first: usize, last: usize, character: char, value: &str, masked: &str) {
        let mut out = "before".to_owned();
        Mask::Keep { first, last, filler: Filler::new(character) }.write(value, &mut out);
        assert_eq!(out, format!("before{masked}"));
    }

    #[test]
    fn some_characters_stay() {
        check(0, 4, '*', "5551234567", "******4567");
        check(2, 0, '*', "Ada", "Ad*");
        check(1, 1, '#', "secret", "s####t");
        check(1, 2, '•', "Zoë Ünal", "Z•••••al");
        check(0, 2, '*', "日本語", "*本語");
        check(0, 1, '•', &"x".repeat(100), &format!("{}x", "•".repeat(99)));
    }

    #[test]
    fn a_value_that_would_stay_whole_is_hidden_whole() {
        check(0, 4, '*', "4567", "****");
        check(0, 4, '*', "é", "*");
        check(2, 2, '*', "abcd", "****");
        check(usize::MAX, usize::MAX, '*', "ab", "**");
        check(0, 4, '*', "", "");
    }

    #[test]
    fn a_text_stands_for_every_value() {
        let mut out = String::new();
        Mask::Text("[redacted]".to_owned()).write("anything", &mut out);
        Mask::Text(String::new()).write("anything", &mut out);
        assert_eq!(out, "[redacted]");
    }

    #[test]
    fn a_mask_is_of_one_kind() {
        let new = |text: Option<&str>, keep_first, character| {
            let mask = settings::Mask { text: text.map(str::to_owned), keep_first, keep_last: None, character };
            Mask::new(mask).map_err(|failure| failure.to_string())
        };
        assert_eq!(new(Some("x"), None, None), Ok(Mask::Text("x".to_owned())));
        assert_eq!(new(None, Some(0), None), Ok(Mask::Keep { first: 0, last: 0, filler: Filler::new('*') }));
        let either = "a mask has either `text`, or `keep_first`, `keep_last` and `character`";
        assert_eq!(new(Some("x"), Some(1), None), Err(either.to_owned()));
        assert_eq!(new(Some("x"), None, Some('#')), Err(either.to_owned()));
        assert_eq!(new(None, None, Some('#')), Err("a mask needs `text`, or `keep_first` or `keep_last`".to_owned()));
    }

    proptest! {
        #[test]
        fn length_stays_and_something_is_hidden(value: String, first in 0..5_usize, last in 0..5_usize) {
            let mut out = String::new();
            Mask::Keep { first, last, filler: Filler::new('\u{1}') }.write(&value, &mut out);
            prop_assert_eq!(out.chars().count(), value.chars().count());
            let hidden = out.contains('\u{1}');
            prop_assert!(value.is_empty() || hidden);
        }
    }
}
