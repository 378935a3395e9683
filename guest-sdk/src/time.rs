//! Days and instants, as the contract counts them, with their ISO 8601 forms.
//!
//! Enough to cut a date to its year or to write one in a test. No time zones beyond UTC, no arithmetic, and no "now":
//! a plugin has no clock.

use std::fmt;
use std::str::FromStr;

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
const MICROS_PER_DAY: i64 = SECONDS_PER_DAY * MICROS_PER_SECOND;

/// A day of the Gregorian calendar, counted from 1970-01-01.
///
/// ```
/// # use sluice_guest::Date;
/// let born: Date = "1956-07-29".parse()?;
/// let (year, _, _) = born.year_month_day();
/// assert_eq!(Date::from_year_month_day(year, 1, 1).map(|date| date.to_string()), Some("1956-01-01".to_owned()));
/// # Ok::<(), sluice_guest::InvalidTime>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i32);

/// An instant in microseconds from 1970-01-01T00:00:00Z.
///
/// ```
/// # use sluice_guest::Timestamp;
/// let at: Timestamp = "2026-09-01T12:30:00.25Z".parse()?;
/// assert_eq!(at.date().to_string(), "2026-09-01");
/// assert_eq!(at.to_string(), "2026-09-01T12:30:00.250000Z");
/// # Ok::<(), sluice_guest::InvalidTime>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A text that is not a date or timestamp in the form expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidTime {
    expected: &'static str,
}

impl Date {
    /// The day so many days after 1970-01-01.
    pub fn from_days(days: i32) -> Self {
        Self(days)
    }

    /// Days after 1970-01-01; negative before it.
    pub fn days(self) -> i32 {
        self.0
    }

    /// The day of a year, month (1 to 12) and day of the month; `None` where there is no such day.
    pub fn from_year_month_day(year: i32, month: u32, day: u32) -> Option<Self> {
        if !(1..=12).contains(&month) || day == 0 {
            return None;
        }
        let date = i32::try_from(days_from_civil(i64::from(year), month, day)).ok().map(Self)?;
        // A day past the end of its month comes back as one of the next.
        (date.year_month_day() == (year, month, day)).then_some(date)
    }

    /// Year, month (1 to 12) and day of the month.
    pub fn year_month_day(self) -> (i32, u32, u32) {
        civil_from_days(i64::from(self.0))
    }
}

impl Timestamp {
    /// The instant so many microseconds after 1970-01-01T00:00:00Z.
    pub fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds after 1970-01-01T00:00:00Z; negative before it.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// The day in UTC.
    pub fn date(self) -> Date {
        // Every 64-bit count of microseconds is within 300,000 years, so its days fit.
        Date(self.0.div_euclid(MICROS_PER_DAY) as i32)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.year_month_day();
        write!(formatter, "{year:04}-{month:02}-{day:02}")
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let in_day = self.0.rem_euclid(MICROS_PER_DAY);
        let (seconds, micros) = (in_day / MICROS_PER_SECOND, in_day % MICROS_PER_SECOND);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(formatter, "{}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z", self.date())
    }
}

impl FromStr for Date {
    type Err = InvalidTime;

    /// Reads `2026-09-01`.
    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        let parse = || {
            let (year, rest) = text.split_at_checked(4)?;
            let (month, day) = rest.strip_prefix('-')?.split_once('-')?;
            Self::from_year_month_day(number(year, 4)?, number(month, 2)?, number(day, 2)?)
        };
        parse().ok_or(InvalidTime { expected: "a date such as `2026-09-01`" })
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTime;

    /// Reads `2026-09-01T12:30:00Z`, with up to six digits of fraction.
    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        let parse = || {
            let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
            let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
            let mut parts = time.split(':').map(|part| number::<i64>(part, 2));
            let (Some(hour @ 0..24), Some(minute @ 0..60), Some(second @ 0..60), None) =
                (parts.next()?, parts.next()?, parts.next()?, parts.next())
            else {
                return None;
            };
            let micros = number::<i64>(fraction, fraction.len())?
                * 10_i64.checked_pow(6_usize.checked_sub(fraction.len())? as u32)?;
            let seconds =
                i64::from(date.parse::<Date>().ok()?.days()) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
            Some(Self(seconds * MICROS_PER_SECOND + micros))
        };
        parse().ok_or(InvalidTime { expected: "a timestamp such as `2026-09-01T12:30:00Z`" })
    }
}

