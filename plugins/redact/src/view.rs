//! A text as it is meant to be read.
//!
//! `１２３‑45‑6789` with a zero-width space in it is a number to whoever reads it, and none to a pattern for digits. So patterns
//! look at a second view of a text as well: without what is not seen (default-ignorable characters, signs of format, control characters),
//! with letters and signs of another width or style as the plain ones (Unicode's compatibility forms), decimal digits of all
//! scripts as those of ASCII, dashes as `-` and blanks, tabs too, as a blank. The view knows what each part of it stands for in
//! the text, and that is replaced.
//!
//! What this does not see through: letters of another script that look the same (Cyrillic `а`), digits that are spelled
//! out, marks put over characters, and text that runs in another order than it is written in.

use std::ops::Range;
use std::sync::LazyLock;

use regex_syntax::hir::{Class, ClassUnicodeRange, HirKind};
use unicode_normalization::UnicodeNormalization;

/// A character that would become more than this many stays as it is: those are Arabic phrases in one sign, without a digit, a
/// dash or a dot, and a text of them would become eleven times as long.
const MOST_SIGNS: usize = 6;

/// A view of one text; kept to be filled again.
#[derive(Debug, Default)]
pub(crate) struct View {
    text: String,
    /// What it was made of, in order. Together they are all of it.
    runs: Vec<Run>,
}

/// Some of a view that is put down to the text as one, for the parts of a view must not take much more than the text itself.
#[derive(Debug)]
struct Run {
    /// Where it begins in the view, and where what it stands for begins in the text.
    view: usize,
    text: usize,
    /// How many bytes one character of the text has that this all stands for. `None`: each character stands for one that has
    /// as many bytes as it has itself.
    one: Option<u8>,
}

