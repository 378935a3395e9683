//! The names of streams and columns: made from HubSpot's names, and from nothing else.
//!
//! A pipeline file and a plugin's settings speak of columns by name, and a guard is only as good as that: a name must not
//! change its meaning because somebody adds a property or an object type to the account. So a column's name depends on its
//! property's own spelling, never on what other properties there are:
//!
//! - `email` becomes `property_email`. Nearly every property is spelled like that: letters, digits and `_`.
//! - Any other spelling is folded and gets a mark of the spelling behind it: `First-Name` becomes
//!   `property_first_name_8c013975`. So does a name that begins with `unparsed_`, which would look like the column that keeps
//!   the unparsable values of another property.
//! - Two properties of one type that would still share a column (they differ in case alone, or somebody has computed the
//!   mark) are an error, and never told apart by a number.
//!
//! So it is with the streams of custom object types: `patient` is `patient`, and every other spelling (`Patient`, a name of
//! HubSpot's own, one that looks as if it had been made here or were another type's full name) gets its type's id behind it,
//! whatever other types there are. Two types that would still answer to one name are an error.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::{api::ObjectSchema, types};
use crate::{
    outline::LONGEST_NAME,
    schema::unparsed_name,
    stream::{StreamInfo, StreamKind},
};

/// Before the name of a property, in the name of its column.
const PREFIX: &str = "property_";

/// Before the name of a custom object type, in the name of its stream, where the type's own name is not plain.
const CUSTOM: &str = "custom_";

/// Bytes of a digest that tell two spellings apart.
const SPELLING_BYTES: usize = 4;

/// Characters of an odd spelling that stay recognizable in the column's name.
const LONGEST_FOLDED: usize = 200;

/// The name of a property's column.
pub(super) fn column(property: &str) -> String {
    let name = format!("{PREFIX}{property}");
    if is_plain(property) && unparsed_name(&name).len() <= LONGEST_NAME {
        return name;
    }
    let folded: String = legal(property).to_ascii_lowercase().chars().take(LONGEST_FOLDED).collect();
    let spelling = Sha256::digest(property);
    format!("{PREFIX}{folded}_{}", hex::encode(&spelling[..SPELLING_BYTES]))
}

fn is_plain(property: &str) -> bool {
    let is_legal = property.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_legal && !property.is_empty() && !property.to_ascii_lowercase().starts_with("unparsed_")
}

/// A name with every character that a column cannot have replaced by `_`.
fn legal(name: &str) -> String {
    name.chars().map(|character| if character.is_ascii_alphanumeric() { character } else { '_' }).collect()
}

/// The stream of a custom type.
pub(super) fn custom_stream(schema: &ObjectSchema) -> StreamInfo {
    let name = if is_plain_type(&schema.name) {
        schema.name.clone()
    } else {
        let folded = legal(&schema.name).to_ascii_lowercase();
        format!("{CUSTOM}{}_{}", folded.trim_start_matches('_'), legal(&schema.object_type_id))
    };
    StreamInfo {
        name,
        kind: StreamKind::Objects,
        object_type_id: Some(schema.object_type_id.clone()),
        fully_qualified_name: schema.fully_qualified_name.clone().filter(|name| is_fully_qualified(name)),
    }
}

/// Whether the name of a custom type is the name of its stream as it stands.
fn is_plain_type(name: &str) -> bool {
    let is_legal = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    let is_taken = types::STANDARD.iter().any(|standard| standard.name == name || standard.singular == name)
        || StreamKind::DEFINITIONS.iter().any(|kind| kind.as_str() == name);
    let looks_made = name.is_empty() || name.starts_with('_') || name.starts_with(CUSTOM) || is_fully_qualified(name);
    is_legal && !is_taken && !looks_made
}

/// Whether a name has the form of a fully qualified one: `p`, the number of the account, `_`, the type's own name.
fn is_fully_qualified(name: &str) -> bool {
    name.strip_prefix('p').and_then(|rest| rest.split_once('_')).is_some_and(|(account, own)| {
        !account.is_empty() && account.bytes().all(|byte| byte.is_ascii_digit()) && !own.is_empty()
    })
}

