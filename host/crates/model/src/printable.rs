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
    let mut before = None;
    for (count, (index, character)) in text.char_indices().enumerate() {
        if count == most {
            shown.push('…');
            break;
        }
        match character {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            EMOJI if before.is_some_and(is_symbol) => shown.push(EMOJI),
            hidden if is_hidden(hidden) || begins_command(text, index, index == begin) => {
                write!(shown, "{}", hidden.escape_unicode()).expect("a String takes every text");
            }
            other => shown.push(other),
        }
        before = Some(character);
    }
    shown
}

/// A JSON document whose texts hold none of it either: the same data, with JSON's own escapes. `serde_json` escapes no more than
/// it must.
pub fn printable_json(document: &str) -> String {
    let mut shown = String::with_capacity(document.len());
    let mut before = None;
    for (index, character) in document.char_indices() {
        let is_seen = character == '\n' || character == EMOJI && before.is_some_and(is_symbol);
        if !is_seen && is_hidden(character) || begins_command(document, index, false) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(shown, "\\u{unit:04x}").expect("a String takes every text");
            }
        } else {
            shown.push(character);
        }
        before = Some(character);
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

/// What makes an emoji of the symbol before it (`❤️`), and is not seen itself. Behind a symbol it stays, once: people write it
/// so, and it can do no more than tell one look of the symbol from the other.
const EMOJI: char = '\u{fe0f}';

/// Whether a character is of the blocks that hold symbols. (Digits, `#` and `*` make emoji, too, and are names without.)
fn is_symbol(character: char) -> bool {
    matches!(
        character,
        '©' | '®'
            | '‼'
            | '⁉'
            | '™'
            | 'ℹ'
            | '\u{2190}'..='\u{27bf}'
            | '\u{2900}'..='\u{2bff}'
            | '〰'
            | '〽'
            | '㊗'
            | '㊙'
            | '\u{1f000}'..='\u{1faff}'
    )
}

/// Whether a character is a control, ends a line, or is not seen: direction marks, joiners, fillers, selectors, annotations,
/// tags, signs of format, and the blank of Braille. The tests hold it to Unicode's own lists.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{13430}'..='\u{1343f}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
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
    use regex_syntax::hir::{Class, HirKind};

    use super::*;

    #[test]
    fn what_steers_a_terminal_is_escaped_and_ordinary_text_is_not() {
        assert_eq!(printable("it's \"fine\": ü 病", 100), "it's \"fine\": ü 病");
        assert_eq!(printable("a\nERROR b\t\r", 100), "a\\nERROR b\\t\\r");
        assert_eq!(printable("\u{1b}[31mred\u{202e}", 100), "\\u{1b}[31mred\\u{202e}");
    }

    /// All that Unicode calls ignorable or a sign of format and that nothing is seen of, and the one blank that is no space.
    #[test]
    fn whatever_is_not_seen_is_escaped() {
        let unseen =
            r"[\p{Default_Ignorable_Code_Point}\p{Cf}\p{Cc}\p{Zl}\p{Zp}\u{2800}--\p{Prepended_Concatenation_Mark}]";
        let HirKind::Class(Class::Unicode(unseen)) = regex_syntax::parse(unseen).unwrap().into_kind() else {
            panic!("a class is none")
        };
        for character in char::MIN..=char::MAX {
            let is_unseen = unseen.ranges().iter().any(|range| (range.start()..=range.end()).contains(&character));
            assert_eq!(is_hidden(character), is_unseen, "{}", character.escape_unicode());
            assert_eq!(printable(&format!("a{character}"), 2).ends_with(character), !is_unseen, "{character:?}");
        }
    }

    #[test]
    fn an_emoji_keeps_the_one_sign_that_makes_it_one() {
        for text in ["⚠️ ❤️🕵️ ©️", "㊗️"] {
            assert_eq!(printable(text, 100), text);
            assert_eq!(printable_json(text), text);
        }
        assert_eq!(printable("❤\u{fe0f}\u{fe0f}a\u{fe0f}❤\u{fe0e}", 100), "❤\u{fe0f}\\u{fe0f}a\\u{fe0f}❤\\u{fe0e}");
        assert_eq!(printable_json("\u{fe0f}❤\u{fe0f}\u{fe0f}"), "\\ufe0f❤\u{fe0f}\\ufe0f");
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
