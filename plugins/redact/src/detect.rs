//! What personal data looks like in free text.
//!
//! Each module finds one kind and stands alone, with its rules and a table of cases. They lean to finding too much rather
//! than too little, and stay off what can be told from personal data for sure: a number inside a longer number, a card
//! number whose check digit is wrong.

pub(crate) mod card;
pub(crate) mod email;
pub(crate) mod phone;
pub(crate) mod us_ssn;

/// What a glance at a text tells of what can be in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clues {
    pub(crate) has_at: bool,
    pub(crate) digits: usize,
}

impl Clues {
    pub(crate) fn of(text: &str) -> Self {
        let mut clues = Self { has_at: false, digits: 0 };
        // Counted in single bytes and without a way out in the middle, this runs many bytes at a time.
        for piece in text.as_bytes().chunks(usize::from(u8::MAX)) {
            let ats = piece.iter().fold(0_u8, |count, byte| count + u8::from(*byte == b'@'));
            let digits = piece.iter().fold(0_u8, |count, byte| count + u8::from(byte.is_ascii_digit()));
            clues.has_at |= ats > 0;
            clues.digits += usize::from(digits);
        }
        clues
    }
}

/// What people put between the digits of a number, as a class of a regular expression: blanks, dots and dashes, also those
/// that word processors make of them.
const SEPARATOR: &str = r"[ .\-\x{a0}\x{2010}-\x{2014}\x{202f}]";

/// Whether the byte before this position is a digit.
fn digit_before(text: &str, position: usize) -> bool {
    position > 0 && text.as_bytes()[position - 1].is_ascii_digit()
}

/// Whether the byte at this position is a digit.
fn digit_at(text: &str, position: usize) -> bool {
    text.as_bytes().get(position).is_some_and(u8::is_ascii_digit)
}

/// Where the first run of digits from a position on ends.
fn end_of_digits(text: &str, from: usize) -> usize {
    let bytes = &text.as_bytes()[from..];
    let start = bytes.iter().position(u8::is_ascii_digit).unwrap_or(bytes.len());
    let len = bytes[start..].iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len() - start);
    from + start + len
}

#[cfg(test)]
mod cases {
    use std::ops::Range;

    use super::Clues;

    #[test]
    fn clues_count_past_a_piece() {
        let text = format!("{}@{}", "7".repeat(300), "x".repeat(300));
        let clues = Clues::of(&text);
        assert_eq!((clues.has_at, clues.digits), (true, 300));
        let none = Clues::of("é".repeat(300).as_str());
        assert_eq!((none.has_at, none.digits), (false, 0));
    }

    /// Checks that a text, written with what should be found in it between `«` and `»`, is searched right.
    #[track_caller]
    pub(super) fn check(find: fn(&str, &Clues, &mut dyn FnMut(Range<usize>)), marked: &str) {
        let text = marked.replace(['«', '»'], "");
        let mut found = Vec::new();
        find(&text, &Clues::of(&text), &mut |range| found.push(range));
        let mut remarked = text.clone();
        for range in found.iter().rev() {
            remarked.insert(range.end, '»');
            remarked.insert(range.start, '«');
        }
        assert_eq!(remarked, marked);
    }
}