/// A name that two of these streams answer to.
pub(super) fn shared(streams: &[StreamInfo]) -> Option<&str> {
    let mut seen = BTreeSet::new();
    streams.iter().flat_map(StreamInfo::names).find(|name| !seen.insert(*name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_columns_name_depends_on_the_spelling_alone() {
        assert_eq!(column("email"), "property_email");
        assert_eq!(column("hs_object_id"), "property_hs_object_id");
        assert_eq!(column("Legacy_CRM_ID"), "property_Legacy_CRM_ID");
        let odd =
            ["First-Name", "first-name", "first name", "größe", "", "unparsed_score", "Unparsed_score", "unparsed"];
        let columns: BTreeSet<String> = odd.iter().map(|name| column(name).to_ascii_lowercase()).collect();
        assert_eq!(columns.len(), odd.len(), "{columns:?}");
        assert!(!columns.contains("property_first_name"));
        assert_eq!(column("First-Name"), "property_first_name_8c013975");
    }

    #[test]
    fn no_property_takes_the_column_of_anothers_unparsable_values() {
        for name in ["score", "unparsed_score", "Score", "x"] {
            let companion = unparsed_name(&column(name));
            let property = companion.strip_prefix(PREFIX).unwrap();
            assert_ne!(column(property), companion);
        }
    }

    #[test]
    fn every_column_and_its_companion_have_names_that_are_allowed() {
        for length in [1, 100, 237, 238, 255, 1000] {
            for name in ["a".repeat(length), "A".repeat(length), "ß".repeat(length)] {
                let companion = unparsed_name(&column(&name));
                assert!(companion.len() <= LONGEST_NAME, "{companion}");
            }
        }
    }

    fn custom(name: &str, id: &str) -> ObjectSchema {
        ObjectSchema {
            object_type_id: id.to_owned(),
            name: name.to_owned(),
            fully_qualified_name: Some(format!("p1_{name}")),
            ..ObjectSchema::default()
        }
    }

    #[test]
    fn the_name_of_a_custom_types_stream_depends_on_its_own_spelling_alone() {
        for (name, expected) in [
            ("vehicle", "vehicle"),
            ("my_car", "my_car"),
            ("my car", "custom_my_car_2_7"),
            ("Vehicle", "custom_vehicle_2_7"),
            ("contacts", "custom_contacts_2_7"),
            ("Contacts", "custom_contacts_2_7"),
            ("company", "custom_company_2_7"),
            ("owners", "custom_owners_2_7"),
            ("custom_owners_2_5", "custom_custom_owners_2_5_2_7"),
            ("_hidden", "custom_hidden_2_7"),
            ("p1_patient", "custom_p1_patient_2_7"),
            ("p_patient", "p_patient"),
            ("2-1", "custom_2_1_2_7"),
            ("", "custom__2_7"),
        ] {
            assert_eq!(custom_stream(&custom(name, "2-7")).name, expected, "{name}");
        }
    }

    #[test]
    fn a_name_that_two_types_answer_to_is_found() {
        let streams = |types: &[(&str, &str)]| -> Vec<StreamInfo> {
            types.iter().map(|(name, id)| custom_stream(&custom(name, id))).collect()
        };
        assert_eq!(shared(&streams(&[("patient", "2-1"), ("Visit", "2-2"), ("visit", "2-3")])), None);
        assert_eq!(shared(&streams(&[("patient", "2-1"), ("patient", "2-2")])), Some("patient"));
        assert_eq!(shared(&streams(&[("patient", "2-1"), ("visit", "2-1")])), Some("2-1"));
        assert_eq!(shared(&streams(&[("Patient", "2-1"), ("patient", "2-2")])), None);
    }

    #[test]
    fn a_full_name_that_is_none_is_not_answered_to() {
        let crafted = ObjectSchema { fully_qualified_name: Some("contacts".to_owned()), ..custom("car", "2-1") };
        assert_eq!(custom_stream(&crafted).fully_qualified_name, None);
    }
}
