//! The portal's custom object types.

use super::super::property::{HIPAA, Property, Sensitivity, ValueType};
use super::super::values::Recipe;
use super::super::words;
use super::in_group;
use super::sales::pipeline;

pub(in super::super) fn vehicles() -> Vec<Property> {
    custom(
        "vehicle_information",
        vec![
            Property::text("vin", "Vehicle identification number", Recipe::Code("@@@##@@##########")).unique(),
            Property::text("model", "Model", Recipe::Word(words::MODELS)),
            Property::number("mileage_km", "Mileage (km)", Recipe::Whole(0, 400_000)).filled(90),
            Property::date("first_registered", "First registered", Recipe::Day(1995, 2025)),
            Property::number("daily_rate", "Daily rate", Recipe::TroubledNumber).filled(80),
            Property::flag("wheelchair_access", "Wheelchair access", Recipe::Flag(30)),
            pipeline("hs_pipeline", "Pipeline", Recipe::Pipeline),
            pipeline("hs_pipeline_stage", "Stage", Recipe::Stage),
            Property::reference("driver_contact_id", "Driver", "CONTACT", "contacts").filled(70),
            Property::owner().filled(60),
            Property::new(
                "hs_merged_object_ids",
                "Merged record IDs",
                ValueType::Enumeration,
                "checkbox",
                Recipe::MergedIds,
            )
            .hidden(),
            Property::long_text("last_passenger_condition", "Condition of the last passenger", Recipe::ClinicalNote)
                .filled(40)
                .sensitive(Sensitivity::HighlySensitive, HIPAA),
        ],
    )
}

/// Custom deals: a custom type that carries the name of a standard one.
pub(in super::super) fn custom_deals() -> Vec<Property> {
    custom(
        "deals_information",
        vec![
            Property::text("title", "Title", Recipe::Word(words::DEAL_NAMES)),
            Property::text("Title_2", "Second title", Recipe::TroubledText).filled(50),
            Property::number("amount", "Amount", Recipe::Cents(0, 100_000)),
        ],
    )
}

fn custom(group: &'static str, properties: Vec<Property>) -> Vec<Property> {
    in_group(group, properties).into_iter().map(Property::custom).collect()
}
