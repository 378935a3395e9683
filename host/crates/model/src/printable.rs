//! Text that is not ours, made fit to be shown.
//!
//! What a plugin or a server says may hold line ends that fake a log line, escape sequences that a terminal obeys, or signs
//! that turn the reading direction. Shown text is cut, and such characters are written out as escapes.
//! This is about the reader's screen, not about secrets: whether a text may be shown at all is for the caller to know.

use std::fmt::Write as _;

/// The text, with control and direction characters escaped, cut after `most` characters of the original.
pub fn printable(text: &str, most: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(most));
    let mut characters = text.chars();
    for character in characters.by_ref().take(most) {
        match character {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            hidden if hidden.is_control() || steers_reading(hidden) => {
                write!(shown, "{}", hidden.escape_unicode()).expect("a String takes every text");
            }
            other => shown.push(other),
        }
    }
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}

/// Some names, in backticks, and how many more there are.
pub fn some(names: &[String]) -> String {
    const SHOWN: usize = 6;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    match names.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{} and {more} more", shown.join(", ")),
        _ => shown.join(", "),
    }
}

/// Whether a character is invisible and changes how others are read: direction marks, separators, joiners, tags.
fn steers_reading(character: char) -> bool {
    matches!(
        character,
        '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}'
    )
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
}
