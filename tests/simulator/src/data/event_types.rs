//! What can happen to records: HubSpot's own events, one of an app, and those that the account defined.
//!
//! HubSpot lists the names of all of them and defines only the account's own. Most of its own never happened here. The account's
//! are there for their names and properties: one is plain and has a property of each type, one that is marked sensitive and one
//! that its definition does not know; one has a name that no path and no table likes; and two are called like one of HubSpot's,
//! but for their prefixes and for the case of a letter.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::owners::FIRST_USER_ID;
use super::property::{HIPAA, Property, Sensitivity};
use super::values::Recipe;
use super::words;
use super::{PORTAL_ID, clock};

/// Events of HubSpot that never happened here.
const NEVER: &[&str] = &[
    "e_ad_interaction",
    "e_ad_metrics_imported_v0",
    "e_call_answered",
    "e_call_placed",
    "e_clicked_link_in_email_v2",
    "e_cta_clicked_v2",
    "e_cta_viewed_v2",
    "e_document_completed_v2",
    "e_document_shared_v2",
    "e_document_viewed_v2",
    "e_form_interaction_v2",
    "e_form_view_v2",
    "e_local_meeting_booked",
    "e_media_played_v2",
    "e_mta_bounced_email_v2",
    "e_mta_delivered_email_v2",
    "e_mta_sent_email_v2",
    "e_reported_spam_email_v2",
    "e_sequence_enrolled_v2",
    "e_sequence_finished_v2",
    "e_sequence_replied_v2",
    "e_sequence_unenrolled_v2",
    "e_social_interaction",
    "e_updated_email_subscription_status_v2",
    "e_web_interactive_viewed",
    "e_workflow_enrolled",
];

/// The ids of HubSpot's own events begin here; nothing but cursors shows them.
const FIRST_STANDARD_ID: u64 = 96_000;

/// The ids of object types, and shares among what happens to their records.
type Shares = &'static [(&'static str, u64)];

/// A kind of thing that happens to records.
#[derive(Clone, Debug)]
pub(crate) struct EventType {
    pub(crate) name: Cow<'static, str>,
    /// `6-…` for the account's own, `4-…` for the others.
    pub(crate) id: String,
    /// To the records of which types it happens, and how often.
    pub(super) of: Shares,
    /// What the account's own definition says; `None` where there is no definition.
    definition: Option<Definition>,
    /// The properties that the definition knows.
    pub(super) defined: Vec<Property>,
    /// The properties that occurrences have besides.
    pub(super) undefined: Vec<Property>,
}

#[derive(Clone, Copy, Debug)]
struct Definition {
    label: &'static str,
    primary: (&'static str, &'static str),
    ordinal: u64,
}

impl EventType {
    /// Its id where a definition tells it.
    pub(crate) fn defined_id(&self) -> Option<&str> {
        self.definition.map(|_| self.id.as_str())
    }

    /// The number in its id.
    pub(crate) fn number(&self) -> u64 {
        self.id.split_once('-').and_then(|(_, number)| number.parse().ok()).expect("ids of event types end in a number")
    }

    /// The definition as HubSpot's numbered versions list it, with all properties; `None` where there is none.
    pub(crate) fn definition(&self) -> Option<Value> {
        let Definition { label, primary: (type_id, type_name), ordinal } = self.definition?;
        let (_, name) = self.name.split_once('_')?;
        let properties: Vec<Value> =
            self.defined.iter().enumerate().map(|(order, property)| property.definition(order)).collect();
        Some(json!({
            "id": self.number().to_string(),
            "objectTypeId": self.id,
            "name": name,
            "fullyQualifiedName": self.name,
            "labels": { "singular": label, "plural": label },
            "description": format!("Happens at the clinic: {label}"),
            "primaryObject": type_name,
            "primaryObjectId": type_id,
            "trackingType": "MANUAL",
            "archived": false,
            "createdAt": clock::instant(clock::created(ordinal)),
            "updatedAt": clock::instant(clock::created(ordinal + 1)),
            "createdUserId": FIRST_USER_ID,
            "updatedUserId": FIRST_USER_ID,
            "associations": [],
            "properties": properties,
        }))
    }
}

/// All types of events, by name.
pub(super) fn all() -> Vec<EventType> {
    let never = NEVER.iter().map(|name| (*name, &[] as Shares, Vec::new()));
    let mut types: Vec<EventType> = never
        .chain(happening())
        .zip(FIRST_STANDARD_ID..)
        .map(|((name, of, undefined), number)| EventType {
            name: name.into(),
            id: format!("4-{number}"),
            of,
            definition: None,
            defined: Vec::new(),
            undefined,
        })
        .chain(custom())
        .collect();
    types.sort_by(|one, other| one.name.cmp(&other.name));
    types
}

