//! How sensitive HubSpot holds a property to be, and the marks its columns get.
//!
//! HubSpot says it in three places: the level that a property is listed under, the property's own words, and its categories.
//! They may contradict each other, and a property may be listed twice. The gravest counts, and a word that is not
//! understood counts as the gravest there is: a column that is guarded for nothing is a question, one that is not guarded
//! is a leak.

use sluice_model::schema::{Mark, Marks};

use super::api::Property;

/// HubSpot's levels, the gravest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sensitivity {
    Not,
    Sensitive,
    HighlySensitive,
}

impl Sensitivity {
    pub(super) const ALL: [Self; 3] = [Self::Not, Self::Sensitive, Self::HighlySensitive];

    /// The level as HubSpot writes it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Not => "non_sensitive",
            Self::Sensitive => Mark::SENSITIVE,
            Self::HighlySensitive => Mark::HIGHLY_SENSITIVE,
        }
    }

    /// The level that a property claims for itself; the gravest, if it claims one that HubSpot did not have.
    fn claimed(property: &Property) -> Self {
        let categories = if property.sensitive_data_categories.is_empty() { Self::Not } else { Self::Sensitive };
        let level = property.data_sensitivity.as_deref().map_or(Self::Not, |text| {
            Self::ALL.into_iter().find(|level| level.as_str() == text).unwrap_or(Self::HighlySensitive)
        });
        level.max(categories)
    }
}

/// All properties of a type, by name, each once and as sensitive as the gravest of what is said of it, from the lists of
/// each level.
pub(super) fn united(lists: impl IntoIterator<Item = (Sensitivity, Vec<Property>)>) -> Vec<Property> {
    let listed = lists.into_iter().flat_map(|(level, properties)| {
        properties.into_iter().map(move |property| {
            let level = level.max(Sensitivity::claimed(&property));
            Property { data_sensitivity: Some(level.as_str().to_owned()), ..property }
        })
    });
    let mut all: Vec<Property> = listed.collect();
    all.sort_by(|left, right| left.name.cmp(&right.name));
    all.dedup_by(|again, first| {
        let same = again.name == first.name;
        if same {
            let level = Sensitivity::claimed(first).max(Sensitivity::claimed(again));
            first.data_sensitivity = Some(level.as_str().to_owned());
            first.sensitive_data_categories.append(&mut again.sensitive_data_categories);
            first.sensitive_data_categories.sort();
            first.sensitive_data_categories.dedup();
        }
        same
    });
    all
}

/// The marks of a property's columns: its level, and its categories, each folded to what a mark may be.
pub(super) fn marks(property: &Property) -> Marks {
    let gravest = || Mark::HIGHLY_SENSITIVE.parse::<Mark>().ok();
    let level = Sensitivity::claimed(property);
    let level = (level != Sensitivity::Not).then(|| level.as_str());
    let categories = property.sensitive_data_categories.iter().map(String::as_str);
    level.into_iter().chain(categories).filter_map(|text| folded(text).parse().ok().or_else(gravest)).collect()
}

fn folded(text: &str) -> String {
    text.chars()
        .map(|character| if character.is_ascii_alphanumeric() { character.to_ascii_lowercase() } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn property(level: Option<&str>, categories: &[&str]) -> Property {
        Property {
            name: "diagnosis".to_owned(),
            data_sensitivity: level.map(str::to_owned),
            sensitive_data_categories: categories.iter().map(|&category| category.to_owned()).collect(),
            ..Property::default()
        }
    }

    fn marks_of(lists: Vec<(Sensitivity, Vec<Property>)>) -> Vec<Vec<String>> {
        let of = |property: &Property| marks(property).iter().map(|mark| mark.as_str().to_owned()).collect();
        united(lists).iter().map(of).collect()
    }

    #[test]
    fn the_gravest_of_all_that_is_said_counts() {
        use Sensitivity::{HighlySensitive, Not, Sensitive};
        let plain = || property(Some("non_sensitive"), &[]);
        for (lists, expected) in [
            (vec![(Not, vec![plain()])], vec![]),
            (vec![(Not, vec![property(None, &[])])], vec![]),
            (vec![(Sensitive, vec![plain()])], vec!["sensitive"]),
            (vec![(Not, vec![plain()]), (Sensitive, vec![property(Some("sensitive"), &[])])], vec!["sensitive"]),
            (vec![(Sensitive, vec![plain()]), (Not, vec![plain()])], vec!["sensitive"]),
            (vec![(Not, vec![property(Some("highly_sensitive"), &[])])], vec!["highly_sensitive"]),
            (vec![(Sensitive, vec![plain()]), (HighlySensitive, vec![plain()])], vec!["highly_sensitive"]),
            (vec![(Not, vec![property(Some("top secret"), &[])])], vec!["highly_sensitive"]),
            (vec![(Not, vec![property(Some("Sensitive"), &[])])], vec!["highly_sensitive"]),
            (vec![(Not, vec![property(None, &["HIPAA"])])], vec!["hipaa", "sensitive"]),
            (
                vec![(Sensitive, vec![property(None, &["HIPAA"])]), (Not, vec![property(None, &["Other PII"])])],
                vec!["hipaa", "other_pii", "sensitive"],
            ),
            (vec![(Not, vec![property(None, &[""])])], vec!["highly_sensitive", "sensitive"]),
            (vec![(Not, vec![property(None, &[&"x".repeat(65)])])], vec!["highly_sensitive", "sensitive"]),
        ] {
            assert_eq!(marks_of(lists.clone()), [expected], "{lists:?}");
        }
    }
}
