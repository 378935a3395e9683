//! The pairs of types that can be linked, and all kinds of links there are.
//!
//! HubSpot numbers the two directions of a kind apart, and the number alone means nothing: the
//! category belongs to it. Pairs that are not here have no definition at all, and no record of them can be linked.

use super::kinds::{Category, Given, Pair, custom, labelled, pair, plain, primary};

const CONTACTS: &str = "0-1";
const COMPANIES: &str = "0-2";
const DEALS: &str = "0-3";
const TICKETS: &str = "0-5";
const LINE_ITEMS: &str = "0-8";
const TASKS: &str = "0-27";
const NOTES: &str = "0-46";
const MEETINGS: &str = "0-47";
const CALLS: &str = "0-48";
const EMAILS: &str = "0-49";
const VEHICLES: &str = "2-13370001";
const PACKAGE_DEALS: &str = "2-13370002";

/// Every pair once; the pairs of the custom types in the order in which their schemas name them.
pub(super) static PAIRS: &[Pair] = &[
    Pair {
        named_by: Some("associatedcompanyid"),
        crowded: true,
        ..pair(
            CONTACTS,
            COMPANIES,
            (15, 2),
            &[
                plain((279, "contact_to_company_unlabeled"), (280, "company_to_contact_unlabeled"))
                    .limited(Some(5), None),
                primary((1, "contact_to_company"), (2, "company_to_contact")),
                labelled("billing_contact", (36, "Billing contact"), (37, "Billing contact")),
                labelled("employment", (38, "Employer"), (39, "Employee")),
                labelled("aerztin_sued", (40, "Ärztin, \"Praxis Süd\""), (43, "Ärztin, \"Praxis Süd\"")),
            ],
        )
    },
    pair(
        DEALS,
        CONTACTS,
        (70, 3),
        &[
            plain((3, "deal_to_contact"), (4, "contact_to_deal")),
            // The numbers of two kinds of HubSpot's, in another category.
            labelled("signature", (27, "Signed by"), (28, "Signs")),
            labelled("erp_order", (1_101, "Imported order"), (1_102, "Imported order"))
                .by(Category::Integrator, Given::Sometimes),
        ],
    ),
    pair(
        DEALS,
        COMPANIES,
        (60, 2),
        &[
            plain((341, "deal_to_company_unlabeled"), (342, "company_to_deal_unlabeled")).limited(Some(10), None),
            primary((5, "deal_to_company"), (6, "company_to_deal")),
        ],
    ),
    pair(TICKETS, CONTACTS, (80, 1), &[plain((16, "ticket_to_contact"), (15, "contact_to_ticket"))]),
    pair(
        TICKETS,
        COMPANIES,
        (60, 2),
        &[
            plain((339, "ticket_to_company_unlabeled"), (340, "company_to_ticket_unlabeled")),
            primary((26, "ticket_to_company"), (25, "company_to_ticket")),
        ],
    ),
    pair(TICKETS, DEALS, (20, 1), &[plain((28, "ticket_to_deal"), (27, "deal_to_ticket"))]),
    pair(LINE_ITEMS, DEALS, (90, 1), &[plain((20, "line_item_to_deal"), (19, "deal_to_line_item"))]),
    pair(CALLS, CONTACTS, (70, 2), &[plain((194, "call_to_contact"), (193, "contact_to_call"))]),
    pair(EMAILS, CONTACTS, (80, 3), &[plain((198, "email_to_contact"), (197, "contact_to_email"))]),
    pair(MEETINGS, CONTACTS, (85, 4), &[plain((200, "meeting_event_to_contact"), (199, "contact_to_meeting_event"))]),
    pair(NOTES, CONTACTS, (60, 1), &[plain((202, "note_to_contact"), (201, "contact_to_note"))]),
    pair(TASKS, CONTACTS, (50, 1), &[plain((204, "task_to_contact"), (203, "contact_to_task"))]),
    pair(CALLS, COMPANIES, (40, 1), &[plain((182, "call_to_company"), (181, "company_to_call"))]),
    pair(EMAILS, COMPANIES, (40, 1), &[plain((186, "email_to_company"), (185, "company_to_email"))]),
    pair(MEETINGS, COMPANIES, (40, 1), &[plain((188, "meeting_event_to_company"), (187, "company_to_meeting_event"))]),
    pair(NOTES, COMPANIES, (40, 1), &[plain((190, "note_to_company"), (189, "company_to_note"))]),
    pair(TASKS, COMPANIES, (30, 1), &[plain((192, "task_to_company"), (191, "company_to_task"))]),
    Pair {
        named_by: Some("hs_parent_company_id"),
        ..pair(
            COMPANIES,
            COMPANIES,
            (5, 1),
            &[
                plain((450, "company_to_company"), (450, "company_to_company")),
                labelled("child_to_parent_company", (14, "Parent Company"), (13, "Child Company"))
                    .by(Category::HubSpot, Given::First),
            ],
        )
    },
    pair(
        CONTACTS,
        CONTACTS,
        (6, 2),
        &[
            plain((449, "contact_to_contact"), (449, "contact_to_contact")),
            labelled("guardianship", (46, "Guardian"), (47, "Ward")),
        ],
    ),
    Pair {
        named_by: Some("driver_contact_id"),
        ..pair(
            VEHICLES,
            CONTACTS,
            (20, 2),
            &[
                custom((601, "VEHICLE_TO_CONTACT"), (621, "CONTACT_TO_VEHICLE")),
                labelled("driver", (641, "Driver"), (642, "Drives"))
                    .by(Category::User, Given::First)
                    .limited(Some(1), None),
            ],
        )
    },
    pair(VEHICLES, COMPANIES, (30, 1), &[custom((602, "VEHICLE_TO_COMPANY"), (622, "COMPANY_TO_VEHICLE"))]),
    // Definitions without a single link.
    pair(VEHICLES, TASKS, (0, 0), &[custom((603, "VEHICLE_TO_TASK"), (623, "TASK_TO_VEHICLE"))]),
    pair(VEHICLES, NOTES, (0, 0), &[custom((604, "VEHICLE_TO_NOTE"), (624, "NOTE_TO_VEHICLE"))]),
    pair(PACKAGE_DEALS, CONTACTS, (50, 2), &[custom((605, "DEALS_TO_CONTACT"), (625, "CONTACT_TO_DEALS"))]),
    pair(PACKAGE_DEALS, COMPANIES, (0, 0), &[custom((606, "DEALS_TO_COMPANY"), (626, "COMPANY_TO_DEALS"))]),
    pair(PACKAGE_DEALS, TASKS, (0, 0), &[custom((607, "DEALS_TO_TASK"), (627, "TASK_TO_DEALS"))]),
    pair(PACKAGE_DEALS, NOTES, (0, 0), &[custom((608, "DEALS_TO_NOTE"), (628, "NOTE_TO_DEALS"))]),
];
