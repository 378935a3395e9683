//! The names of streams and columns: made from HubSpot's names, and from nothing else.
//!
//! A pipeline file and a plugin's settings speak of columns by name, and a guard is only as good as that: a name must not
//! come to mean something else because somebody adds a property or an object type to the account. So a column's name
//! depends on its property's own spelling:
//!
//! - `email` becomes `property_email`. Nearly every property is spelled like that: letters, digits and `_`.
//! - Any other spelling is folded and gets a mark of the spelling behind it: `First-Name` becomes
//!   `property_first_name_8c013975`. So does a name that begins with `unparsed_`, which would look like the column that keeps
//!   the unparsable values of another property.
//! - Where two properties of one type would share a column, since they differ in case alone, each that has capitals gets
//!   the mark of its spelling: beside `email`, `Email` becomes `property_email_969ccbd3`. A glob of a pipeline file that spells
//!   the property as HubSpot does means it still, and plugins are told the name that it would have had, so that a setting
//!   which named it does not come to mean another alone. (Should a mark have been made up by somebody, it gets longer.)
//!
//! So it is with the streams of custom object types: `patient` is `patient`, and every other spelling (`Patient`, a name of
//! HubSpot's own, one that looks as if it had been made here or were another type's full name) gets its type's id behind it.
//! So does each of several types of one name, and nobody answers to that name, nor to the full name that they share.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};
use sluice_model::{
    outline::LONGEST_NAME,
    schema::unparsed_name,
    stream::{EventType, StreamInfo, StreamKind},
};

use super::{api::ObjectSchema, types};

/// Before the name of a property, in the name of its column.
const PREFIX: &str = "property_";

/// Before the name of a custom object type, in the name of its stream, where the type's own name is not plain.
const CUSTOM: &str = "custom_";

/// Bytes of a digest that tell two spellings apart.
const SPELLING_BYTES: usize = 4;

/// Bytes of a digest where fewer have met another name.
const LONG_SPELLING_BYTES: usize = 8;

/// Characters of an odd spelling that stay recognizable in the column's name.
const LONGEST_FOLDED: usize = 200;

/// The name of the column of a property that stands alone.
pub(super) fn column(property: &str) -> String {
    let name = format!("{PREFIX}{property}");
    if is_plain(property) && unparsed_name(&name).len() <= LONGEST_NAME { name } else { marked(property, 0) }
}

/// The names of the columns of all properties of one type, in their order: unique, whatever the case.
pub(super) fn columns(properties: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = properties.iter().map(|property| column(property)).collect();
    for round in 0.. {
        let mut users: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, name) in names.iter().enumerate() {
            // The column of its unparsable values is its own, too, should it have one.
            for name in [name.to_ascii_lowercase(), unparsed_name(name).to_ascii_lowercase()] {
                users.entry(name).or_default().push(index);
            }
        }
        let shared: BTreeSet<usize> = users.into_values().filter(|users| users.len() > 1).flatten().collect();
        if shared.is_empty() {
            break;
        }
        for index in shared {
            let property = properties[index];
            let is_plain_lower_case = is_plain(property) && property.to_ascii_lowercase() == property;
            if !is_plain_lower_case || names[index] != column(property) {
                names[index] = marked(property, round);
            }
        }
    }
    names
}

/// A name with a mark of the property's spelling behind it. From round 1 on the mark is too long to be met by chance, and
/// another one each time.
fn marked(property: &str, round: u32) -> String {
    let folded: String = legal(property).to_ascii_lowercase().chars().take(LONGEST_FOLDED).collect();
    let mark = match round {
        0 => hex::encode(&Sha256::digest(property)[..SPELLING_BYTES]),
        _ => hex::encode(&Sha256::digest(format!("{round} {property}"))[..LONG_SPELLING_BYTES]),
    };
    format!("{PREFIX}{folded}_{mark}")
}

fn is_plain(property: &str) -> bool {
    let is_legal = property.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_legal && !property.is_empty() && !property.to_ascii_lowercase().starts_with("unparsed_")
}