impl fmt::Display for InvalidTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "expected {}", self.expected)
    }
}

impl std::error::Error for InvalidTime {}

/// A number written with exactly so many digits and nothing else.
fn number<N: FromStr>(text: &str, digits: usize) -> Option<N> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

// The calendar repeats every 400 years, an "era" of 146,097 days. Counting years from March puts the leap day last, so
// that a day of the year gives its month by one division.
const DAYS_PER_ERA: i64 = 146_097;
/// From 0000-03-01 to 1970-01-01.
const DAYS_TO_EPOCH: i64 = 719_468;

fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let months_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * months_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_ERA + day_of_era - DAYS_TO_EPOCH
}

fn civil_from_days(days: i64) -> (i32, u32, u32) {
    let days = days + DAYS_TO_EPOCH;
    let (era, day_of_era) = (days.div_euclid(DAYS_PER_ERA), days.rem_euclid(DAYS_PER_ERA));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months_from_march + 2) / 5 + 1;
    let month = if months_from_march < 10 { months_from_march + 3 } else { months_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year as i32, month as u32, day as u32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check_date(text: &str, days: i32) {
        assert_eq!(text.parse(), Ok(Date(days)));
        assert_eq!(Date(days).to_string(), text);
    }

    #[test]
    fn known_days() {
        check_date("1970-01-01", 0);
        check_date("1969-12-31", -1);
        check_date("2000-02-29", 11_016);
        check_date("2026-09-01", 20_697);
        check_date("0001-01-01", -719_162);
        check_date("9999-12-31", 2_932_896);
    }

    #[test]
    fn known_instants() {
        assert_eq!("1970-01-01T00:00:00Z".parse(), Ok(Timestamp(0)));
        assert_eq!("2026-09-01T00:00:01.5Z".parse(), Ok(Timestamp((20_697 * 86_400 + 1) * 1_000_000 + 500_000)));
        assert_eq!(Timestamp(-1).to_string(), "1969-12-31T23:59:59.999999Z");
        assert_eq!(Timestamp(-1).date(), Date(-1));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2026-9-1",
            "2026-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-01-00",
            "+026-01-01",
            "2026-01-01 ",
            "20é6-01-01",
        ] {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
        for text in [
            "2026-09-01",
            "2026-09-01T24:00:00Z",
            "2026-09-01T00:60:00Z",
            "2026-09-01T00:00Z",
            "2026-09-01T00:00:00",
            "2026-09-01T00:00:00.Z",
            "2026-09-01T00:00:00.1234567Z",
            "2026-09-01T00:00:00:00Z",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
        assert_eq!("x".parse::<Date>().unwrap_err().to_string(), "expected a date such as `2026-09-01`");
    }

    proptest! {
        #[test]
        fn a_day_survives_the_way_there_and_back(days in -719_162..=2_932_896_i32) {
            let (year, month, day) = Date(days).year_month_day();
            prop_assert_eq!(Date::from_year_month_day(year, month, day), Some(Date(days)));
            prop_assert_eq!(Date(days).to_string().parse(), Ok(Date(days)));
        }

        #[test]
        fn an_instant_survives_the_way_there_and_back(micros in -62_135_596_800_000_000..253_402_300_800_000_000_i64) {
            prop_assert_eq!(Timestamp(micros).to_string().parse(), Ok(Timestamp(micros)));
        }

        #[test]
        fn no_text_panics(text: String) {
            prop_assert!(text.parse::<Date>().is_err() || text.len() == 10);
            prop_assert!(text.parse::<Timestamp>().is_err() || text.ends_with('Z'));
        }
    }
}