impl View {
    /// Looks at a text. `None` if it is meant to be read as it stands, as nearly every text is.
    pub(crate) fn of(&mut self, text: &str) -> Option<&Self> {
        // Without a way out in the middle, this runs many bytes at a time.
        let is_plain = text.bytes().fold(true, |plain, byte| plain & (matches!(byte, b' '..=b'~') | ends_line(byte)));
        if is_plain || text.chars().all(is_as_read) {
            return None;
        }
        self.text.clear();
        self.runs.clear();
        for (start, character) in text.char_indices() {
            if is_as_read(character) {
                self.note(start, None);
                self.text.push(character);
            } else if !is_unseen(character) {
                self.read(start, character);
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
        let run_of = |byte: usize| self.runs.get(self.runs.partition_point(|run| run.view <= byte).checked_sub(1)?);
        let (Some(first), Some(last)) = (run_of(part.start), part.end.checked_sub(1).and_then(run_of)) else {
            return 0..0;
        };
        let start = first.text + first.one.map_or(part.start - first.view, |_| 0);
        let end = last.text + last.one.map_or(part.end - last.view, usize::from);
        start..end
    }

    /// Adds what a character is read as.
    fn read(&mut self, start: usize, character: char) {
        let mut signs = std::iter::once(character).nfkc().map(plain_sign).take(MOST_SIGNS + 1);
        let length = character.len_utf8();
        match (signs.next(), signs.next()) {
            (Some(only), None) => {
                self.note(start, (only.len_utf8() != length).then_some(length as u8));
                self.text.push(only);
            }
            (first, second) => {
                self.note(start, Some(length as u8));
                let begin = self.text.len();
                self.text.extend(first);
                self.text.extend(second);
                self.text.extend(signs);
                if self.text.get(begin..).is_some_and(|signs| signs.chars().count() > MOST_SIGNS) {
                    self.text.truncate(begin);
                    self.text.push(character);
                }
            }
        }
    }

    /// Notes what the character that is added next stands for.
    fn note(&mut self, text: usize, one: Option<u8>) {
        let view = self.text.len();
        let goes_on = |last: &Run| last.one.is_none() && text - last.text == view - last.view;
        if one.is_some() || !self.runs.last().is_some_and(goes_on) {
            self.runs.push(Run { view, text, one });
        }
    }
}

/// Whether a byte ends a line. Such stay as they are: a number that is broken over two lines is two, and a column of numbers
/// is not one.
fn ends_line(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// Whether a character surely stands for itself: those of ASCII, and of the scripts that most other text is in, of which
/// neither letter has another form nor is a digit. Only to be fast.
fn is_as_read(character: char) -> bool {
    match character {
        '\0'..='\x7f' => matches!(character, ' '..='~') || ends_line(character as u8),
        'À'..='ÿ' | 'Ѐ'..='ԯ' | 'ぁ'..='ゖ' | 'ァ'..='ヺ' | '一'..='鿿' | '가'..='힣' => true,
        _ => false,
    }
}

/// Whether nothing is seen of a character: what Unicode calls default-ignorable, signs of format, and controls. The tests hold
/// this, the dashes and the blanks to Unicode's own lists.
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
            | '\u{fff0}'..='\u{fffb}'
            | '\u{13430}'..='\u{13440}'
            | '\u{13447}'..='\u{13455}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    );
    // Those that separate words are blanks.
    is_ignorable || character.is_control() && !character.is_whitespace()
}

/// The sign of ASCII that a character is read as, or itself.
fn plain_sign(character: char) -> char {
    match character {
        ' '..='~' | '\n' | '\r' => character,
        // Dashes, and after them what people and programs put in place of one: a minus of phonetics, a bullet, a heavy minus,
        // a line, the signs of a long vowel.
        '\u{58a}'
        | '\u{5be}'
        | '\u{1400}'
        | '\u{1806}'
        | '\u{2010}'..='\u{2015}'
        | '\u{2053}'
        | '\u{2212}'
        | '\u{2e17}'
        | '\u{2e1a}'
        | '\u{2e3a}'..='\u{2e3b}'
        | '\u{2e40}'
        | '\u{2e5d}'
        | '\u{301c}'
        | '\u{3030}'
        | '\u{30a0}'
        | '\u{10d6e}'
        | '\u{10ead}'
        | '\u{2d7}'
        | '\u{2043}'
        | '\u{2796}'
        | '\u{2500}'
        | '\u{30fc}'
        | '\u{1173}' => '-',
        '。' => '.',
        // Blanks that Unicode does not call one: of Braille, of hieroglyphs.
        '\u{2800}' | '\u{13441}'..='\u{13442}' => ' ',
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
static DIGITS: LazyLock<Vec<ClassUnicodeRange>> = LazyLock::new(|| class(r"\d"));

/// The characters of a class.
fn class(pattern: &str) -> Vec<ClassUnicodeRange> {
    let parsed = regex_syntax::parse(pattern).expect("the pattern is a constant");
    match parsed.into_kind() {
        HirKind::Class(Class::Unicode(class)) => class.ranges().to_vec(),
        _ => Vec::new(),
    }
}

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
        for plain in ["", "ada@example.com\r\n~", "Zoë Ünal, Ян, 日本語 カナ ひら 한글", "αβγ ż שלום"]
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
    fn lists_of_unicode_are_held_whole() {
        let unseen = class(
            r"[\p{Default_Ignorable_Code_Point}\p{Cf}\p{Cc}\u{13440}\u{13447}-\u{13455}--[\s\p{Prepended_Concatenation_Mark}]]",
        );
        let dashes = class(r"[\p{Dash}\p{Pd}]");
        let blanks = class(r"[\s\u{2800}\u{13441}\u{13442}--[\r\n]]");
        let has = |ranges: &[ClassUnicodeRange], character| {
            ranges.iter().any(|range| (range.start()..=range.end()).contains(&character))
        };
        for character in char::MIN..=char::MAX {
            let mut view = View::default();
            let text = format!("a{character}b");
            let read = view.of(&text).map_or(text.as_str(), View::text);
            assert_eq!(read == "ab", has(&unseen, character), "{}", character.escape_unicode());
            assert!(read == "a-b" || !has(&dashes, character), "{}", character.escape_unicode());
            assert!(read == "a b" || !has(&blanks, character), "{}", character.escape_unicode());
        }
        for dash in ['\u{2d7}', '\u{2043}', '\u{2796}', '─', 'ー', 'ｰ', 'ㅡ'] {
            check(&format!("1{dash}2"), Some("1-2"));
        }
    }

    /// Lines stay lines: a pattern of one's own may look for all that follows in one.
    #[test]
    fn ends_of_lines_stay() {
        check("１\n2\r\n3", Some("1\n2\r\n3"));
        check("1\u{85}2\u{2028}3\u{b}4\u{c}5\t6", Some("1 2 3 4 5 6"));
    }

    /// Whoever can write a long text must not be able to fill an instance with it.
    #[test]
    fn a_view_takes_little_more_than_its_text() {
        const LENGTH: usize = 1 << 20;
        for part in ["ﷺ", "ﷻ", "㌖", "㎯", "⑽", "🄀", "ﬁ", "½", "ª", "ａ", "𝐚", "1\u{ad}", "\t", "é\u{200b}", "a…"]
        {
            let mut view = View::default();
            let text = format!("ａ{}", part.repeat(LENGTH / part.len()));
            let read = view.of(&text).unwrap();
            // An instance's addresses are half as long.
            let bytes = read.text.capacity() + read.runs.capacity() * size_of::<Run>() / 2;
            assert!(bytes <= 20 * LENGTH, "{part}: {bytes}");
        }
    }

    /// What would become many signs stays as it is, so it must hold nothing that a pattern looks for.
    #[test]
    fn what_is_left_alone_spells_nothing() {
        let is_left_alone = |character: &char| std::iter::once(*character).nfkc().count() > MOST_SIGNS;
        let left_alone: Vec<char> = (char::MIN..=char::MAX).filter(is_left_alone).collect();
        assert_eq!(left_alone, ['ﷺ', 'ﷻ']);
        for plain in left_alone.into_iter().nfkc().map(plain_sign) {
            assert!(plain == ' ' || !plain.is_ascii(), "{plain}");
        }
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
                for (start, first) in view.text.char_indices() {
                    let origin = view.origin(start..start + first.len_utf8());
                    prop_assert!(text.get(origin.clone()).is_some_and(|part| part.chars().count() == 1));
                }
                prop_assert!(view.runs.is_sorted_by_key(|run| (run.view, run.text)));
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