/// A name with every character that a column cannot have replaced by `_`.
fn legal(name: &str) -> String {
    name.chars().map(|character| if character.is_ascii_alphanumeric() { character } else { '_' }).collect()
}

/// The streams of these types of events, each of which is there once. The name of HubSpot's own is its own; of others that
/// would share a name each gets the mark of its full name, and so does one that looks like a full name.
pub(super) fn event_streams(event_types: &[EventType], of: &str) -> Vec<StreamInfo> {
    let own: Vec<&str> = event_types.iter().map(|event_type| own_name(&event_type.full_name)).collect();
    let is_plain = |index: usize| legal(own[index]) == own[index] && own[index].to_ascii_lowercase() == own[index];
    let keeps = |index: usize| is_plain(index) && event_types[index].full_name.starts_with(HUBSPOTS_EVENT);
    let looks_made = |name: &str| own_name(name) != name || name.is_empty() || name.len() > LONGEST_FOLDED;
    let first = |name: &&str| if looks_made(name) { None } else { Some(legal(name)) };
    let mut names: Vec<Option<String>> = own.iter().map(first).collect();
    let mut shared = vec![false; names.len()];
    for round in 0.. {
        let mut users: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, name) in names.iter_mut().enumerate() {
            let name = name.get_or_insert_with(|| marked_event(&event_types[index].full_name, round));
            users.entry(name.to_ascii_lowercase()).or_default().push(index);
        }
        let clashes: Vec<Vec<usize>> = users.into_values().filter(|users| users.len() > 1).collect();
        if clashes.is_empty() {
            break;
        }
        for users in clashes {
            // Which of them keeps the name does not depend on their order.
            let kept =
                users.iter().copied().find(|index| keeps(*index) && names[*index].as_deref() == Some(own[*index]));
            for index in users.into_iter().filter(|index| Some(*index) != kept) {
                shared[index] = kept.is_none();
                names[index] = None;
            }
        }
    }
    let with_names = event_types.iter().zip(names).zip(shared).zip(&own);
    let stream = |(((event_type, name), shared), own): (((&EventType, Option<String>), bool), &&str)| StreamInfo {
        shared_name: shared.then(|| format!("events:{}", legal(own))),
        ..StreamInfo::events(&name.unwrap_or_default(), event_type.clone(), of)
    };
    with_names.map(stream).collect()
}

/// Before the full names of HubSpot's own events.
const HUBSPOTS_EVENT: &str = "e_";

/// Whether a full name is that of an event that the account has defined: `pe48012345_signed_up`.
pub(super) fn is_custom_event(full_name: &str) -> bool {
    behind(full_name, "pe").is_some()
}

/// What an event is called behind that which says whose it is.
fn own_name(full_name: &str) -> &str {
    let own = full_name.strip_prefix(HUBSPOTS_EVENT);
    own.or_else(|| behind(full_name, "pe")).or_else(|| behind(full_name, "ae")).unwrap_or(full_name)
}

/// What stands behind these letters, a number and `_`.
fn behind<'n>(full_name: &'n str, letters: &str) -> Option<&'n str> {
    let (number, own) = full_name.strip_prefix(letters)?.split_once('_')?;
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(own)
}

/// The name of an event with a mark of its full name behind it, another one each time.
fn marked_event(full_name: &str, round: u32) -> String {
    let folded: String = legal(own_name(full_name)).to_ascii_lowercase().chars().take(LONGEST_FOLDED).collect();
    let mark = match round {
        0 | 1 => hex::encode(&Sha256::digest(full_name)[..SPELLING_BYTES]),
        _ => hex::encode(&Sha256::digest(format!("{round} {full_name}"))[..LONG_SPELLING_BYTES]),
    };
    format!("{}_{mark}", folded.trim_start_matches('_'))
}

