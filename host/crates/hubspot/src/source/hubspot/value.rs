//! HubSpot's values: all of them text on the wire, whatever the property's type says.
//!
//! A value that fits its type becomes one; a value that does not is kept as text beside it, in the column
//! `property_unparsed_<name>`, so that nothing is lost and nothing fails.
//! An empty text means the same as `null`: the value was cleared.

use std::ops::RangeInclusive;

use jiff::civil;

/// Whole numbers of up to this many digits fit a 64-bit float exactly.
const DIGITS_ALWAYS_EXACT: usize = 15;

/// The day that dates count from.
const EPOCH: civil::Date = civil::date(1970, 1, 1);

const MICROS_A_DAY: i64 = 86_400_000_000;

/// The microseconds of the years 1 to 9999: what every reader of the tables can hold. Anything outside of it is no time.
const TIMES: RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// `true` or `false`.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// A whole number.
pub(super) fn integer(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// A finite number that a 64-bit float holds: a whole one exactly, one with a fraction as closely as floats do, unless there
/// are so many digits before the point that little or nothing of the fraction is left.
pub(super) fn float(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    // `inf`, `nan` and `infinity` parse, but no number property means them.
    if !value.is_finite() || !text.ends_with(|last: char| last.is_ascii_digit() || last == '.') {
        return None;
    }
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, ""));
    let is_zero = digits.bytes().all(|byte| !byte.is_ascii_digit() || byte == b'0');
    if (value == 0.0) != is_zero {
        return None;
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.trim_start_matches(['+', '-', '0']);
    if whole.len() > DIGITS_ALWAYS_EXACT {
        let is_exact = exponent.is_empty() && fraction.bytes().all(|digit| digit == b'0');
        if !is_exact || format!("{:.0}", value.abs()) != whole {
            return None;
        }
    }
    Some(value)
}

/// Days since 1970-01-01, from `2026-01-31`, or from a time in any form that [`timestamp`] reads, if it is midnight UTC.
pub(super) fn date(text: &str) -> Option<i32> {
    let micros = timestamp(text).filter(|micros| micros % MICROS_A_DAY == 0)?;
    (micros / MICROS_A_DAY).try_into().ok()
}

/// Microseconds since 1970-01-01T00:00:00Z, from ISO 8601 with an offset, from a date (midnight UTC), or from
/// milliseconds. All of the years 1 to 9999: "the end of time" is a value that people enter.
pub(super) fn timestamp(text: &str) -> Option<i64> {
    if let Some((date, time)) = text.split_once('T') {
        let (time, offset) = split_offset(time)?;
        return in_range(day_of(date)? * MICROS_A_DAY + time_of_day(time)? - offset);
    }
    match text.parse::<i64>() {
        Ok(milliseconds) => micros_of(milliseconds),
        Err(_) => in_range(day_of(text)? * MICROS_A_DAY),
    }
}

/// The microseconds of a count of milliseconds, if it can be a time at all.
fn micros_of(milliseconds: i64) -> Option<i64> {
    in_range(milliseconds.checked_mul(1000)?)
}

fn in_range(micros: i64) -> Option<i64> {
    Some(micros).filter(|micros| TIMES.contains(micros))
}

/// Days since 1970-01-01 of `YYYY-MM-DD` and nothing else: jiff alone would take a time behind it, and lose it.
fn day_of(text: &str) -> Option<i64> {
    let shaped = text.len() == 10 && text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-';
    let date: civil::Date = if shaped { text.parse().ok()? } else { return None };
    Some((date.duration_since(EPOCH)).as_hours() / 24)
}

/// Microseconds since midnight of `HH:MM:SS` with up to nine digits of a fraction. What is finer than a microsecond is cut.
fn time_of_day(text: &str) -> Option<i64> {
    let (clock, fraction) = match text.split_once('.') {
        Some((clock, fraction)) => (clock, fraction),
        None => (text, "0"),
    };
    let mut parts = clock.split(':');
    let mut part = |below: i64| parts.next().and_then(two_digits).filter(|value| *value < below);
    let seconds = part(24)? * 3600 + part(60)? * 60 + part(60)?;
    let digits = fraction.bytes().all(|byte| byte.is_ascii_digit()) && (1..=9).contains(&fraction.len());
    if parts.next().is_some() || !digits {
        return None;
    }
    let micros: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    Some(seconds * 1_000_000 + micros)
}

