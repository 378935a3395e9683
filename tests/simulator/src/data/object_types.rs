//! The object types of the portal: every standard type HubSpot documents, and two custom ones.
//!
//! Most standard types that a clinic would not use are there and empty, for a reader has to cope with
//! empty tables. Of the custom types, `vehicle` is plain; `Deals` has the name of a standard type but
//! for its case, so that whoever names tables by type name makes two tables of one name.

use super::PORTAL_ID;
use super::object_type::{Blueprint, ObjectType, ScopeFamily, Share};
use super::properties;
use super::property::Property;

/// Contacts have small, dense ids, as in a portal of some years.
const CONTACT_IDS: (u64, u64) = (101, 50);
/// The ids of the n-th other type begin at n times this number.
const ID_RANGE: u64 = 1_000_000_000;
const OTHER_ID_STRIDE: u64 = 37;

const CREATEDATE: (&str, &str) = ("createdate", "hs_lastmodifieddate");
const HS_CREATEDATE: (&str, &str) = ("hs_createdate", "hs_lastmodifieddate");
const CONTACT_TIMES: (&str, &str) = ("createdate", "lastmodifieddate");

/// A type that has its own properties and records.
const fn used(
    type_id: &'static str,
    (name, singular): (&'static str, &'static str),
    labels: (&'static str, &'static str),
    share: Share,
    scope: &'static str,
    properties: fn() -> Vec<Property>,
) -> Blueprint {
    Blueprint {
        type_id,
        name,
        singular,
        labels,
        share,
        scopes: ScopeFamily::Objects(scope),
        enabled: true,
        time_names: HS_CREATEDATE,
        defaults: &[],
        properties,
    }
}

/// A type that the portal does not use.
const fn unused(
    type_id: &'static str,
    names: (&'static str, &'static str),
    labels: (&'static str, &'static str),
    scope: &'static str,
) -> Blueprint {
    let blueprint = used(type_id, names, labels, Share::Fixed(0), scope, properties::name_only);
    Blueprint { enabled: false, ..blueprint }
}

