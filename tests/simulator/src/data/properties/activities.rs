//! Calls, e-mails, meetings, notes, tasks and messages: where free text hides personal data.

use super::super::property::Property;
use super::super::values::Recipe;
use super::super::words;
use super::in_group;

/// The scope that e-mail bodies need besides the object's own.
const EMAIL_BODY_SCOPE: &str = "sales-email-read";

const DIRECTIONS: &[(&str, &str)] = &[("INBOUND", "Inbound"), ("OUTBOUND", "Outbound")];

const EMAIL_DIRECTIONS: &[(&str, &str)] =
    &[("EMAIL", "Outgoing"), ("INCOMING_EMAIL", "Incoming"), ("FORWARDED_EMAIL", "Forwarded")];

const OUTCOMES: &[(&str, &str)] = &[("SCHEDULED", "Scheduled"), ("COMPLETED", "Completed"), ("NO_SHOW", "No show")];

const TASK_STATUSES: &[(&str, &str)] =
    &[("NOT_STARTED", "Not started"), ("COMPLETED", "Completed"), ("WAITING", "Waiting")];

const CHANNELS: &[(&str, &str)] = &[("SMS", "SMS"), ("WHATS_APP", "WhatsApp"), ("LINKEDIN_MESSAGE", "LinkedIn")];

/// What every activity has.
fn activity(group: &'static str, mut own: Vec<Property>) -> Vec<Property> {
    own.push(Property::instant("hs_timestamp", "Activity date", Recipe::Instant));
    own.push(Property::owner().filled(90));
    in_group(group, own)
}

pub(in super::super) fn calls() -> Vec<Property> {
    activity(
        "call",
        vec![
            Property::text("hs_call_title", "Call title", Recipe::Word(words::SUBJECTS)).filled(80),
            Property::html("hs_call_body", "Call notes", Recipe::CallNote),
            Property::select("hs_call_direction", "Call direction", DIRECTIONS),
            Property::number("hs_call_duration", "Call duration", Recipe::Whole(0, 3_600_000))
                .shown_as("numberDisplayHint", "duration"),
            Property::text("hs_call_to_number", "To number", Recipe::Phone).filled(90),
        ],
    )
}

pub(in super::super) fn emails() -> Vec<Property> {
    activity(
        "email",
        vec![
            Property::text("hs_email_subject", "Email subject", Recipe::Word(words::SUBJECTS)).filled(97),
            Property::select("hs_email_direction", "Email direction", EMAIL_DIRECTIONS),
            Property::long_text("hs_email_text", "Text body", Recipe::CallNote).needing(EMAIL_BODY_SCOPE),
            Property::html("hs_email_html", "HTML body", Recipe::Html).needing(EMAIL_BODY_SCOPE),
            Property::text("hs_email_to_email", "To", Recipe::EmailAddress),
        ],
    )
}

pub(in super::super) fn meetings() -> Vec<Property> {
    activity(
        "meeting",
        vec![
            Property::text("hs_meeting_title", "Meeting name", Recipe::Word(words::DEAL_NAMES)),
            Property::html("hs_meeting_body", "Meeting description", Recipe::Html).filled(80),
            Property::instant("hs_meeting_start_time", "Start time", Recipe::Instant),
            Property::select("hs_meeting_outcome", "Meeting outcome", OUTCOMES).filled(60),
        ],
    )
}

pub(in super::super) fn notes() -> Vec<Property> {
    activity("note", vec![Property::html("hs_note_body", "Note body", Recipe::CallNote)])
}

pub(in super::super) fn tasks() -> Vec<Property> {
    activity(
        "task",
        vec![
            Property::text("hs_task_subject", "Task title", Recipe::Remark),
            Property::html("hs_task_body", "Notes", Recipe::TroubledText).filled(40),
            Property::select("hs_task_status", "Task status", TASK_STATUSES),
        ],
    )
}

pub(in super::super) fn communications() -> Vec<Property> {
    activity(
        "communication",
        vec![
            Property::select("hs_communication_channel_type", "Channel type", CHANNELS),
            Property::long_text("hs_communication_body", "Body", Recipe::CallNote),
        ],
    )
}

pub(in super::super) fn postal_mail() -> Vec<Property> {
    activity("postal_mail", vec![Property::long_text("hs_postal_mail_body", "Body", Recipe::Remark)])
}
