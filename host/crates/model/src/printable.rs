//! Text that is not ours, made fit to be shown.
//!
//! What a plugin, a server, a bucket or a file says may hold line ends that fake a line, escape sequences that a terminal
//! obeys, signs that turn the reading direction, or what a CI takes for a command to it (`::error::` at the beginning of a
//! line, `##[error]` and its like anywhere). Shown text is cut, and all of these are written out as escapes.
//! This is about the reader's screen, not about secrets: whether a text may be shown at all is for the caller to know.

use std::fmt::Write as _;

/// The text as a line, or a part of one: control and direction characters and commands escaped, cut after `most` characters
/// of the original. What is printable stays as it is.
pub fn printable(text: &str, most: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(most));
    let begin = text.len() - text.trim_start().len();
    for (count, (index, character)) in text.char_indices().enumerate() {
        if count == most {
            shown.push('…');
            break;
        }
        match character {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            hidden if is_hidden(hidden) || begins_command(text, index, index == begin) => {
                write!(shown, "{}", hidden.escape_unicode()).expect("a String takes every text");
            }
            other => shown.push(other),
        }
    }
    shown
}

/// A JSON document whose texts hold none of it either: the same data, with JSON's own escapes. `serde_json` escapes no more than
/// it must.
pub fn printable_json(document: &str) -> String {
    let mut shown = String::with_capacity(document.len());
    for (index, character) in document.char_indices() {
        if character != '\n' && is_hidden(character) || begins_command(document, index, false) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(shown, "\\u{unit:04x}").expect("a String takes every text");
            }
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Some names, printable and in backticks, and how many more there are.
pub fn some(names: &[String]) -> String {
    const SHOWN: usize = 6;
    let shown: Vec<String> =
        names.iter().take(SHOWN).map(|name| format!("`{}`", printable(name, usize::MAX))).collect();
    match names.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{} and {more} more", shown.join(", ")),
        _ => shown.join(", "),
    }
}

/// Whether a character is a control, or invisible and changes how others are read: direction marks, separators, joiners, tags.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Whether a CI would take what begins here for a command: GitHub's `::name::`, where a line begins, and, anywhere in it,
/// `##[…]`, `##vso[…]`, `##teamcity[…]`.
fn begins_command(text: &str, index: usize, begins_line: bool) -> bool {
    let rest = text.get(index..).unwrap_or_default();
    let in_line = |rest: &str| rest.trim_start_matches(|letter: char| letter.is_ascii_alphanumeric()).starts_with('[');
    begins_line && rest.starts_with("::") || rest.strip_prefix("##").is_some_and(in_line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_escaped_and_ordinary_text_is_not() {
        assert_eq!(printable("it's \"fine\": ü 病", 100), "it's \"fine\": ü 病");
        assert_eq!(printable("a\nERROR b\t\r", 100), "a\\nERROR b\\t\\r");
        assert_eq!(printable("\u{1b}[31mred\u{202e}", 100), "\\u{1b}[31mred\\u{202e}");
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        assert_eq!(printable("abcdef", 6), "abcdef");
        assert_eq!(printable("äbcdefg", 3), "äbc…");
    }

    #[test]
    fn what_a_ci_obeys_is_escaped_and_what_only_looks_like_it_is_not() {
        assert_eq!(printable("::error::x", 100), "\\u{3a}:error::x");
        assert_eq!(printable(" \u{a0} ::error::x", 100), " \u{a0} \\u{3a}:error::x");
        assert_eq!(printable("a ##[error]x ###vso[x]", 100), "a \\u{23}#[error]x #\\u{23}#vso[x]");
        for text in ["a::b", "## a [b]", "a: ::1", "#[x]", "[##]", "2001:db8::1"] {
            assert_eq!(printable(text, 100), text);
        }
    }

    #[test]
    fn printable_text_stays_as_it_is() {
        let once = printable("\n\u{1b}[31m::error::##[x]\u{202e}\\", 100);
        assert_eq!(printable(&once, 100), once);
        assert_eq!(some(&["a\n".to_owned(), "b".to_owned()]), "`a\\n`, `b`");
    }

    #[test]
    fn a_json_document_is_the_same_data() {
        let document = "{\n  \"a\u{9b}\": \"\\n\u{7f}\u{202e}\u{e0041} ##[x] ü\"\n}";
        let shown = printable_json(document);
        assert_eq!(shown, "{\n  \"a\\u009b\": \"\\n\\u007f\\u202e\\udb40\\udc41 \\u0023#[x] ü\"\n}");
    }
}
