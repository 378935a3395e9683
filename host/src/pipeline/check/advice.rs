//! What a check finds that keeps no run from its end: warnings, which somebody should look after, and notes. Pure.

use sluice_hubspot::source::{
    Reach, Unneeded,
    hubspot::{Standing, Support},
};
use sluice_lake::bucket::{Facts, Known};

/// Warnings and notes of the scopes that no stream needs; `None`: HubSpot does not tell them.
pub(super) fn of_scopes(unneeded: Option<&[Unneeded]>) -> (Vec<String>, Vec<String>) {
    let Some(unneeded) = unneeded else {
        return (Vec::new(), vec!["not told: HubSpot does not say which scopes this token has".to_owned()]);
    };
    let of = |reach: Reach, words: &str| {
        let scopes: Vec<&str> = unneeded.iter().filter(|it| it.reach == reach).map(|it| it.scope.as_str()).collect();
        (!scopes.is_empty()).then(|| format!("{words}: `{}`", scopes.join("`, `")))
    };
    let warnings = [
        of(Reach::Writes, "the token may change data, which no run does"),
        of(Reach::Sensitive, "the token may read sensitive values that the streams do not ask for"),
        of(Reach::Other, "the streams do not need these scopes of the token"),
    ];
    let warnings: Vec<String> = warnings.into_iter().flatten().collect();
    let note = if warnings.is_empty() {
        "the token has no scope that the streams do not need"
    } else {
        "a token with what the streams need and no more does the least harm where it leaks"
    };
    (warnings, vec![note.to_owned()])
}

/// Warnings and notes of the versions of the API.
pub(super) fn of_versions(asked: &[Support]) -> (Vec<String>, Vec<String>) {
    let (mut warnings, mut notes) = (Vec::new(), Vec::new());
    for Support { version, only, until, standing } in asked {
        let (subject, mend) = match only {
            None => (format!("`api_version = \"{version}\"`"), "set a later version"),
            Some(what) => (
                format!("{what} are asked of version {version} whatever `api_version` says, and it"),
                "look for a later sluice",
            ),
        };
        match standing {
            Standing::Far => notes.push(format!("{subject} is supported until {until} at least")),
            Standing::Near(days) => warnings.push(format!(
                "{subject} is supported until {until}, {days} days from now: {mend} before HubSpot mends nothing there any more"
            )),
            Standing::Over => warnings.push(format!(
                "{subject} was supported until {until}: HubSpot mends nothing there any more, and may take it away: {mend}"
            )),
        }
    }
    (warnings, notes)
}

/// Notes of what the bucket says of itself.
pub(super) fn of_bucket(facts: &Facts) -> Vec<String> {
    let mut notes = facts.lines();
    if let Known::Is(versioning) = facts.versioning
        && versioning.keeps()
    {
        notes.push(
            "what is removed, by `keep` too, can be read on in older versions, until `sluice expire --versions` removes them"
                .to_owned(),
        );
    }
    if facts.unfinished == Known::Is(None) {
        notes.push(
            "advice: a lifecycle rule with `AbortIncompleteMultipartUpload` removes what runs leave that were killed"
                .to_owned(),
        );
    }
    notes
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use sluice_lake::bucket::Versioning;

    use super::*;

    #[test]
    fn a_version_is_a_note_then_a_warning_then_a_graver_one() {
        let support = |standing, only| Support { version: "2026-03", only, until: date(2027, 9, 30), standing };
        let (warnings, notes) = of_versions(&[support(Standing::Far, None)]);
        assert!(warnings.is_empty(), "{warnings:?}");
        assert_eq!(notes, ["`api_version = \"2026-03\"` is supported until 2027-09-30 at least"]);
        let (warnings, notes) =
            of_versions(&[support(Standing::Near(12), None), support(Standing::Over, Some("users and teams"))]);
        assert!(notes.is_empty(), "{notes:?}");
        assert_eq!(
            warnings,
            [
                "`api_version = \"2026-03\"` is supported until 2027-09-30, 12 days from now: set a later version before \
                 HubSpot mends nothing there any more",
                "users and teams are asked of version 2026-03 whatever `api_version` says, and it was supported until \
                 2027-09-30: HubSpot mends nothing there any more, and may take it away: look for a later sluice",
            ]
        );
    }

    #[test]
    fn what_is_kept_for_ever_is_told() {
        let facts = |versioning, unfinished| Facts {
            region: Known::NotTold,
            versioning: Known::Is(versioning),
            encryption: Known::NotTold,
            unfinished: Known::Is(unfinished),
        };
        let further = |facts: &Facts| of_bucket(facts)[facts.lines().len()..].to_vec();
        assert_eq!(further(&facts(Versioning::Off, Some(7))), Vec::<String>::new());
        for versioning in [Versioning::On, Versioning::Suspended] {
            let told = further(&facts(versioning, Some(7)));
            assert!(told.len() == 1 && told[0].contains("`sluice expire --versions`"), "{told:?}");
        }
        let told = further(&facts(Versioning::Off, None));
        assert!(told.len() == 1 && told[0].contains("AbortIncompleteMultipartUpload"), "{told:?}");
    }
}