/// A time and its offset from UTC in microseconds: `Z`, `+01:00`.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    if let Some(time) = text.strip_suffix('Z') {
        return Some((time, 0));
    }
    let (time, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let size = (hours * 60 + minutes) * 60 * 1_000_000;
    match offset.as_bytes()[0] {
        b'+' => Some((time, size)),
        b'-' => Some((time, -size)),
        _ => None,
    }
}

fn two_digits(text: &str) -> Option<i64> {
    (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_lose_digits_are_not_numbers() {
        assert_eq!(float("12.50"), Some(12.5));
        assert_eq!(float("-0.1"), Some(-0.1));
        assert_eq!(float("9007199254740992"), Some(9_007_199_254_740_992.0));
        assert_eq!(float("123456789012345.75"), Some(123_456_789_012_345.75));
        assert_eq!(float("9007199254740993"), None);
        assert_eq!(float("-9007199254740992.0"), Some(-9_007_199_254_740_992.0));
        assert_eq!(float("9007199254740993.0"), None);
        assert_eq!(float("0012345678901234567.5"), None);
        assert_eq!(float("1234567890123456.75"), None);
        assert_eq!(float("1234567890123456789012345678901234567890123"), None);
        assert_eq!(float("1e22"), Some(1e22));
        assert_eq!(float("12345678901234567e3"), None);
        assert_eq!(float("1e400"), None);
        assert_eq!(float("1e-400"), None);
        assert_eq!((float("0"), float("-0.00"), float("0e5")), (Some(0.0), Some(-0.0), Some(0.0)));
        for text in ["", "n/a", "123;456", "NaN", "inf", "infinity", "1 000", "0x10", "١٢"] {
            assert_eq!(float(text), None, "{text}");
        }
    }

    #[test]
    fn dates_are_days_whatever_their_form() {
        assert_eq!(date("1970-01-01"), Some(0));
        assert_eq!(date("2026-01-31"), Some(20_484));
        assert_eq!(date("1769817600000"), Some(20_484));
        assert_eq!(date("1601-01-01"), Some(-134_774));
        assert_eq!(date("9999-12-31"), Some(2_932_896));
        for midnight in [
            "2026-01-31T00:00:00Z",
            "2026-01-31T00:00:00.000Z",
            "2026-01-31T00:00:00+00:00",
            "2026-01-31T01:30:00+01:30",
        ] {
            assert_eq!(date(midnight), Some(20_484), "{midnight}");
        }
        for text in [
            "",
            "2026-02-30",
            "2026-01-31T10:00:00Z",
            "2026-01-31T00:00:00.000001Z",
            "2026-01-31T00:00:00",
            "1769817600001",
            "31.01.2026",
            "2026-1-31",
            "2592000000000000000",
        ] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn timestamps_are_microseconds_whatever_their_form() {
        assert_eq!(timestamp("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(timestamp("2026-01-02T03:04:05.678Z"), Some(1_767_323_045_678_000));
        assert_eq!(timestamp("2026-01-02T03:04:05.678901Z"), Some(1_767_323_045_678_901));
        assert_eq!(timestamp("2026-01-02T04:04:05.678+01:00"), Some(1_767_323_045_678_000));
        assert_eq!(timestamp("1767323045678"), Some(1_767_323_045_678_000));
        assert_eq!(timestamp("2026-01-31"), Some(20_484 * 86_400_000_000));
        assert_eq!(timestamp("9999-12-31T23:59:59.999Z"), Some(253_402_300_799_999_000));
        assert_eq!(timestamp("1601-01-01T00:00:00Z"), Some(-11_644_473_600_000_000));
        assert_eq!(timestamp("2026-01-02T03:04:05Z"), Some(1_767_323_045_000_000));
        for text in [
            "",
            "yesterday",
            "2026-01-02T03:04",
            "2026-01-02T03:04:05",
            "2026-01-02T24:00:00Z",
            "2026-01-02T03:04:05.Z",
            "2026-01-02T03:04:05.1234567890Z",
            "2026-01-02 03:04:05",
            "99999999999999999",
            "9999-12-31T23:59:59-01:00",
            "0000-12-31T23:59:59Z",
            "2026-01-02T03:04:05+24:00",
        ] {
            assert_eq!(timestamp(text), None, "{text}");
        }
    }
}
