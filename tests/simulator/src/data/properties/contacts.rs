//! Contacts: the type that people care about, and so the one with every hazard.

use super::super::property::{HIPAA, Property, Sensitivity, ValueType};
use super::super::values::Recipe;
use super::super::words;
use super::in_group;

const LIFECYCLE_STAGES: &[(&str, &str)] = &[
    ("subscriber", "Subscriber"),
    ("lead", "Lead"),
    ("marketingqualifiedlead", "Marketing Qualified Lead"),
    ("salesqualifiedlead", "Sales Qualified Lead"),
    ("opportunity", "Opportunity"),
    ("customer", "Customer"),
    ("evangelist", "Evangelist"),
    ("1839274655", "Former patient"),
];

const LEAD_STATUSES: &[(&str, &str)] = &[
    ("NEW", "New"),
    ("OPEN", "Open"),
    ("IN_PROGRESS", "In Progress"),
    ("UNQUALIFIED", "Unqualified"),
    ("CONNECTED", "Connected"),
];

const SOURCES: &[(&str, &str)] = &[
    ("ORGANIC_SEARCH", "Organic Search"),
    ("PAID_SEARCH", "Paid Search"),
    ("EMAIL_MARKETING", "Email Marketing"),
    ("DIRECT_TRAFFIC", "Direct Traffic"),
    ("OFFLINE", "Offline Sources"),
];

const TOPICS: &[(&str, &str)] = &[
    ("nutrition", "Nutrition"),
    ("sleep", "Sleep"),
    ("sports, outdoors", "Sports, outdoors"),
    ("travel-medicine", "Travel medicine"),
    ("Vaccines & boosters", "Vaccines & boosters"),
];

const LANGUAGES: &[(&str, &str)] =
    &[("en", "English"), ("de", "German"), ("fr-ca", "French (Canada)"), ("pt-br", "Portuguese (Brazil)")];

pub(in super::super) fn contacts() -> Vec<Property> {
    let mut properties = in_group("contactinformation", identity());
    properties.extend(in_group("contact_activity", activity()));
    properties.extend(in_group("custom_fields", portal_owned()));
    properties.extend(in_group("protected_fields", protected()));
    properties
}

fn identity() -> Vec<Property> {
    vec![
        Property::text("email", "Email", Recipe::EmailAddress).unique().filled(97).shown_as("textDisplayHint", "email"),
        Property::text("firstname", "First Name", Recipe::GivenName).filled(96),
        Property::text("lastname", "Last Name", Recipe::FamilyName).filled(98),
        Property::new("phone", "Phone Number", ValueType::String, "phonenumber", Recipe::Phone).filled(80),
        Property::new("mobilephone", "Mobile Phone Number", ValueType::String, "phonenumber", Recipe::Phone).filled(40),
        Property::new(
            "hs_searchable_calculated_phone_number",
            "Calculated Phone Number",
            ValueType::PhoneNumber,
            "phonenumber",
            Recipe::NormalizedPhone,
        )
        .filled(80)
        .calculated(None),
        Property::text("company", "Company Name", Recipe::CompanyName).filled(85),
        Property::text("website", "Website URL", Recipe::Website).filled(60),
        Property::text("jobtitle", "Job Title", Recipe::Word(words::JOB_TITLES)).filled(75),
        Property::text("address", "Street Address", Recipe::StreetAddress).filled(65),
        Property::text("city", "City", Recipe::Word(words::CITIES)).filled(70),
        Property::text("state", "State/Region", Recipe::Word(words::STATES)).filled(50),
        Property::text("zip", "Postal Code", Recipe::PostalCode).filled(65),
        Property::text("country", "Country/Region", Recipe::Word(words::COUNTRIES)).filled(80),
        Property::new("lifecyclestage", "Lifecycle Stage", ValueType::Enumeration, "radio", Recipe::OneChoice)
            .with_choices(super::super::property::choices(LIFECYCLE_STAGES)),
        Property::select("hs_lead_status", "Lead Status", LEAD_STATUSES).filled(60),
        Property::select("hs_language", "Preferred language", LANGUAGES).filled(30),
        Property::owner().filled(85),
        Property::reference("associatedcompanyid", "Primary Associated Company ID", "COMPANY", "companies")
            .filled(75)
            .hidden(),
        Property::new(
            "hs_merged_object_ids",
            "Merged record IDs",
            ValueType::Enumeration,
            "checkbox",
            Recipe::MergedIds,
        )
        .referring_to("CONTACT")
        .hidden(),
        // Contacts have this property too, but it is `lastmodifieddate` that moves.
        Property::instant("hs_lastmodifieddate", "Object Last Modified Date", Recipe::Nothing).hidden(),
        Property::long_text("message", "Message", Recipe::CallNote).filled(20),
        Property::text("fax", "Fax Number", Recipe::Phone).archived(),
    ]
}

