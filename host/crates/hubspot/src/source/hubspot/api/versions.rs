//! How long HubSpot supports the versions of its API.
//!
//! What is no longer supported still answers, for a while: nothing is mended there, and one day it is gone. Versions with a
//! date for a name come out in March and September, and each is supported for eighteen months at least.

use jiff::civil::{Date, date};
use sluice_model::stream::StreamKind;

use super::paths::{MARCH, Paths};

/// How many days before the end of a version people are warned: enough to change a pipeline file in calm.
const NEAR: i32 = 180;

/// Until when each version is supported. HubSpot has said a day of the fourth numbered version, and a month (September 2027) of
/// those before it; the others end, at the earliest, eighteen months after they came out.
const ENDS: [(&str, Date); 4] =
    [("v3", date(2027, 9, 1)), (V4, date(2027, 3, 30)), (MARCH, date(2027, 9, 30)), ("2026-09", date(2028, 3, 8))];

/// The numbered version that associations are in, of the numbered ones.
const V4: &str = "v4";

/// A version that is asked, and how long it is supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Support {
    /// The version.
    pub version: &'static str,
    /// What is asked of it, where that is not everything: another version than the one that was chosen.
    pub only: Option<&'static str>,
    /// The last day for which HubSpot has promised to support it.
    pub until: Date,
    /// How near that is.
    pub standing: Standing,
}

/// How near the end of a version is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// More than half a year away.
    Far,
    /// So many days away.
    Near(i32),
    /// It is over.
    Over,
}

impl Standing {
    fn of(until: Date, today: Date) -> Self {
        match (until - today).get_days() {
            ..0 => Self::Over,
            days @ 0..=NEAR => Self::Near(days),
            _ => Self::Far,
        }
    }
}

impl Paths {
    /// The versions that are asked in order to read these kinds of streams: the chosen one first, then others which have what
    /// it lacks.
    pub fn support<'k>(self, kinds: impl IntoIterator<Item = &'k StreamKind>, today: Date) -> Vec<Support> {
        let mut asked = vec![(self.version(), None)];
        for kind in kinds {
            let elsewhere = match kind {
                StreamKind::AccountUsers | StreamKind::Teams => (self.people(), Some("users and teams")),
                StreamKind::Associations { .. } | StreamKind::AssociationDefinitions => match self {
                    Self::Numbered => (V4, Some("associations")),
                    Self::Dated(_) => continue,
                },
                _ => continue,
            };
            if elsewhere.0 != self.version() && !asked.contains(&elsewhere) {
                asked.push(elsewhere);
            }
        }
        let support = |(version, only): (&'static str, _)| {
            let (_, until) = ENDS.into_iter().find(|(known, _)| *known == version)?;
            Some(Support { version, only, until, standing: Standing::of(until, today) })
        };
        asked.into_iter().filter_map(support).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(paths: Paths, kinds: &[StreamKind], today: Date) -> Vec<(&'static str, Option<&'static str>, Standing)> {
        paths.support(kinds, today).into_iter().map(|it| (it.version, it.only, it.standing)).collect()
    }

    #[test]
    fn an_end_is_far_then_near_then_over() {
        let until = date(2027, 9, 30);
        for (today, standing) in [
            (date(2026, 11, 26), Standing::Far),
            (date(2027, 4, 2), Standing::Far),
            (date(2027, 4, 3), Standing::Near(180)),
            (date(2027, 9, 29), Standing::Near(1)),
            (until, Standing::Near(0)),
            (date(2027, 10, 1), Standing::Over),
            (date(2031, 1, 1), Standing::Over),
        ] {
            assert_eq!(of(Paths::Dated(MARCH), &[], today), [(MARCH, None, standing)], "{today}");
        }
    }

    #[test]
    fn every_version_has_an_end() {
        let today = date(2026, 11, 26);
        for paths in [Paths::Dated("2026-09"), Paths::Dated(MARCH), Paths::Numbered] {
            assert_eq!(of(paths, &[StreamKind::Owners], today).len(), 1, "{paths:?}");
        }
    }

    #[test]
    fn what_is_asked_of_another_version_is_told_once_and_only_where_it_is_read() {
        let today = date(2026, 11, 26);
        let kinds =
            [StreamKind::Owners, StreamKind::AccountUsers, StreamKind::Teams, StreamKind::AssociationDefinitions];
        assert_eq!(
            of(Paths::Dated("2026-09"), &kinds, today),
            [("2026-09", None, Standing::Far), (MARCH, Some("users and teams"), Standing::Far)]
        );
        assert_eq!(of(Paths::Dated(MARCH), &kinds, today), [(MARCH, None, Standing::Far)]);
        assert_eq!(
            of(Paths::Numbered, &kinds, today),
            [("v3", None, Standing::Far), (V4, Some("associations"), Standing::Near(124))]
        );
    }
}
