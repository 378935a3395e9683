//! Payment card numbers.
//!
//! Found are 13 to 19 digits, in groups or not, that begin with 2 to 6 as those of the card networks do, and whose last
//! digit is the check digit of the others (Luhn). One number in ten passes that check by chance, so a record id of that
//! length can be taken for a card; a time in milliseconds cannot, for it begins with 1.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::{Clues, SEPARATOR, digit_at, digit_before, end_of_digits};

/// From the oldest cards to the longest that ISO/IEC 7812 allows.
const DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

static CANDIDATE: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = format!("[2-6](?:{SEPARATOR}?[0-9]){{12,18}}");
    Regex::new(&pattern).expect("the pattern is a constant")
});

pub(crate) fn find(text: &str, clues: &Clues, found: &mut dyn FnMut(Range<usize>)) {
    if clues.digits < *DIGITS.start() {
        return;
    }
    let mut from = 0;
    while let Some(candidate) = CANDIDATE.find_at(text, from) {
        match card(text, candidate.range()) {
            Some(range) => {
                from = range.end;
                found(range);
            }
            // No number begins inside the digits that begin this one.
            None => from = end_of_digits(text, candidate.start()),
        }
    }
}

/// The longest card number at the start of a candidate: a month and a year may stand right behind one.
fn card(text: &str, candidate: Range<usize>) -> Option<Range<usize>> {
    if digit_before(text, candidate.start) {
        return None;
    }
    let digits: Vec<(usize, u8)> = (candidate.clone())
        .filter(|index| digit_at(text, *index))
        .map(|index| (index, text.as_bytes()[index] - b'0'))
        .collect();
    (*DIGITS.start()..=digits.len()).rev().find_map(|len| {
        let end = digits[len - 1].0 + 1;
        (!digit_at(text, end) && has_check_digit(&digits[..len])).then_some(candidate.start..end)
    })
}

/// Whether the last digit is the check digit of the others: from the right, every second digit counts twice, a sum of two
/// digits by its cross sum, and all together are a multiple of ten.
fn has_check_digit(digits: &[(usize, u8)]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, (_, digit))| {
            let digit = u32::from(*digit);
            match (place % 2, digit) {
                (0, _) => digit,
                (_, 0..5) => digit * 2,
                (_, _) => digit * 2 - 9,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::super::cases;

    #[track_caller]
    fn check(marked: &str) {
        cases::check(super::find, marked);
    }

    #[test]
    fn the_networks_test_numbers_are_found() {
        check("«4111111111111111» «4012888888881881» «4222222222222»"); // 16 and 13 digits
        check("«5555555555554444» «2223003122003222»");
        check("«378282246310005» «30569309025904»"); // 15 and 14 digits
        check("«6011111111111117» «3530111333300000» «6304000000000000»");
        check("«6205500000000000004»"); // 19 digits
    }

    #[test]
    fn groups_are_found() {
        check("«4111 1111 1111 1111»");
        check("card «4111-1111-1111-1111», exp 12/26");
        check("«3782 822463 10005»");
        check("«4111.1111\u{a0}1111\u{2011}1111»");
    }

    #[test]
    fn digits_around_do_not_hide_one() {
        check("«4111 1111 1111 1111» 12/26");
        check("«4111 1111 1111 1111» 123");
        check("12 «4111 1111 1111 1111»");
        check("x«4111111111111111»y");
    }

    #[test]
    fn other_numbers_are_not() {
        check("4111111111111112"); // wrong check digit
        check("4111 1111 1111 1112");
        check("0000 0000 0000 0000"); // right check digit, no network
        check("1712345678901"); // a time in milliseconds
        check("41111111111111111111"); // twenty digits
        check("94111111111111111"); // inside a longer number
        check("4111  1111  1111  1111"); // two blanks
        check("411111111111"); // too short
    }
}
