//! Deals, tickets, leads, and the smaller types around them.

use super::super::property::{HIPAA, Property, Sensitivity, ValueType};
use super::super::values::Recipe;
use super::super::words;
use super::in_group;

const DEAL_TYPES: &[(&str, &str)] = &[("newbusiness", "New Business"), ("existingbusiness", "Existing Business")];

const PRIORITIES: &[(&str, &str)] = &[("LOW", "Low"), ("MEDIUM", "Medium"), ("HIGH", "High"), ("URGENT", "Urgent")];

const TICKET_CATEGORIES: &[(&str, &str)] = &[
    ("PRODUCT_ISSUE", "Product Issue"),
    ("BILLING_ISSUE", "Billing Issue"),
    ("FEATURE_REQUEST", "Feature Request"),
    ("GENERAL_INQUIRY", "General Inquiry"),
];

const LEAD_LABELS: &[(&str, &str)] = &[("WARM", "Warm"), ("HOT", "Hot"), ("COLD", "Cold")];

/// A property that names a pipeline or a stage; its choices are set when the portal is built.
pub(super) fn pipeline(name: &'static str, label: &'static str, recipe: Recipe) -> Property {
    Property::new(name, label, ValueType::Enumeration, "select", recipe)
}

fn currency(name: &'static str, label: &'static str) -> Property {
    Property::new(name, label, ValueType::Enumeration, "select", Recipe::Word(words::CURRENCIES))
}

pub(in super::super) fn deals() -> Vec<Property> {
    in_group(
        "dealinformation",
        vec![
            Property::text("dealname", "Deal Name", Recipe::Word(words::DEAL_NAMES)),
            // Amounts are in the currency of the record, not of the column.
            Property::number("amount", "Amount", Recipe::Cents(0, 50_000_000))
                .filled(90)
                .shown_as("currencyPropertyName", "deal_currency_code"),
            currency("deal_currency_code", "Currency").filled(95),
            pipeline("pipeline", "Pipeline", Recipe::Pipeline),
            pipeline("dealstage", "Deal Stage", Recipe::Stage),
            Property::select("dealtype", "Deal Type", DEAL_TYPES).filled(70),
            Property::instant("closedate", "Close Date", Recipe::TroubledInstant).filled(85),
            Property::number("hs_projected_amount", "Weighted amount", Recipe::Cents(0, 40_000_000))
                .filled(80)
                .calculated(Some("amount * hs_deal_stage_probability")),
            Property::number("hs_deal_stage_probability", "Deal probability", Recipe::Ratio).calculated(None),
            Property::flag("hs_is_closed", "Is Deal Closed?", Recipe::Flag(40)).calculated(None),
            Property::long_text("description", "Deal Description", Recipe::TroubledText).filled(40),
            Property::number("num_associated_contacts", "Number of Associated Contacts", Recipe::Whole(0, 9))
                .calculated(None),
            Property::new(
                "hs_merged_object_ids",
                "Merged record IDs",
                ValueType::Enumeration,
                "checkbox",
                Recipe::MergedIds,
            )
            .referring_to("DEAL")
            .hidden(),
            Property::owner().filled(92),
            Property::text("purchase_order_number", "Purchase order", Recipe::Code("PO-######")).filled(30).custom(),
        ],
    )
}

pub(in super::super) fn tickets() -> Vec<Property> {
    in_group(
        "ticketinformation",
        vec![
            Property::text("subject", "Ticket name", Recipe::Word(words::SUBJECTS)),
            Property::long_text("content", "Ticket description", Recipe::CallNote).filled(95),
            pipeline("hs_pipeline", "Pipeline", Recipe::Pipeline),
            pipeline("hs_pipeline_stage", "Ticket status", Recipe::Stage),
            Property::select("hs_ticket_category", "Category", TICKET_CATEGORIES).filled(70),
            Property::select("hs_ticket_priority", "Priority", PRIORITIES).filled(80),
            Property::instant("closed_date", "Close date", Recipe::Instant).filled(50),
            Property::number("time_to_close", "Time to close", Recipe::Whole(0, 2_000_000_000))
                .filled(50)
                .calculated(None)
                .shown_as("numberDisplayHint", "duration"),
            Property::new(
                "hs_merged_object_ids",
                "Merged record IDs",
                ValueType::Enumeration,
                "checkbox",
                Recipe::MergedIds,
            )
            .referring_to("TICKET")
            .hidden(),
            Property::owner().filled(75),
            Property::long_text("patient_complaint", "Patient complaint", Recipe::ClinicalNote)
                .filled(25)
                .sensitive(Sensitivity::HighlySensitive, HIPAA),
        ],
    )
}

pub(in super::super) fn leads() -> Vec<Property> {
    in_group(
        "lead_information",
        vec![
            Property::text("hs_lead_name", "Lead name", Recipe::CompanyName),
            Property::select("hs_lead_label", "Lead label", LEAD_LABELS).filled(80),
            pipeline("hs_pipeline", "Lead pipeline", Recipe::Pipeline),
            pipeline("hs_pipeline_stage", "Lead stage", Recipe::Stage),
            Property::reference("hs_primary_contact_id", "Primary contact", "CONTACT", "contacts").filled(90),
            Property::owner(),
        ],
    )
}

pub(in super::super) fn feedback() -> Vec<Property> {
    in_group(
        "feedback_submission_information",
        vec![
            Property::text("hs_survey_name", "Survey name", Recipe::Word(words::DEAL_NAMES)),
            Property::number("hs_value", "Rating", Recipe::Whole(0, 10)),
            Property::long_text("hs_content", "Response", Recipe::TroubledText).filled(60),
            Property::reference("hs_contact_id", "Contact", "CONTACT", "contacts"),
        ],
    )
}

pub(in super::super) fn goals() -> Vec<Property> {
    in_group(
        "goal_target_information",
        vec![
            Property::text("hs_goal_name", "Goal name", Recipe::Word(words::DEAL_NAMES)),
            Property::number("hs_target_amount", "Target amount", Recipe::Cents(100_000, 90_000_000)),
            Property::instant("hs_start_datetime", "Start", Recipe::Instant),
            Property::owner(),
        ],
    )
}

pub(in super::super) fn users() -> Vec<Property> {
    in_group(
        "user_information",
        vec![
            Property::text("hs_given_name", "Given name", Recipe::GivenName),
            Property::text("hs_family_name", "Family name", Recipe::FamilyName),
            Property::text("hs_email", "Email", Recipe::EmailAddress),
            Property::text("hs_job_title", "Job title", Recipe::Word(words::JOB_TITLES)).filled(80),
        ],
    )
}
