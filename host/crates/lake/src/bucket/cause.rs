//! Causes: what a service or the system said when something failed, fit to be shown.
//!
//! The object store and the AWS SDK report failures as chains of errors that repeat one another and quote whole addresses.
//! This module reads such a chain once and keeps what a person needs. Nothing else of the chain is shown anywhere.

use std::error::Error;

use sluice_model::printable::printable;

/// How much of a foreign text is shown, in characters: AWS's longest refusals name a principal, an action and a resource.
const LONGEST_SHOWN: usize = 1000;

/// What was said, as text without addresses and secrets. The last link of a chain of errors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Cause(String);

impl Cause {
    /// A cause in our own words.
    pub(super) fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }

    /// What a service said.
    pub(super) fn said(words: &str) -> Self {
        Self(printable(words, LONGEST_SHOWN))
    }

    /// The same, with the proxy (host and port) that the request went through, where it went through one.
    pub(super) fn through(self, proxy: Option<&str>) -> Self {
        match proxy {
            Some(proxy) => Self(format!("{} (through the proxy `{proxy}`)", self.0)),
            None => self,
        }
    }

    /// What a chain of errors says, each thing once, outermost first.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Self {
        let mut words = String::new();
        for link in chain(error) {
            let link = without_queries(&link.to_string());
            if !words.contains(&link) {
                if !words.is_empty() {
                    words.push_str(": ");
                }
                words.push_str(&link);
            }
        }
        Self::said(&words)
    }
}

/// An error and its sources, outermost first.
pub(super) fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |link: &&'a (dyn Error + 'static)| (*link).source())
}

/// The text without the queries of the addresses in it: they hold upload ids, and signatures where a request was signed
/// that way.
fn without_queries(text: &str) -> String {
    let words = text.split(' ').map(|word| match word.split_once('?') {
        Some((address, _)) if address.contains("://") => address,
        _ => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{words}")]
    struct Link {
        words: &'static str,
        source: Option<Box<Link>>,
    }

    #[test]
    fn a_chain_is_told_once_and_without_queries() {
        let inner = Link { words: "connection refused", source: None };
        let middle = Link {
            words: "sending to http://host/key?token=secret failed: connection refused",
            source: Some(inner.into()),
        };
        let outer = Link { words: "cannot write", source: Some(middle.into()) };
        assert_eq!(
            Cause::of(&outer).to_string(),
            "cannot write: sending to http://host/key failed: connection refused"
        );
    }
}