/// The streams of the account's custom types.
pub(super) fn custom_streams(schemas: &[ObjectSchema]) -> Vec<StreamInfo> {
    let is_shared = |of: fn(&ObjectSchema) -> Option<&str>, schema: &ObjectSchema| {
        of(schema).is_some_and(|name| schemas.iter().filter(|other| of(other) == Some(name)).count() > 1)
    };
    let stream = |schema: &ObjectSchema| {
        let is_plain = is_plain_type(&schema.name);
        let shares_name = is_plain && is_shared(|schema| Some(&schema.name), schema);
        let name = if is_plain && !shares_name { schema.name.clone() } else { with_id(schema) };
        let full_name = schema.fully_qualified_name.clone().filter(|name| {
            is_fully_qualified(name) && !is_shared(|schema| schema.fully_qualified_name.as_deref(), schema)
        });
        StreamInfo {
            fully_qualified_name: full_name,
            shared_name: shares_name.then(|| schema.name.clone()),
            ..StreamInfo::new(name, StreamKind::objects(&schema.object_type_id))
        }
    };
    schemas.iter().map(stream).collect()
}

/// The name of a custom type with its id behind it: no other type has that.
fn with_id(schema: &ObjectSchema) -> String {
    let folded = legal(&schema.name).to_ascii_lowercase();
    format!("{CUSTOM}{}_{}", folded.trim_start_matches('_'), legal(&schema.object_type_id))
}

/// Whether the name of a custom type is the name of its stream as it stands.
fn is_plain_type(name: &str) -> bool {
    let is_legal = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    let is_taken = types::STANDARD.iter().any(|standard| standard.name == name || standard.singular == name)
        || StreamKind::single(name).is_some();
    // The table of an association has two names in it with `_to_` between them: where it first stands, the first one ends.
    let is_two = format!("{name}_").contains("_to_");
    let looks_made = name.is_empty() || name.starts_with('_') || name.starts_with(CUSTOM) || is_fully_qualified(name);
    is_legal && !is_taken && !is_two && !looks_made
}

