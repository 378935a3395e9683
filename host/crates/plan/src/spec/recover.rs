//! Finding every mistake of a file, not only the first.
//!
//! Deserializing stops at its first error. To go on, the entry that the error points to is taken out of the document and the
//! rest is read again, until nothing is wrong or nothing can be taken out. Whatever is left over is never used: a file with
//! any mistake is refused whole.

use std::ops::Range;

use serde::Deserialize;
use sluice_model::problem::{Place, Problem, nearest};
use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue, ValueDeserializer},
};

use super::{PipelineFile, values::IN_QUOTES};

/// More mistakes than this in one file are not listed: the reader has enough to do.
const MOST_PROBLEMS: usize = 50;

/// Keys that are no more, and what to do instead.
const GONE: [(&str, &str); 1] = [(
    "cache_dir",
    "what compiled plugins are kept in is run, so it is not for a pipeline file to say: set the variable SLUICE_CACHE_DIR",
)];

/// Reads a document; gives what it says if nothing is wrong, and what is wrong otherwise.
pub(super) fn deserialize(text: &str) -> (Option<PipelineFile>, Vec<Problem>) {
    let (document, syntax) = DeTable::parse_recoverable(text);
    if !syntax.is_empty() {
        return (None, syntax.iter().take(MOST_PROBLEMS).map(|error| problem(text, error)).collect());
    }
    let span = document.span();
    let mut root = DeValue::Table(document.into_inner());
    let mut problems = Vec::new();
    let mut removed: Vec<String> = Vec::new();
    while problems.len() < MOST_PROBLEMS {
        let deserializer = ValueDeserializer::from(Spanned::new(span.clone(), root.clone()));
        let error = match PipelineFile::deserialize(deserializer) {
            Ok(pipeline) if problems.is_empty() => return (Some(pipeline), problems),
            Ok(_) => break,
            Err(error) => error,
        };
        let follows_from_removal = quoted(error.message())
            .first()
            .is_some_and(|name| is_missing(&error) && removed.iter().any(|key| key == name));
        if !follows_from_removal {
            problems.push(problem(text, &error));
        }
        match error.span().and_then(|span| remove(&mut root, &span)) {
            Some(key) => removed.push(key),
            None => break,
        }
    }
    (None, problems)
}

fn is_missing(error: &toml::de::Error) -> bool {
    error.message().starts_with("missing field")
}

/// Takes the innermost entry that holds `span` out of the document; gives its key.
fn remove(value: &mut DeValue<'_>, span: &Range<usize>) -> Option<String> {
    match value {
        DeValue::Table(table) => {
            let key = table
                .iter()
                .find(|(key, value)| covers(&key.span(), span) || holds(value, span))
                .map(|(key, _)| key.get_ref().to_string())?;
            let entry = table.get_mut(key.as_str())?;
            let inside = if entry.span() == *span { None } else { remove(entry.get_mut(), span) };
            inside.or_else(|| table.remove(key.as_str()).map(|_| key))
        }
        DeValue::Array(array) => {
            let index = array.iter().position(|element| holds(element, span))?;
            let element = array.get_mut(index)?;
            let inside = if element.span() == *span { None } else { remove(element.get_mut(), span) };
            inside.or_else(|| {
                let mut rest = DeArray::new();
                for (position, element) in array.iter().enumerate() {
                    if position != index {
                        rest.push(element.clone());
                    }
                }
                *array = rest;
                Some(String::new())
            })
        }
        _ => None,
    }
}

/// Whether a value, or anything in it, covers `span`. The span of a table under a header is that of the header alone.
fn holds(value: &Spanned<DeValue<'_>>, span: &Range<usize>) -> bool {
    covers(&value.span(), span)
        || match value.get_ref() {
            DeValue::Table(table) => table.iter().any(|(key, value)| covers(&key.span(), span) || holds(value, span)),
            DeValue::Array(array) => array.iter().any(|element| holds(element, span)),
            _ => false,
        }
}

fn covers(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// The error in our own words, where serde's are not meant for people.
fn problem(text: &str, error: &toml::de::Error) -> Problem {
    let place = error.span().map(|span| Place::of(text, span.start));
    let message = error.message().trim_end_matches(['\n', '.']).replace('\n', ", ");
    let names = quoted(&message);
    let described = match names.split_first() {
        Some((typed, known)) if message.starts_with("unknown field") => {
            let gone = GONE.iter().find(|(key, _)| key == typed);
            let hint = match nearest(typed, known.iter().copied()) {
                _ if let Some((_, instead)) = gone => (*instead).to_owned(),
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => "nothing can be set here".to_owned(),
                None => format!("known here: `{}`", known.join("`, `")),
            };
            Problem::new(format!("unknown key `{typed}`")).hint(hint)
        }
        Some((typed, known)) if message.starts_with("unknown variant") => {
            let hint = match nearest(typed, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("use one of `{}`", known.join("`, `")),
            };
            Problem::new(format!("`{typed}` is not known here")).hint(hint)
        }
        Some((missing, _)) if is_missing(error) => Problem::new(format!("`{missing}` is missing")),
        _ => without_quotes(text, error).unwrap_or_else(|| Problem::new(lower_first(&message))),
    };
    described.at(place)
}

/// A text that was written as a number, a boolean or a date: an account id, say. What was typed is not repeated.
fn without_quotes(text: &str, error: &toml::de::Error) -> Option<Problem> {
    let typed = text.get(error.span()?)?;
    let message = error.message().trim_end();
    let wanted = match message.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected ")) {
        Some((_, "a string" | "path string")) => "a text",
        Some((_, expected)) => expected.strip_suffix(IN_QUOTES)?,
        // One of several words.
        None if message == "wanted string or table" => "a text",
        None => return None,
    };
    let kind = match typed.chars().next()? {
        't' | 'f' => "a boolean",
        _ if message.starts_with("invalid type: map") && !typed.starts_with('{') => "a date or time",
        '0'..='9' | '+' | '-' | 'i' | 'n' => "a number",
        _ => return None,
    };
    Some(Problem::new(format!("this is {kind}, not {wanted}")).hint("put it in quotes"))
}

/// The parts of a message that stand in backticks.
fn quoted(message: &str) -> Vec<&str> {
    message.split('`').skip(1).step_by(2).collect()
}

fn lower_first(message: &str) -> String {
    // `TOML` and other words in capitals stay as they are.
    let mut characters = message.chars();
    match (characters.next(), characters.next()) {
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            let rest = message.get(first.len_utf8()..).unwrap_or_default();
            format!("{}{rest}", first.to_lowercase())
        }
        _ => message.to_owned(),
    }
}
