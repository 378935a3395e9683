//! Who asks, and what they may read.

use std::collections::BTreeSet;

use http::{HeaderMap, header};

use super::answer::Refusal;

/// A private app's token. These are made up; there is nothing behind them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The token as it stands in the header, shaped `pat-<region>-<uuid>`.
    pub text: String,
    /// What it may read.
    pub scopes: Scopes,
}

/// The scopes of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scopes {
    /// Every scope there is.
    All,
    /// Every scope except those for sensitive and highly sensitive values.
    AllButSensitive,
    /// These scopes, by their full names (`crm.objects.contacts.read`).
    Only(BTreeSet<String>),
}

impl Scopes {
    fn hold(&self, scope: &str) -> bool {
        match self {
            Self::All => true,
            Self::AllButSensitive => !scope.contains("sensitive"),
            Self::Only(scopes) => scopes.contains(scope),
        }
    }

    /// The scopes by name, where `all` are those that there are.
    pub(super) fn among(&self, all: BTreeSet<String>) -> BTreeSet<String> {
        match self {
            Self::All | Self::AllButSensitive => all.into_iter().filter(|scope| self.hold(scope)).collect(),
            Self::Only(scopes) => scopes.clone(),
        }
    }
}

impl Token {
    /// Refuses unless the token holds at least one of `scopes`.
    pub(super) fn require_one_of(&self, scopes: Vec<String>) -> Result<(), Refusal> {
        self.require_each(&[scopes])
    }

    /// Refuses unless the token holds at least one scope of each of these; names those of which it has none.
    pub(super) fn require_each(&self, needs: &[Vec<String>]) -> Result<(), Refusal> {
        let missing = needs.iter().filter(|scopes| !scopes.iter().any(|scope| self.scopes.hold(scope)));
        let missing: Vec<String> = missing.flatten().cloned().collect();
        if missing.is_empty() { Ok(()) } else { Err(Refusal::MissingScopes(missing)) }
    }
}

/// The token of a request, if it is one of `tokens`.
pub(super) fn authenticate<'a>(tokens: &'a [Token], headers: &HeaderMap) -> Result<&'a Token, Refusal> {
    let Some(authorization) = headers.get(header::AUTHORIZATION) else { return Err(Refusal::NoToken) };
    let text = authorization.to_str().ok().and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if !is_well_formed(text) {
        return Err(Refusal::MalformedToken);
    }
    tokens.iter().find(|token| token.text == text).ok_or(Refusal::UnknownToken)
}

/// The edge in front of HubSpot lets through `pat-<region>-<uuid>` and nothing else.
fn is_well_formed(token: &str) -> bool {
    let Some((region, uuid)) = token.strip_prefix("pat-").and_then(|rest| rest.split_once('-')) else { return false };
    let groups: Vec<usize> = uuid.split('-').map(str::len).collect();
    !region.is_empty()
        && region.chars().all(|letter| letter.is_ascii_alphanumeric())
        && groups == [8, 4, 4, 4, 12]
        && uuid.chars().all(|letter| letter.is_ascii_hexdigit() || letter == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_formed_tokens_look_like_those_of_private_apps() {
        for token in [super::super::TOKEN, "pat-eu1-0A1b2c3d-0000-0000-0000-000000000000"] {
            assert!(is_well_formed(token), "{token}");
        }
        for token in ["", "secret", "pat-na1-", "pat-na1-wrong", "pat--00000000-0000-4000-8000-000000000001"] {
            assert!(!is_well_formed(token), "{token}");
        }
    }
}
