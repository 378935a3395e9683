//! HubSpot's own object types.

/// What a column refers to when it holds the id of an owner, which is no object type.
pub(super) const OWNER: &str = "owner";

/// What it refers to when it holds the id of somebody who may log in. The object type of users has other ids.
pub(super) const ACCOUNT_USER: &str = "user";

/// What it refers to when it holds the id of a team.
pub(super) const TEAM: &str = "team";

/// What it refers to when it holds the id of a list.
pub(super) const LIST: &str = "list";

/// The type of contacts, of which some things are otherwise.
pub(super) const CONTACTS: &str = "0-1";

/// One of HubSpot's own object types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StandardType {
    /// Its object type id.
    pub(super) id: &'static str,
    /// Its name in paths, and the name of its stream.
    pub(super) name: &'static str,
    /// Its name where HubSpot refers to it from a property, folded to lower case.
    pub(super) singular: &'static str,
}

const fn standard(id: &'static str, name: &'static str, singular: &'static str) -> StandardType {
    StandardType { id, name, singular }
}

/// The types that the objects API reads, in the order of their ids. Which of them an account has, and a token may read, is
/// seen when their properties are asked for.
/// Old engagements (`0-4`), conversations (`0-11`), forms (`0-15`) and lists (`0-45`) have ids too, but other APIs.
pub(super) const STANDARD: [StandardType; 32] = [
    standard("0-1", "contacts", "contact"),
    standard("0-2", "companies", "company"),
    standard("0-3", "deals", "deal"),
    standard("0-5", "tickets", "ticket"),
    standard("0-7", "products", "product"),
    standard("0-8", "line_items", "line_item"),
    standard("0-14", "quotes", "quote"),
    standard("0-18", "communications", "communication"),
    standard("0-19", "feedback_submissions", "feedback_submission"),
    standard("0-27", "tasks", "task"),
    standard("0-46", "notes", "note"),
    standard("0-47", "meetings", "meeting_event"),
    standard("0-48", "calls", "call"),
    standard("0-49", "emails", "email"),
    standard("0-53", "invoices", "invoice"),
    standard("0-54", "marketing_events", "marketing_event"),
    standard("0-69", "subscriptions", "subscription"),
    standard("0-74", "goal_targets", "goal_target"),
    standard("0-84", "discounts", "discount"),
    standard("0-85", "fees", "fee"),
    standard("0-86", "taxes", "tax"),
    standard("0-101", "commerce_payments", "commerce_payment"),
    standard("0-115", "users", "user"),
    standard("0-116", "postal_mail", "postal_mail"),
    standard("0-123", "orders", "order"),
    standard("0-136", "leads", "lead"),
    standard("0-142", "carts", "cart"),
    standard("0-162", "services", "service"),
    standard("0-410", "courses", "course"),
    standard("0-420", "listings", "listing"),
    standard("0-421", "appointments", "appointment"),
    standard("0-970", "projects", "project"),
];

/// The types that no account is without.
pub(super) const EVERYWHERE: [&str; 3] = ["0-1", "0-2", "0-3"];

/// The type that a property's `referencedObjectType` names (`CONTACT`, `COMPANY`).
pub(super) fn id_of_singular(name: &str) -> Option<&'static str> {
    STANDARD.iter().find(|standard| standard.singular.eq_ignore_ascii_case(name)).map(|standard| standard.id)
}

/// Types whose records go through the stages of pipelines, beside all custom ones.
pub(super) const WITH_PIPELINES: [&str; 8] = ["0-3", "0-5", "0-123", "0-136", "0-162", "0-410", "0-420", "0-421"];
