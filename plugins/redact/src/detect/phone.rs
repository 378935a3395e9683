//! Phone numbers.
//!
//! Found are: a `+` with 8 to 15 digits, in groups or not; North American numbers in groups of 3, 3 and 4, with the area
//! in brackets or not and a leading 1 or not; and North American numbers without any separator, where area and exchange
//! are possible ones (neither starts with 0 or 1) and the number stands alone. Not found: numbers in the national form of
//! other countries, and local numbers of 7 digits. A pattern of one's own can name those.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::{Clues, SEPARATOR, digit_at, digit_before, end_of_digits};

/// The least digits of an international number, country code included.
const MIN_DIGITS: usize = 8;

static CANDIDATE: LazyLock<Regex> = LazyLock::new(|| {
    let international = format!(r"\+[0-9](?:(?:{SEPARATOR}|[()/]){{0,3}}[0-9]){{7,14}}");
    let grouped = format!(
        r"(?:1{SEPARATOR}?)?(?:\([0-9]{{3}}\){SEPARATOR}{{0,2}}|[0-9]{{3}}{SEPARATOR})[0-9]{{3}}{SEPARATOR}[0-9]{{4}}"
    );
    let bare = "1?[2-9][0-9]{2}[2-9][0-9]{6}";
    Regex::new(&format!("{international}|{grouped}|{bare}")).expect("the pattern is a constant")
});

pub(crate) fn find(text: &str, clues: &Clues, found: &mut dyn FnMut(Range<usize>)) {
    if clues.digits < MIN_DIGITS {
        return;
    }
    let mut from = 0;
    while let Some(candidate) = CANDIDATE.find_at(text, from) {
        match number(text, candidate.range()) {
            Some(range) => {
                from = range.end;
                found(range);
            }
            // No number begins inside the digits that begin this one.
            None => from = end_of_digits(text, candidate.start()),
        }
    }
}

/// What of a candidate is a number.
fn number(text: &str, candidate: Range<usize>) -> Option<Range<usize>> {
    let digits = text.get(candidate.clone())?;
    if digits.starts_with('+') {
        return international(text, candidate);
    }
    let is_bare = digits.bytes().all(|byte| byte.is_ascii_digit());
    let in_longer_number = digit_before(text, candidate.start) || digit_at(text, candidate.end);
    let stands_apart = !in_longer_number && (!is_bare || !is_part_of_a_word(text, &candidate));
    stands_apart.then_some(candidate)
}

/// The longest part of the candidate that does not end inside a group of digits.
fn international(text: &str, candidate: Range<usize>) -> Option<Range<usize>> {
    let mut end = candidate.end;
    while digit_at(text, end) {
        let within = text.get(candidate.start..end)?;
        end = candidate.start + within.trim_end_matches(|character: char| character.is_ascii_digit()).len();
        end = candidate.start
            + text.get(candidate.start..end)?.trim_end_matches(|character: char| !character.is_ascii_digit()).len();
    }
    let digits = text.get(candidate.start..end)?.bytes().filter(u8::is_ascii_digit).count();
    (digits >= MIN_DIGITS).then_some(candidate.start..end)
}

/// Whether letters, or the other half of a decimal number, touch these digits.
fn is_part_of_a_word(text: &str, digits: &Range<usize>) -> bool {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    let before = text.get(..digits.start).unwrap_or_default();
    let after = text.get(digits.end..).unwrap_or_default();
    before.ends_with(is_word)
        || after.starts_with(is_word)
        || before
            .strip_suffix(['.', ','])
            .is_some_and(|front| front.ends_with(|character: char| character.is_ascii_digit()))
        || after
            .strip_prefix(['.', ','])
            .is_some_and(|rest| rest.starts_with(|character: char| character.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::super::cases;

    #[track_caller]
    fn check(marked: &str) {
        cases::check(super::find, marked);
    }

    #[test]
    fn north_american_numbers_are_found() {
        check("«555-123-4567»");
        check("Call «(555) 123-4567» or «555.123.4567».");
        check("«1-555-123-4567», «1 555 123 4567», «1(555)123-4567», «+1 555 123 4567»");
        check("«2025550123» and «12025550123»");
        check("tel:«2025550123»;«202 555 0123»");
        check("«555\u{a0}123\u{2011}4567»");
        check("fax «(555)-123-4567», «(555)123 4567»");
    }

    #[test]
    fn international_numbers_are_found() {
        check("«+44 20 7946 0958»");
        check("«+4915112345678», «+49 (0)151 1234-5678»");
        check("«+33.1.70.36.39.50»/«+353 1 234 5678»");
        check("from «+44 20 7946 0958» to 5");
        check("«+12025550123»x44");
    }

    #[test]
    fn what_follows_an_international_number_does_not_hide_it() {
        check("«+1 555 123 4567» 20245");
        check("«+1 555 123 4567» 123456");
    }

    #[test]
    fn other_numbers_are_not() {
        check("20255501234"); // eleven digits that do not begin with 1
        check("120255501234567"); // inside a longer number
        check("92025550123");
        check("1234567890"); // no area begins with 1
        check("2021550123"); // no exchange begins with 1
        check("1712345678901"); // a time in milliseconds
        check("3.2025550123 2025550123.5"); // a decimal number
        check("id2025550123 a2025550123f 2025550123abc x_2025550123"); // part of an identifier
        check("2026-09-01 12:30:00");
        check("555-1234"); // local
        check("+1234567"); // too short
        check("+1234567890123456"); // too long
        check("5555-123-4567 555-123-45678");
        check("192.168.100.200");
        check("$1,234,567.89");
    }
}
