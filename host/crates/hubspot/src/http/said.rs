//! What an answer says of its own failure: found by the vendor, made fit to print, and put into a sentence.

use std::error::Error;
use std::fmt;

use sluice_model::mask::{HIDDEN, Traces};

/// What an answer says of its own failure, found by the vendor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Explanation {
    /// In words.
    pub message: Option<String>,
    /// In the vendor's own classification.
    pub category: Option<String>,
    /// What the vendor's support asks for.
    pub correlation_id: Option<String>,
    /// The permissions that are missing.
    pub required_scopes: Vec<String>,
}

/// An explanation made fit to print, and who gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    vendor: &'static str,
    body: BodyForm,
    pub(super) explanation: Explanation,
}

/// What a body looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BodyForm {
    Empty,
    Html,
    Other,
}

impl Said {
    /// Makes what an answer says fit to print: without traces of the token, and without these texts.
    pub(super) fn new(
        vendor: &'static str,
        body_start: &[u8],
        explanation: Explanation,
        token: &Traces,
        private: &[String],
    ) -> Self {
        let body = match body_start.trim_ascii_start().first() {
            None => BodyForm::Empty,
            Some(b'<') => BodyForm::Html,
            Some(_) => BodyForm::Other,
        };
        let tidy = |text: String| printable(&text, token, private);
        let explanation = Explanation {
            message: explanation.message.filter(|message| !message.trim_start().starts_with('<')).map(tidy),
            category: explanation.category.map(tidy),
            correlation_id: explanation.correlation_id.map(tidy),
            required_scopes: explanation.required_scopes.into_iter().map(tidy).collect(),
        };
        Self { vendor, body, explanation }
    }
}

/// The most characters of a text from a server that are printed.
const LONGEST_TEXT: usize = 500;

/// A server's text on one line, without secrets or control characters, cut where it is long.
fn printable(text: &str, token: &Traces, private: &[String]) -> String {
    let text = private.iter().fold(token.hide(text), |text, private| text.replace(private, HIDDEN));
    let words: Vec<&str> = text.split(|character: char| character.is_whitespace() || character.is_control()).collect();
    let line = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ").replace('`', "'");
    match line.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

impl fmt::Display for Said {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { vendor, body, explanation } = self;
        match (&explanation.message, body) {
            (Some(message), _) => write!(formatter, "{vendor} says `{message}`")?,
            (None, BodyForm::Html) => formatter.write_str("the answer is an HTML page")?,
            (None, BodyForm::Empty) => formatter.write_str("the answer is empty")?,
            (None, BodyForm::Other) => formatter.write_str("the answer does not say why")?,
        }
        let named = |what: &str, text: &String| format!("{what} `{text}`");
        let category = explanation.category.iter().map(|category| named("category", category));
        let scopes = explanation.required_scopes.iter().map(|scope| named("required scope", scope));
        let correlation_id = explanation.correlation_id.iter().map(|id| named("correlation id", id));
        let details: Vec<String> = category.chain(scopes).chain(correlation_id).collect();
        if !details.is_empty() {
            write!(formatter, " ({})", details.join(", "))?;
        }
        Ok(())
    }
}

impl Error for Said {}