/// By type id.
static STANDARD: &[Blueprint] = &[
    Blueprint {
        time_names: CONTACT_TIMES,
        defaults: &["email", "firstname", "lastname"],
        ..used(
            "0-1",
            ("contacts", "contact"),
            ("Contact", "Contacts"),
            Share::EveryContact,
            "contacts",
            properties::contacts,
        )
    },
    Blueprint {
        time_names: CREATEDATE,
        defaults: &["domain", "name"],
        ..used(
            "0-2",
            ("companies", "company"),
            ("Company", "Companies"),
            Share::OneIn(5),
            "companies",
            properties::companies,
        )
    },
    Blueprint {
        time_names: CREATEDATE,
        defaults: &["amount", "closedate", "dealname", "dealstage", "pipeline"],
        ..used("0-3", ("deals", "deal"), ("Deal", "Deals"), Share::OneIn(4), "deals", properties::deals)
    },
    unused("0-4", ("engagements", "engagement"), ("Engagement", "Engagements"), "contacts"),
    Blueprint {
        time_names: CREATEDATE,
        scopes: ScopeFamily::Tickets,
        defaults: &[
            "content",
            "hs_pipeline",
            "hs_pipeline_stage",
            "hs_ticket_category",
            "hs_ticket_priority",
            "subject",
        ],
        ..used("0-5", ("tickets", "ticket"), ("Ticket", "Tickets"), Share::OneIn(10), "tickets", properties::tickets)
    },
    Blueprint {
        time_names: CREATEDATE,
        defaults: &["description", "name", "price"],
        ..used(
            "0-7",
            ("products", "product"),
            ("Product", "Products"),
            Share::Fixed(60),
            "products",
            properties::products,
        )
    },
    Blueprint {
        time_names: CREATEDATE,
        defaults: &["amount", "quantity"],
        ..used(
            "0-8",
            ("line_items", "line_item"),
            ("Line item", "Line items"),
            Share::OneIn(2),
            "line_items",
            properties::line_items,
        )
    },
    unused("0-11", ("conversations", "conversation"), ("Conversation", "Conversations"), "contacts"),
    Blueprint {
        defaults: &["hs_expiration_date", "hs_status", "hs_title"],
        ..used("0-14", ("quotes", "quote"), ("Quote", "Quotes"), Share::OneIn(20), "quotes", properties::quotes)
    },
    unused("0-15", ("forms", "form"), ("Form", "Forms"), "contacts"),
    used(
        "0-18",
        ("communications", "communication"),
        ("Message", "Messages"),
        Share::OneIn(20),
        "contacts",
        properties::communications,
    ),
    used(
        "0-19",
        ("feedback_submissions", "feedback_submission"),
        ("Feedback submission", "Feedback submissions"),
        Share::OneIn(50),
        "feedback_submissions",
        properties::feedback,
    ),
    used("0-27", ("tasks", "task"), ("Task", "Tasks"), Share::OneIn(8), "contacts", properties::tasks),
    unused("0-45", ("object_lists", "object_list"), ("Segment", "Segments"), "contacts"),
    used("0-46", ("notes", "note"), ("Note", "Notes"), Share::OneIn(4), "contacts", properties::notes),
    used("0-47", ("meetings", "meeting"), ("Meeting", "Meetings"), Share::OneIn(10), "contacts", properties::meetings),
    used("0-48", ("calls", "call"), ("Call", "Calls"), Share::OneIn(5), "contacts", properties::calls),
    used("0-49", ("emails", "email"), ("Email", "Emails"), Share::OneIn(3), "contacts", properties::emails),
    used("0-53", ("invoices", "invoice"), ("Invoice", "Invoices"), Share::OneIn(20), "invoices", properties::invoices),
    unused(
        "0-54",
        ("marketing_events", "marketing_event"),
        ("Marketing event", "Marketing events"),
        "marketing_events",
    ),
    used(
        "0-69",
        ("subscriptions", "subscription"),
        ("Subscription", "Subscriptions"),
        Share::OneIn(50),
        "subscriptions",
        properties::subscriptions,
    ),
    used("0-74", ("goal_targets", "goal_target"), ("Goal", "Goals"), Share::Fixed(12), "goals", properties::goals),
    unused("0-84", ("discounts", "discount"), ("Discount", "Discounts"), "line_items"),
    unused("0-85", ("fees", "fee"), ("Fee", "Fees"), "line_items"),
    unused("0-86", ("taxes", "tax"), ("Tax", "Taxes"), "line_items"),
    used(
        "0-101",
        ("commerce_payments", "commerce_payment"),
        ("Payment", "Payments"),
        Share::OneIn(20),
        "commercepayments",
        properties::payments,
    ),
    used("0-115", ("users", "user"), ("User", "Users"), Share::Fixed(25), "users", properties::users),
    used(
        "0-116",
        ("postal_mail", "postal_mail_item"),
        ("Postal mail", "Postal mail"),
        Share::OneIn(100),
        "contacts",
        properties::postal_mail,
    ),
    used("0-123", ("orders", "order"), ("Order", "Orders"), Share::OneIn(10), "orders", properties::orders),
    used("0-136", ("leads", "lead"), ("Lead", "Leads"), Share::OneIn(10), "leads", properties::leads),
    used("0-142", ("carts", "cart"), ("Cart", "Carts"), Share::OneIn(50), "carts", properties::carts),
    unused("0-162", ("services", "service"), ("Service", "Services"), "services"),
    unused("0-410", ("courses", "course"), ("Course", "Courses"), "courses"),
    unused("0-420", ("listings", "listing"), ("Listing", "Listings"), "listings"),
    unused("0-421", ("appointments", "appointment"), ("Appointment", "Appointments"), "appointments"),
    unused("0-970", ("projects", "project"), ("Project", "Projects"), "projects"),
];

static CUSTOM: &[Blueprint] = &[
    Blueprint {
        defaults: &["vin"],
        ..used(
            "2-13370001",
            ("vehicle", "vehicle"),
            ("Vehicle", "Vehicles"),
            Share::Fixed(437),
            "custom",
            properties::vehicles,
        )
    },
    Blueprint {
        defaults: &["title"],
        ..used(
            "2-13370002",
            ("Deals", "Deals"),
            ("Package deal", "Package deals"),
            Share::Fixed(61),
            "custom",
            properties::custom_deals,
        )
    },
];

/// All object types of a portal with so many contacts.
pub(super) fn all(contacts: u64, extra_contact_properties: usize) -> Vec<ObjectType> {
    let standard = STANDARD.iter().map(|blueprint| (blueprint, None));
    let custom = CUSTOM.iter().map(|blueprint| (blueprint, Some(PORTAL_ID)));
    standard
        .chain(custom)
        .zip(0_u64..)
        .map(|((blueprint, custom_portal), ordinal)| {
            let is_contacts = blueprint.type_id == "0-1";
            let ids = if is_contacts { CONTACT_IDS } else { (ordinal * ID_RANGE + 1, OTHER_ID_STRIDE) };
            let extra = if is_contacts { properties::extra(extra_contact_properties) } else { Vec::new() };
            ObjectType::build(blueprint, custom_portal, contacts, ids, extra)
        })
        .collect()
}
