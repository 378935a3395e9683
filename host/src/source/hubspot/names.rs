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
//! Streams of custom object types may change their names when another type appears; then no line of a pipeline file fits
//! them any more, which is an error and not a gap.

use sha2::{Digest, Sha256};

use super::{api::ObjectSchema, definitions, types};
use crate::{
    outline::LONGEST_NAME,
    schema::unparsed_name,
    stream::{StreamInfo, StreamKind},
};

/// Before the name of a property, in the name of its column.
const PREFIX: &str = "property_";

/// Before the name of a custom object type, in the name of its stream, where the type's own name is not free.
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

/// The streams of custom types. A name that folds to one of HubSpot's own, or to another custom type's, or that looks as if
/// it had been made here, gets the type's id behind it.
pub(super) fn custom_streams(custom: &[ObjectSchema]) -> Vec<StreamInfo> {
    let folded = |schema: &ObjectSchema| legal(&schema.name).to_ascii_lowercase();
    let stream = |schema: &ObjectSchema| {
        let name = folded(schema);
        let reserved = types::STANDARD.iter().any(|standard| standard.name == name || standard.singular == name)
            || definitions::KINDS.iter().any(|kind| kind.as_str() == name)
            || name.starts_with('_')
            || name.starts_with(CUSTOM);
        let shared = custom.iter().filter(|other| folded(other) == name).count() > 1;
        let name = if reserved || shared || name.is_empty() {
            format!("{CUSTOM}{}_{}", name.trim_start_matches('_'), legal(&schema.object_type_id))
        } else {
            name
        };
        StreamInfo {
            name,
            kind: StreamKind::Objects,
            object_type_id: Some(schema.object_type_id.clone()),
            fully_qualified_name: schema.fully_qualified_name.clone(),
        }
    };
    custom.iter().map(stream).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

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
    fn custom_types_never_take_a_name_that_is_anothers() {
        let schemas = [
            custom("vehicle", "2-1"),
            custom("Contacts", "2-2"),
            custom("my car", "2-3"),
            custom("my_car", "2-4"),
            custom("owners", "2-5"),
            custom("company", "2-6"),
            custom("custom_owners_2_5", "2-7"),
        ];
        let names: Vec<String> = custom_streams(&schemas).into_iter().map(|stream| stream.name).collect();
        assert_eq!(
            names,
            [
                "vehicle",
                "custom_contacts_2_2",
                "custom_my_car_2_3",
                "custom_my_car_2_4",
                "custom_owners_2_5",
                "custom_company_2_6",
                "custom_custom_owners_2_5_2_7"
            ]
        );
    }
}