/// Whether a name has the form of a fully qualified one: `p`, the number of the account, `_`, the type's own name.
fn is_fully_qualified(name: &str) -> bool {
    name.strip_prefix('p').and_then(|rest| rest.split_once('_')).is_some_and(|(account, own)| {
        !account.is_empty() && account.bytes().all(|byte| byte.is_ascii_digit()) && !own.is_empty()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn custom_stream(schema: &ObjectSchema) -> StreamInfo {
        custom_streams(std::slice::from_ref(schema)).remove(0)
    }

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
            ("visit_to_clinic", "custom_visit_to_clinic_2_7"),
            ("back_to", "custom_back_to_2_7"),
            ("to_do", "to_do"),
            ("tomato", "tomato"),
            ("2-1", "custom_2_1_2_7"),
            ("", "custom__2_7"),
        ] {
            assert_eq!(custom_stream(&custom(name, "2-7")).name, expected, "{name}");
        }
    }

    #[test]
    fn where_two_spellings_meet_the_one_with_capitals_is_marked() {
        let columns = |properties: &[&str]| columns(properties);
        assert_eq!(columns(&["email", "fax", "Email"]), ["property_email", "property_fax", "property_email_969ccbd3"]);
        assert_eq!(columns(&["Email", "email"])[1], "property_email", "whatever the order");
        assert_eq!(columns(&["Email", "fax"]), ["property_Email", "property_fax"], "alone it has its plain name");
        let [one, other] = columns(&["VIP", "Vip"]).try_into().unwrap();
        assert!(one.starts_with("property_vip_") && other.starts_with("property_vip_") && one != other);
    }

    #[test]
    fn no_made_up_spelling_takes_anothers_column_or_stops_the_account() {
        let mut properties = ["First-Name", "email", "Email", "unparsed_score"].map(str::to_owned).to_vec();
        let crafted = column("unparsed_score").replacen("property_unparsed_", "", 1);
        properties.push(crafted);
        // Whoever knows how marks are made adds properties that are spelled like them, again and again.
        for _ in 0..3 {
            let names = columns(&properties.iter().map(String::as_str).collect::<Vec<_>>());
            let unique: BTreeSet<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
            assert_eq!(unique.len(), names.len(), "{names:?}");
            for name in &names {
                assert!(unparsed_name(name).len() <= LONGEST_NAME);
                assert!(!unique.contains(&unparsed_name(name).to_ascii_lowercase()), "{name} in {names:?}");
            }
            let made_up: Vec<String> = names.iter().map(|name| name.replacen(PREFIX, "", 1)).collect();
            properties.extend(made_up.into_iter().filter(|name| !properties.contains(name)).collect::<Vec<_>>());
        }
        assert!(properties.len() > 5, "{properties:?}");
    }

    #[test]
    fn types_of_one_name_are_told_apart_by_their_ids_in_any_order() {
        let car = |id: &str| custom("car", id);
        for types in [[car("2-5"), custom("bus", "2-6"), car("2-8")], [car("2-8"), custom("bus", "2-6"), car("2-5")]] {
            let streams = custom_streams(&types);
            let names: BTreeSet<&str> = streams.iter().map(|stream| stream.name.as_str()).collect();
            assert_eq!(names, ["bus", "custom_car_2_5", "custom_car_2_8"].into());
            for stream in streams.iter().filter(|stream| stream.name != "bus") {
                assert_eq!((stream.shared_name.as_deref(), &stream.fully_qualified_name), (Some("car"), &None));
            }
            let mut all: Vec<&str> = streams.iter().flat_map(StreamInfo::names).collect();
            let count = all.len();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), count, "nobody answers to another's name");
        }
        let odd = custom_streams(&[custom("Car", "2-5"), car("2-8")]);
        assert_eq!((odd[0].name.as_str(), odd[1].name.as_str()), ("custom_car_2_5", "car"));
    }

    #[test]
    fn events_that_would_share_a_name_are_told_apart_by_their_full_names_in_any_order() {
        let full = [
            "e_visited_page",
            "pe1_visited_page",
            "pe1_My Event",
            "pe1_my_event",
            "ae7_sent",
            "pe1_e_x",
            "e_x",
            "odd",
            "pe1_",
        ];
        let of = |full: &[&str]| {
            let types: Vec<EventType> =
                full.iter().map(|name| EventType { full_name: (*name).to_owned(), id: None }).collect();
            let streams = event_streams(&types, "0-1");
            let pairs = streams.iter().zip(full).map(|(stream, full)| ((*full).to_owned(), stream.name.clone()));
            (pairs.collect::<BTreeMap<_, _>>(), streams)
        };
        let (named, streams) = of(&full);
        for (full, name) in [("e_visited_page", "visited_page"), ("ae7_sent", "sent"), ("e_x", "x"), ("odd", "odd")] {
            assert_eq!(named[full], format!("events:{name}"));
        }
        for (full, begin) in [
            ("pe1_visited_page", "visited_page_"),
            ("pe1_My Event", "my_event_"),
            ("pe1_my_event", "my_event_"),
            ("pe1_e_x", "e_x_"),
            ("pe1_", ""),
        ] {
            assert!(
                named[full].starts_with(&format!("events:{begin}")) && named[full].len() > 8 + begin.len(),
                "{named:?}"
            );
        }
        let mut tables: Vec<String> = streams.iter().map(|stream| stream.table().to_ascii_lowercase()).collect();
        tables.sort();
        tables.dedup();
        assert_eq!(tables.len(), full.len());
        assert!(tables.iter().all(|table| legal(table) == *table));
        let mut reversed = full;
        reversed.reverse();
        assert_eq!(of(&reversed).0, named);
        let shared: Vec<_> = streams.iter().filter_map(|stream| stream.shared_name.as_deref()).collect();
        assert_eq!(shared, ["events:My_Event", "events:my_event"]);
    }

    #[test]
    fn a_full_name_that_is_none_is_not_answered_to() {
        let crafted = ObjectSchema { fully_qualified_name: Some("contacts".to_owned()), ..custom("car", "2-1") };
        assert_eq!(custom_stream(&crafted).fully_qualified_name, None);
    }
}
