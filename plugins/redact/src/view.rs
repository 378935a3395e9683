//! A text as it is meant to be read.
//!
//! `１２３‑45‑6789` with a zero-width space in it is a number to whoever reads it, and none to a pattern for digits. So patterns
//! look at a second view of a text as well: without what is not seen (default-ignorable characters, control characters),
//! with letters and signs of another width or style as the plain ones (Unicode's compatibility forms), decimal digits of all
//! scripts as those of ASCII, dashes as `-` and blanks as a blank. Each byte of the view knows what it stands for in the
//! text, and that is replaced.
//!
//! What this does not see through: letters of another script that look the same (Cyrillic `а`), digits that are spelled
//! out, marks put over characters, and text that runs in another order than it is written in.

use std::ops::Range;
use std::sync::LazyLock;

use regex_syntax::hir::{Class, ClassUnicodeRange, HirKind};
use unicode_normalization::UnicodeNormalization;

/// A view of one text; kept to be filled again.
#[derive(Debug, Default)]
pub(crate) struct View {
    text: String,
    /// For each byte of the view, which bytes of the text it stands for.
    origins: Vec<Range<usize>>,
}

impl View {
    /// Looks at a text. `None` if it is meant to be read as it stands, as nearly every text is.
    pub(crate) fn of(&mut self, text: &str) -> Option<&Self> {
        // Without a way out in the middle, this runs many bytes at a time.
        let is_plain = text.bytes().fold(true, |plain, byte| plain & (matches!(byte, b' '..=b'~') | is_space(byte)));
        if is_plain || text.chars().all(is_as_read) {
            return None;
        }
        self.text.clear();
        self.origins.clear();
        for (start, character) in text.char_indices() {
            let origin = start..start + character.len_utf8();
            if is_as_read(character) {
                self.push(character, &origin);
            } else if !is_unseen(character) {
                for plain in std::iter::once(character).nfkc() {
                    self.push(plain_sign(plain), &origin);
                }
            }
        }
        (self.text != text).then_some(self)
    }

    /// What is looked at.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What a part of it stands for in the text, with whatever is not seen within.
    pub(crate) fn origin(&self, part: Range<usize>) -> Range<usize> {
        match self.origins.get(part) {
            Some([first, .., last]) => first.start..last.end,
            Some([only]) => only.clone(),
            Some([]) | None => 0..0,
        }
    }

    fn push(&mut self, character: char, origin: &Range<usize>) {
        self.text.push(character);
        self.origins.resize(self.text.len(), origin.clone());
    }
}

/// The control characters that separate words and lines.
fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r')
}

/// Whether a character surely stands for itself: those of ASCII, and of the scripts that most other text is in, of which
/// neither letter has another form nor is a digit. Only to be fast.
fn is_as_read(character: char) -> bool {
    match character {
        '\0'..='\x7f' => matches!(character, ' '..='~') || is_space(character as u8),
        'À'..='ÿ' | 'Ѐ'..='ԯ' | 'ぁ'..='ゖ' | 'ァ'..='ヺ' | '一'..='鿿' | '가'..='힣' => true,
        _ => false,
    }
}

/// Whether nothing is seen of a character: what Unicode calls default-ignorable, and controls.
fn is_unseen(character: char) -> bool {
    let is_ignorable = matches!(
        character,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    );
    // Next line is a line's end, as `\n` is.
    is_ignorable || character.is_control() && !character.is_whitespace()
}

/// The sign of ASCII that a character is read as, or itself.
fn plain_sign(character: char) -> char {
    match character {
        '\0'..='\x7f' => character,
        '\u{58a}'
        | '\u{5be}'
        | '\u{1400}'
        | '\u{1806}'
        | '\u{2010}'..='\u{2015}'
        | '\u{2043}'
        | '\u{2212}'
        | '\u{2e17}'
        | '\u{2e1a}'
        | '\u{2e3a}'..='\u{2e3b}'
        | '\u{2e40}'
        | '\u{2e5d}'
        | '\u{301c}'
        | '\u{3030}'
        | '\u{30a0}'
        | '\u{10ead}' => '-',
        '。' => '.',
        _ if character.is_whitespace() => ' ',
        _ => digit(character).unwrap_or(character),
    }
}

