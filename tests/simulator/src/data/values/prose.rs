//! Text as people write it, with personal data planted at known places.
//!
//! Which kind a call note holds follows from the record's rank among the live ones, modulo
//! [`CALL_NOTE_KINDS`]:
//!
//! | rank mod 8 | holds |
//! |---|---|
//! | 0 | an e-mail address |
//! | 1 | a US social security number |
//! | 2 | a card number that passes the Luhn check |
//! | 3 | two phone numbers |
//! | 4 | nothing personal |
//! | 5 | all four kinds, over several lines |
//! | 6 | near misses: numbers that look alike and are none of these |
//! | 7 | two e-mail addresses inside markup |

use super::super::random::Draw;
use super::super::record::Record;
use super::super::words;
use super::{append_email, append_pattern, append_phone, put};

/// The number of kinds in the table above.
const CALL_NOTE_KINDS: u64 = 8;

/// Beginnings of card numbers that payment processors keep for tests, and the number's length.
const CARDS: &[(&str, usize)] = &[("424242", 16), ("555555", 16), ("378282", 15), ("601111", 16)];

/// Appends a note of a call.
pub(super) fn append_call_note(record: &Record<'_>, draw: &mut Draw, text: &mut String) {
    match record.rank() % CALL_NOTE_KINDS {
        0 => {
            text.push_str("Spoke about the renewal. Send the offer to ");
            append_email(record, text);
            text.push_str(" before Friday.");
        }
        1 => {
            text.push_str("Identity checked, SSN ");
            append_social_security_number(draw, text);
            text.push_str(" on file; do not repeat over the phone.");
        }
        2 => {
            text.push_str("Paid by card ");
            append_card(draw, text);
            text.push_str(", expires 04/29. Receipt sent.");
        }
        3 => {
            text.push_str("Left a voicemail at ");
            append_phone(draw, text);
            text.push_str("; asked to be called at ");
            append_phone(draw, text);
            text.push_str(" after 5 pm.");
        }
        4 => text.push_str(draw.pick(words::REMARKS)),
        5 => {
            text.push_str("Summary of the intake:\n- reach at ");
            append_email(record, text);
            text.push_str(" or ");
            append_phone(draw, text);
            text.push_str("\n- SSN: ");
            append_social_security_number(draw, text);
            text.push_str("\n- card: ");
            append_card(draw, text);
            text.push_str("\nEnd of summary.");
        }
        6 => {
            let part = draw.below(90) + 10;
            put(text, format_args!("Order 4242 4242 4242 4241, part {part}-1234-567, ref 12345-6789, "));
            text.push_str("version 10.20.30.40, meeting @ 5pm, total 1234567890123.");
        }
        _ => {
            text.push_str("<p>From: <a href=\"mailto:");
            append_email(record, text);
            text.push_str("\">customer</a><br>Cc: front.desk+intake@clinic.example</p>");
        }
    }
}

/// Appends a clinical note, which only highly sensitive properties hold.
pub(super) fn append_clinical_note(record: &Record<'_>, draw: &mut Draw, text: &mut String) {
    let (condition, medicine) = (draw.pick(words::CONDITIONS), draw.pick(words::MEDICINES));
    put(
        text,
        format_args!("Patient reports {condition}.\nStarted {medicine}, review in {} weeks.", 2 + draw.below(10)),
    );
    if record.rank().is_multiple_of(3) {
        text.push_str("\nNext of kin: ");
        append_phone(draw, text);
    }
}

/// Appends a signature or body in HTML.
pub(super) fn append_html(record: &Record<'_>, draw: &mut Draw, text: &mut String) {
    let remark = draw.pick(words::REMARKS);
    put(text, format_args!("<div class=\"note\"><p>{remark}</p>\n<p>&mdash; <a href=\"mailto:"));
    append_email(record, text);
    text.push_str("\">reply</a>&nbsp;&copy;</p></div>");
}

/// Areas 000, 666 and 9xx, group 00 and serial 0000 were never issued; checkers skip them.
fn append_social_security_number(draw: &mut Draw, text: &mut String) {
    let (area, group, serial) = (1 + draw.below(665), 1 + draw.below(99), 1 + draw.below(9_999));
    put(text, format_args!("{area:03}-{group:02}-{serial:04}"));
}

/// A number that passes the Luhn check, plain, or in groups of four by blanks or dashes.
fn append_card(draw: &mut Draw, text: &mut String) {
    let (beginning, length) = draw.pick(CARDS);
    let mut number = beginning.to_owned();
    while number.len() < length - 1 {
        append_pattern("#", draw, &mut number);
    }
    number.push(luhn_check_digit(&number));
    let separator = [None, Some(' '), Some('-')][draw.below(3) as usize];
    for (index, digit) in number.chars().enumerate() {
        if let Some(separator) = separator
            && index > 0
            && index % 4 == 0
        {
            text.push(separator);
        }
        text.push(digit);
    }
}

/// The digit that completes `digits`: every second digit from the right counts double, with the
/// digits of the double added up, and the sum must end in 0.
fn luhn_check_digit(digits: &str) -> char {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(index, digit)| {
            let digit = u32::from(digit - b'0');
            let doubled = if index % 2 == 0 { digit * 2 } else { digit };
            if doubled > 9 { doubled - 9 } else { doubled }
        })
        .sum();
    char::from(b'0' + ((10 - sum % 10) % 10) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_digit_completes_well_known_test_numbers() {
        assert_eq!(luhn_check_digit("424242424242424"), '2');
        assert_eq!(luhn_check_digit("37828224631000"), '5');
        assert_eq!(luhn_check_digit("7992739871"), '3');
    }
}
