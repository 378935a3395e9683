//! Secrets: values that are used and never shown.
//!
//! A secret has no `Display` and no `Serialize`, and its `Debug` prints a placeholder; the only way to its value is
//! [`Secret::expose`], so that a search for that word finds every place a secret leaves its wrapper.

use std::fmt;

/// A token, key or password.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value; white space around it (a line end in a file) is not part of it.
    pub fn new(value: &str) -> Self {
        Self(value.trim().to_owned())
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
