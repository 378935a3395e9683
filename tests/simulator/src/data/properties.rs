//! The properties of every object type.
//!
//! Contacts have the richest set; the other types have enough to be told apart, to carry foreign keys
//! and to bring their share of every value type.

mod activities;
mod commerce;
mod companies;
mod contacts;
mod custom;
mod sales;

pub(super) use activities::{calls, communications, emails, meetings, notes, postal_mail, tasks};
pub(super) use commerce::{carts, invoices, line_items, orders, payments, products, quotes, subscriptions};
pub(super) use companies::companies;
pub(super) use contacts::contacts;
pub(super) use custom::{custom_deals, vehicles};
pub(super) use sales::{deals, feedback, goals, leads, tickets, users};

use super::property::{Property, ValueType};
use super::values::Recipe;

/// What every type has: the id, and the two times under the type's own names.
pub(super) fn base((created, modified): (&'static str, &'static str)) -> Vec<Property> {
    vec![
        Property::number("hs_object_id", "Record ID", Recipe::ObjectId).in_group("record_information"),
        Property::instant(created, "Create Date", Recipe::CreatedAt).in_group("record_information"),
        Property::instant(modified, "Last Modified Date", Recipe::ModifiedAt).in_group("record_information"),
    ]
}

/// For types of which only the name matters: a name and an owner.
pub(super) fn name_only() -> Vec<Property> {
    in_group(
        "record_information",
        vec![Property::text("hs_name", "Name", Recipe::CompanyName), Property::owner().filled(50)],
    )
}

/// For portals with hundreds of custom properties: `count` of them, in turn of every ordinary type.
pub(super) fn extra(count: usize) -> Vec<Property> {
    (1..=count)
        .map(|number| {
            let (kind, field, recipe) = match number % 5 {
                0 => (ValueType::String, "text", Recipe::Code("@@-####")),
                1 => (ValueType::Number, "number", Recipe::Cents(0, 1_000_000)),
                2 => (ValueType::Date, "date", Recipe::Day(2015, 2030)),
                3 => (ValueType::Bool, "booleancheckbox", Recipe::Flag(50)),
                _ => (ValueType::DateTime, "date", Recipe::Instant),
            };
            Property::new(format!("extra_{number:04}"), format!("Extra {number}"), kind, field, recipe)
                .in_group("extra")
                .filled(60)
                .custom()
        })
        .collect()
}

fn in_group(group: &'static str, properties: Vec<Property>) -> Vec<Property> {
    properties.into_iter().map(|property| property.in_group(group)).collect()
}