/// The name, the object types with their shares, the properties.
type Happening = (&'static str, Shares, Vec<Property>);

/// Events that are not the account's own and happened.
fn happening() -> Vec<Happening> {
    vec![
        (
            "e_visited_page",
            &[("0-1", 40), ("0-2", 20)],
            vec![
                Property::text("hs_url", "URL", Recipe::Website),
                Property::text("hs_page_title", "Page title", Recipe::Word(words::SUBJECTS)).filled(80),
                Property::text("hs_city", "City", Recipe::Word(words::CITIES)).filled(60),
                Property::number("hs_visit_seconds", "Seconds", Recipe::Whole(0, 1_800)).filled(70),
            ],
        ),
        (
            "e_form_submission_v2",
            &[("0-1", 12)],
            vec![
                Property::text("hs_form_id", "Form", Recipe::Code("########-####-4###-8###-############")),
                Property::long_text("hs_form_message", "Message", Recipe::TroubledText).filled(50),
            ],
        ),
        (
            "e_opened_email_v2",
            &[("0-1", 20)],
            vec![
                Property::number("hs_email_campaign_id", "Campaign", Recipe::BeyondDouble),
                Property::text("hs_email_subject", "Subject", Recipe::Word(words::SUBJECTS)),
                Property::text("hs_recipient", "Recipient", Recipe::EmailAddress),
            ],
        ),
        (
            "ae7654321_chat-rated",
            &[("0-1", 8), ("0-2", 30), ("0-3", 50)],
            vec![Property::number("stars", "Stars", Recipe::Whole(1, 5))],
        ),
    ]
}

/// The account's own: the name, the label text, the primary type of object, and as above.
type Own = (&'static str, &'static str, (&'static str, &'static str), Shares, Vec<Property>);

fn custom() -> impl Iterator<Item = EventType> {
    let weight = Property::number("gewicht_kg", "Gewicht (kg)", Recipe::TroubledNumber).custom();
    let lift = Property::text("floor", "Floor", Recipe::Code("#")).custom();
    let floor = Property::number("floor", "Floor", Recipe::Whole(-2, 9)).custom();
    let own: [Own; 4] = [
        ("consultation_booked", "Consultation booked", CONTACT, &[("0-1", 10)], consultation()),
        (
            "größe_&_gewicht_(neu)",
            "Größe & Gewicht (neu)",
            COMPANY,
            &[("0-1", 4), ("0-2", 50), ("0-3", 50)],
            vec![weight],
        ),
        ("visited_page", "Visited page", CONTACT, &[("0-1", 4)], vec![lift]),
        ("Visited_Page", "Visited Page", CONTACT, &[("0-1", 2)], vec![floor]),
    ];
    own.into_iter().zip(0..).map(|((name, label, primary, of, defined), ordinal)| EventType {
        name: format!("pe{PORTAL_ID}_{name}").into(),
        id: format!("6-{}", PORTAL_ID * 10 + ordinal),
        of,
        definition: Some(Definition { label, primary, ordinal }),
        defined: defined.into_iter().map(|property| property.in_group("event_properties")).collect(),
        // What a program sent along without anybody having defined it.
        undefined: vec![Property::text("booking_ref", "", Recipe::Code("B-####")).filled(30)],
    })
}

const CONTACT: (&str, &str) = ("0-1", "CONTACT");
const COMPANY: (&str, &str) = ("0-2", "COMPANY");

const ROOMS: &[(&str, &str)] = &[("east", "East wing"), ("west", "West wing"), ("remote", "By video")];

/// A property of each type that HubSpot allows for events, with the values that do not fit it.
fn consultation() -> Vec<Property> {
    vec![
        Property::text("reason", "Reason", Recipe::Word(words::SUBJECTS)).custom(),
        Property::number("fee", "Fee", Recipe::TroubledNumber).filled(90).custom(),
        Property::select("room", "Room", ROOMS).filled(80).custom(),
        Property::instant("starts_at", "Starts at", Recipe::TroubledInstant).filled(90).custom(),
        Property::flag("first_visit", "First visit", Recipe::Flag(30)).filled(70).custom(),
        Property::long_text("complaint", "Complaint", Recipe::ClinicalNote)
            .filled(60)
            .sensitive(Sensitivity::Sensitive, HIPAA),
        Property::text("hs_touchpoint_source", "Touchpoint source", Recipe::Code("SOURCE_@")).filled(50),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_and_ids_are_unique_and_sorted_and_tables_of_them_would_clash() {
        let types = all();
        assert!(types.is_sorted_by(|one, other| one.name < other.name));
        let ids: BTreeSet<&str> = types.iter().map(|event_type| event_type.id.as_str()).collect();
        assert_eq!(ids.len(), types.len());
        let folded = types.iter().filter(|event_type| event_type.name.to_lowercase().ends_with("_visited_page"));
        assert_eq!(folded.count(), 3);
    }

    #[test]
    fn only_the_accounts_own_are_defined() {
        for event_type in all() {
            let definition = event_type.definition();
            assert_eq!(definition.is_some(), event_type.name.starts_with("pe48012345_"), "{}", event_type.name);
            assert_eq!(event_type.defined_id().is_some(), definition.is_some());
            if let Some(definition) = definition {
                assert_eq!(definition["objectTypeId"], event_type.id.as_str());
                assert_eq!(definition["fullyQualifiedName"], event_type.name.as_ref());
            }
        }
    }
}
