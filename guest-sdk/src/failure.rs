//! Why a plugin cannot answer.

use std::fmt;

use crate::contract;

/// A call that cannot be answered: it ends the run, with this message and the plugin's name.
///
/// For single bad rows use rejections: they are counted, and the run goes on.
///
/// ```
/// # use sluice_guest::Failure;
/// fn port(text: &str) -> Result<u16, Failure> {
///     text.parse().map_err(|error| Failure::settings(format_args!("`port` is not a number: {error}")))
/// }
/// assert_eq!(port("x").unwrap_err().to_string(), "`port` is not a number: invalid digit found in string");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    code: FailureCode,
    message: String,
}

/// Who can act on a [`Failure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureCode {
    /// Settings or attachments that make no sense.
    Settings,
    /// An input that does not fit the settings.
    Schema,
    /// Anything else: most often a mistake in the plugin.
    Internal,
}

impl Failure {
    /// Settings or attachments that make no sense.
    pub fn settings(message: impl fmt::Display) -> Self {
        Self { code: FailureCode::Settings, message: message.to_string() }
    }

    /// An input that does not fit the settings.
    pub fn schema(message: impl fmt::Display) -> Self {
        Self { code: FailureCode::Schema, message: message.to_string() }
    }

    /// Anything else.
    pub fn internal(message: impl fmt::Display) -> Self {
        Self { code: FailureCode::Internal, message: message.to_string() }
    }

    /// Who can act.
    pub fn code(&self) -> FailureCode {
        self.code
    }

    /// What is wrong and what would mend it.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl FailureCode {
    /// The code as it stands in the contract: `settings`, `schema` or `internal`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Schema => "schema",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<Failure> for contract::Failure {
    fn from(failure: Failure) -> Self {
        Self { code: failure.code.as_str().to_owned(), message: failure.message }
    }
}