/// The digit of ASCII that a decimal digit of any script is.
fn digit(character: char) -> Option<char> {
    let after = DIGITS.partition_point(|run| run.start() <= character);
    let run = DIGITS.get(after.checked_sub(1)?).filter(|run| character <= run.end())?;
    char::from_digit((u32::from(character) - u32::from(run.start())) % 10, 10)
}

/// All decimal digits: Unicode promises that those of a script stand together, from zero to nine.
static DIGITS: LazyLock<Vec<ClassUnicodeRange>> = LazyLock::new(|| {
    let parsed = regex_syntax::parse(r"\d").expect("the pattern is a constant");
    match parsed.into_kind() {
        HirKind::Class(Class::Unicode(class)) => class.ranges().to_vec(),
        _ => Vec::new(),
    }
});

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(View::default().of(text).map(View::text), expected, "{text:?}");
    }

    #[test]
    fn what_is_meant_to_be_read_as_it_stands_has_no_other_view() {
        for plain in ["", "ada@example.com\r\n\t~", "Zoë Ünal, Ян, 日本語 カナ ひら 한글", "αβγ ż שלום"]
        {
            check(plain, None);
        }
    }

    #[test]
    fn what_is_not_seen_is_gone_and_what_looks_plain_is_plain() {
        check("1\u{200b}2\u{ad}3\u{feff}\u{0}4\u{e0041}5\u{fe0f}6\u{2066}7", Some("1234567"));
        check("ａｄａ＠ｅｘａｍｐｌｅ．ｃｏｍ", Some("ada@example.com"));
        check("𝐚𝒅𝖆﹫ⓔxample。com", Some("ada@example.com"));
        check("١٢٣-०१२ 𝟘𝟡 ⑤ ²", Some("123-012 09 5 2"));
        check("1‐2‑3‒4–5—6―7−8﹣9－0", Some("1-2-3-4-5-6-7-8-9-0"));
        check("1\u{a0}2\u{2007}3\u{202f}4\u{3000}5\u{1680}6", Some("1 2 3 4 5 6"));
        check("（＋４４）", Some("(+44)"));
    }

    #[test]
    fn decimal_digits_stand_in_runs_of_ten() {
        assert!(DIGITS.len() > 50);
        for run in DIGITS.iter() {
            assert_eq!((u32::from(run.end()) - u32::from(run.start()) + 1) % 10, 0, "{run:?}");
        }
        assert_eq!(['٠', '٩', '߃', '𞥙', 'x'].map(digit), [Some('0'), Some('9'), Some('3'), Some('9'), None]);
    }

    #[test]
    fn a_part_stands_for_all_that_is_within_it() {
        let mut view = View::default();
        let text = "x\u{200b}１\u{200b}2ﬁ\u{200b}";
        let view = view.of(text).unwrap();
        assert_eq!(view.text(), "x12fi");
        assert_eq!(text.get(view.origin(1..3)), Some("１\u{200b}2"));
        assert_eq!(text.get(view.origin(3..4)), Some("ﬁ"));
        assert_eq!(text.get(view.origin(0..5)), Some("x\u{200b}１\u{200b}2ﬁ"));
    }

    proptest! {
        #[test]
        fn every_part_of_a_view_stands_for_whole_characters(text in "\\PC{0,20}|[0-9a-z\u{200b}\u{ad}１-９＠ﬁ½é]{0,20}") {
            let mut view = View::default();
            if let Some(view) = view.of(&text) {
                prop_assert_eq!(view.origins.len(), view.text.len());
                for (start, first) in view.text.char_indices() {
                    let origin = view.origin(start..start + first.len_utf8());
                    prop_assert!(text.get(origin.clone()).is_some_and(|part| part.chars().count() == 1));
                }
                prop_assert!(view.origins.is_sorted_by_key(|origin| origin.start));
            }
        }

    }

    #[test]
    fn what_surely_stands_for_itself_does() {
        for character in (char::MIN..=char::MAX).filter(|character| is_as_read(*character)) {
            let plain: String = std::iter::once(character).nfkc().map(plain_sign).collect();
            assert_eq!(plain, character.to_string());
            assert!(!is_unseen(character));
        }
    }
}