fn activity() -> Vec<Property> {
    vec![
        Property::flag("hs_email_optout", "Unsubscribed from all email", Recipe::Flag(8)).filled(90),
        Property::select("hs_analytics_source", "Original Source", SOURCES).filled(95),
        Property::instant("hs_analytics_first_timestamp", "Time First Seen", Recipe::Instant).filled(60),
        Property::instant("notes_last_contacted", "Last Contacted", Recipe::Instant).filled(55),
        Property::instant("notes_next_activity_date", "Next Activity Date", Recipe::TroubledInstant).filled(30),
        Property::number("num_notes", "Number of Sales Activities", Recipe::Whole(0, 120)).filled(70).calculated(None),
        Property::number("hubspotscore", "HubSpot Score", Recipe::Whole(-20, 100))
            .filled(90)
            .calculated(Some("10 * num_notes - days_to_close")),
        Property::number("days_to_close", "Days To Close", Recipe::Whole(0, 900)).filled(20).calculated(Some(
            "if closedate >= createdate then 1 + round_down((closedate - createdate) / 86400000, 0) endif",
        )),
        Property::instant("closedate", "Close Date", Recipe::Instant).filled(20),
        Property::number("recent_deal_amount", "Recent Deal Amount", Recipe::Cents(0, 9_000_000))
            .filled(25)
            .shown_as("numberDisplayHint", "currency"),
        Property::number("hs_predictivecontactscore_v2", "Likelihood to close", Recipe::Ratio)
            .filled(50)
            .calculated(None)
            .shown_as("numberDisplayHint", "percentage"),
    ]
}

/// What this portal's owner defined. Names with capitals and digits come from old imports.
fn portal_owned() -> Vec<Property> {
    vec![
        Property::flag("do_not_sync", "Do not sync", Recipe::DoNotSync),
        Property::long_text("intake_notes", "Intake notes", Recipe::CallNote),
        Property::long_text("biography", "Biography", Recipe::TroubledText).filled(70),
        Property::html("email_signature", "E-mail signature", Recipe::Html).filled(40),
        Property::date("date_of_birth", "Date of birth", Recipe::Day(1925, 2008)).filled(60),
        Property::date("contract_end", "Contract end", Recipe::TroubledDay)
            .filled(35)
            .shown_as("dateDisplayHint", "time_until"),
        Property::instant("last_purchase_at", "Last purchase", Recipe::TroubledInstant).filled(45),
        Property::number("annual_income", "Annual income", Recipe::TroubledNumber).filled(50),
        Property::number("loyalty_points", "Loyalty points", Recipe::BeyondDouble).filled(40),
        Property::number("credit_limit", "Credit limit", Recipe::Cents(0, 2_500_000)).filled(45),
        Property::checkboxes("favourite_topics", "Favourite topics", TOPICS).filled(60),
        Property::flag("is_vip", "VIP", Recipe::Flag(5)).filled(80),
        Property::reference("referred_by", "Referred by", "CONTACT", "contacts").filled(15),
        Property::new("geo_position", "Position", ValueType::ObjectCoordinates, "text", Recipe::Coordinates).filled(20),
        Property::new("contact_preferences", "Contact preferences", ValueType::Json, "text", Recipe::Settings)
            .filled(30),
        Property::text("Legacy_CRM_ID", "Legacy CRM ID", Recipe::Code("LC-######")).filled(90),
        Property::text("utm_2024_campaign", "UTM campaign 2024", Recipe::Code("c#_@@")).filled(25),
        Property::number("n2023_survey_score", "Survey score 2023", Recipe::Whole(0, 10)).filled(35),
        Property::text("old_segment", "Old segment", Recipe::Code("S#")).archived(),
    ]
    .into_iter()
    .map(Property::custom)
    .collect()
}

/// What the compliance officer must never see leave.
fn protected() -> Vec<Property> {
    vec![
        Property::text("insurance_member_id", "Insurance member ID", Recipe::Code("HX#########"))
            .filled(70)
            .sensitive(Sensitivity::Sensitive, HIPAA),
        Property::text("primary_physician", "Primary physician", Recipe::Word(words::PHYSICIANS))
            .filled(60)
            .sensitive(Sensitivity::Sensitive, HIPAA),
        Property::text("passport_number", "Passport number", Recipe::Code("@########"))
            .filled(20)
            .sensitive(Sensitivity::Sensitive, &[]),
        Property::text("diagnosis_code", "Diagnosis code", Recipe::Word(words::DIAGNOSES))
            .filled(45)
            .sensitive(Sensitivity::HighlySensitive, HIPAA),
        Property::long_text("medical_notes", "Medical notes", Recipe::ClinicalNote)
            .filled(35)
            .sensitive(Sensitivity::HighlySensitive, HIPAA),
        Property::text("old_allergies", "Old allergies", Recipe::Remark)
            .sensitive(Sensitivity::Sensitive, HIPAA)
            .archived(),
    ]
}
