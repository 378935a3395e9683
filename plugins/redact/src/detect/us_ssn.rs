//! US social security numbers.
//!
//! Found are nine digits as 3, 2 and 4 with dashes or blanks between, where the number was ever given out: no area 000,
//! 666 or above 899, no group 00, no serial 0000. Not found: nine digits without separators, which most often are
//! something else.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::{Clues, digit_at, digit_before, end_of_digits};

const DIGITS: usize = 9;

/// Dashes and blanks. Dots would make it a version or an amount.
const SEPARATOR: &str = r"[ \-\x{a0}\x{2010}-\x{2014}\x{202f}]";

static CANDIDATE: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = format!("[0-9]{{3}}{SEPARATOR}[0-9]{{2}}{SEPARATOR}[0-9]{{4}}");
    Regex::new(&pattern).expect("the pattern is a constant")
});

pub(crate) fn find(text: &str, clues: &Clues, found: &mut dyn FnMut(Range<usize>)) {
    if clues.digits < DIGITS {
        return;
    }
    let mut from = 0;
    while let Some(candidate) = CANDIDATE.find_at(text, from) {
        let in_longer_number = digit_before(text, candidate.start()) || digit_at(text, candidate.end());
        if !in_longer_number && was_given_out(candidate.as_str()) {
            from = candidate.end();
            found(candidate.range());
        } else {
            from = end_of_digits(text, candidate.start());
        }
    }
}

/// Whether a number has an area, a group and a serial that exist.
fn was_given_out(number: &str) -> bool {
    let digits: Vec<u8> = number.bytes().filter(u8::is_ascii_digit).collect();
    let [a, b, c, group @ .., _, _, _, _] = digits.as_slice() else { return false };
    let area = [*a, *b, *c];
    area != *b"000" && area != *b"666" && *a != b'9' && group != b"00" && !digits.ends_with(b"0000")
}

#[cfg(test)]
mod tests {
    use super::super::cases;

    #[track_caller]
    fn check(marked: &str) {
        cases::check(super::find, marked);
    }

    #[test]
    fn numbers_are_found() {
        check("«123-45-6789»");
        check("SSN:«078-05-1120», «899 99 9999».");
        check("ssn«123-45-6789»x");
        check("«123\u{2011}45\u{2013}6789»");
        check("12 «123-45-6789»");
    }

    #[test]
    fn numbers_that_were_never_given_out_are_not() {
        check("000-12-3456 666-12-3456 900-12-3456 999-99-9999");
        check("123-00-4567 123-45-0000");
    }

    #[test]
    fn other_numbers_are_not() {
        check("1123-45-6789");
        check("123-45-67890");
        check("123456789");
        check("123.45.6789");
        check("2026-09-01");
        check("555-123-4567");
    }

    #[test]
    fn a_refused_one_does_not_hide_the_next() {
        check("1123-45-6789 «123-45-6789»");
        check("000-12-3456-«123-45-6789»");
    }
}
