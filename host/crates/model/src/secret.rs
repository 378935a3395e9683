//! Secrets: values that are used and never shown.
//!
//! A secret has no `Display` and no `Serialize`, and its `Debug` prints a placeholder; the only way to its value is
//! [`Secret::expose`], so that a search for that word finds every place a secret leaves its wrapper.

use std::fmt;

/// What some editors begin a text with. It is no white space.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// What is copied along with a token, quotes that word processors make included.
const QUOTES: [char; 10] = ['"', '\'', '`', '“', '”', '„', '‘', '’', '«', '»'];

/// A token, key or password.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value. White space around it (a line end in a file) is not part of it, nor is the byte order mark that some
    /// editors begin a file with.
    pub fn new(value: &str) -> Self {
        Self(value.trim().trim_start_matches(BYTE_ORDER_MARK).trim().to_owned())
    }

    /// The value itself, to be handed to the service it is for, and to nobody else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What keeps it from being a token or an access key, which are visible ASCII and nothing else. A service would only
    /// say that it does not know it.
    pub fn flaw(&self) -> Option<Flaw> {
        let first_word = self.0.split([' ', '\t', ':']).next().unwrap_or_default();
        if first_word != self.0 && ["Bearer", "Authorization"].iter().any(|word| first_word.eq_ignore_ascii_case(word))
        {
            return Some(Flaw::Bearer);
        }
        if self.0.starts_with(QUOTES) || self.0.ends_with(QUOTES) {
            return Some(Flaw::Quotes);
        }
        let (index, odd) = self.0.chars().enumerate().find(|(_, character)| !character.is_ascii_graphic())?;
        let kind = match odd {
            '\u{ad}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | BYTE_ORDER_MARK => "invisible",
            odd if odd.is_whitespace() => "white space",
            odd if odd.is_control() => "a control character",
            _ => "not of ASCII",
        };
        Some(Flaw::Character { position: index + 1, kind })
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Why a secret cannot be a token or an access key. Nothing of its value is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The header's words were copied along.
    #[error("begins with the `Bearer` of the header")]
    Bearer,
    /// It was copied with its quotes.
    #[error("stands in quotes")]
    Quotes,
    /// A character that no token or key has.
    #[error("holds what is no token or key: character {position} is {kind}")]
    Character {
        /// Which, counted from 1.
        position: usize,
        /// What it is, without telling it.
        kind: &'static str,
    },
}

impl Flaw {
    /// What would mend it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Bearer => "keep the token alone there: sluice writes `Bearer` itself",
            Self::Quotes => "remove the quotes: what stands there is taken as it is",
            Self::Character { .. } => "copy it again, alone and whole: tokens and keys are visible ASCII characters",
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_around_a_secret_is_not_part_of_it() {
        for text in ["pat-1", "pat-1\r\n", "\u{feff}pat-1\n", " \u{feff} pat-1\t", "\u{feff}\u{feff}pat-1\u{a0}"] {
            assert_eq!(Secret::new(text).expose(), "pat-1", "{text:?}");
        }
        assert!(Secret::new("\u{feff}\n").is_empty());
    }

    #[test]
    fn what_is_no_token_is_told_without_telling_it() {
        let at = |position, kind| Some(Flaw::Character { position, kind });
        for (text, flaw) in [
            ("pat-na1-0000", None),
            ("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY=", None),
            ("Bearer pat-1", Some(Flaw::Bearer)),
            ("bearer\tpat-1", Some(Flaw::Bearer)),
            ("Authorization: Bearer pat-1", Some(Flaw::Bearer)),
            ("bearer-of-a-name", None),
            ("\"pat-1\"", Some(Flaw::Quotes)),
            ("‘pat-1’", Some(Flaw::Quotes)),
            ("pat-1'", Some(Flaw::Quotes)),
            ("pat\u{200b}-1", at(4, "invisible")),
            ("pat-1\u{200b}", at(6, "invisible")),
            ("\u{200b}pat-1", at(1, "invisible")),
            ("p\u{feff}at-1", at(2, "invisible")),
            ("pat-1\npat-2", at(6, "white space")),
            ("pat-1\u{a0}2", at(6, "white space")),
            ("pat-\u{1b}1", at(5, "a control character")),
            ("pät-1", at(2, "not of ASCII")),
        ] {
            assert_eq!(Secret::new(text).flaw(), flaw, "{text:?}");
        }
    }
}
