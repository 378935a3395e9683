//! Secrets: values that are used and never shown.
//!
//! A secret has no `Display` and no `Serialize`, and its `Debug` prints a placeholder; the only way to its value is
//! [`Secret::expose`], so that a search for that word finds every place a secret leaves its wrapper.

use std::fmt;

/// A token, key or password.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Why a secret can be no token or key. Nothing of the secret stands in it but the code of a character that cannot be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoCredential {
    /// A character that cannot be sent, since tokens and keys are visible ASCII.
    #[error("character {position} of it is U+{code:04X}, which no token or key has")]
    Character {
        /// Its Unicode code point.
        code: u32,
        /// Its position, counted from 1.
        position: usize,
    },
    /// The scheme of the header it is sent in.
    #[error("it begins with `Bearer`")]
    Scheme,
    /// Quotes around it.
    #[error("it stands in quotes")]
    Quotes,
}

impl NoCredential {
    /// What would mend it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Character { .. } => "copy it again, alone: an editor or a web page has added what cannot be seen",
            Self::Scheme => "write the token alone, without `Bearer` before it",
            Self::Quotes => "write it without the quotes",
        }
    }
}

impl Secret {
    /// Wraps a value. White space around it (a line end in a file) is not part of it, nor is a byte order mark before it.
    pub fn new(value: &str) -> Self {
        Self(value.trim_start_matches('\u{feff}').trim().to_owned())
    }

    /// Whether it can be a token or a key, which is sent as it is.
    pub fn check_credential(&self) -> Result<(), NoCredential> {
        let is_quoted = |quote: char| self.0.len() > 1 && self.0.starts_with(quote) && self.0.ends_with(quote);
        if let Some((scheme, _)) = self.0.split_once(char::is_whitespace)
            && scheme.eq_ignore_ascii_case("bearer")
        {
            return Err(NoCredential::Scheme);
        }
        if is_quoted('"') || is_quoted('\'') {
            return Err(NoCredential::Quotes);
        }
        match self.0.chars().enumerate().find(|(_, character)| !character.is_ascii_graphic()) {
            Some((index, character)) => Err(NoCredential::Character { code: character.into(), position: index + 1 }),
            None => Ok(()),
        }
    }

    /// The value itself, to be handed to the service it is for, and to nobody else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
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
    fn what_was_copied_along_with_a_token_is_named() {
        let check = |value: &str| Secret::new(value).check_credential();
        for good in ["pat-na1-0", "\u{feff}pat-na1-0\r\n", "wJalrXUtnFEMI/K7MDENG+bPxRfiCY=", "\"", "bearer-1"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let odd = |code, position| Err(NoCredential::Character { code, position });
        assert_eq!(check("pat\u{200b}-na1"), odd(0x200b, 4));
        assert_eq!(check("\u{200b}pat"), odd(0x200b, 1));
        assert_eq!(check("pat na1"), odd(0x20, 4));
        assert_eq!(check("pat\u{feff}"), odd(0xfeff, 4));
        assert_eq!(check("größe"), odd(0xf6, 3));
        assert_eq!(check("pat\n-na1"), odd(0xa, 4));
        for scheme in ["Bearer pat-na1-0", "bearer\tpat"] {
            assert_eq!(check(scheme), Err(NoCredential::Scheme));
        }
        for quoted in ["\"pat-na1-0\"", "'pat-na1-0'\n"] {
            assert_eq!(check(quoted), Err(NoCredential::Quotes));
        }
        assert_eq!(Secret::new("\u{feff}pat ").expose(), "pat");
    }
}
