//! Companies.

use super::super::property::{HIPAA, Property, Sensitivity, ValueType};
use super::super::values::Recipe;
use super::super::words;
use super::in_group;

const INDUSTRIES: &[(&str, &str)] = &[
    ("HOSPITAL_HEALTH_CARE", "Hospital & Health Care"),
    ("INSURANCE", "Insurance"),
    ("LOGISTICS_AND_SUPPLY_CHAIN", "Logistics and Supply Chain"),
    ("COMPUTER_SOFTWARE", "Computer Software"),
];

const KINDS: &[(&str, &str)] =
    &[("PROSPECT", "Prospect"), ("PARTNER", "Partner"), ("VENDOR", "Vendor"), ("OTHER", "Other")];

pub(in super::super) fn companies() -> Vec<Property> {
    in_group(
        "companyinformation",
        vec![
            Property::text("name", "Name", Recipe::CompanyName),
            Property::text("domain", "Company Domain Name", Recipe::Domain)
                .filled(90)
                .shown_as("textDisplayHint", "domain_name"),
            Property::new("phone", "Phone Number", ValueType::String, "phonenumber", Recipe::Phone).filled(70),
            Property::text("address", "Street Address", Recipe::StreetAddress).filled(80),
            Property::text("city", "City", Recipe::Word(words::CITIES)).filled(85),
            Property::text("country", "Country/Region", Recipe::Word(words::COUNTRIES)).filled(85),
            Property::select("industry", "Industry", INDUSTRIES).filled(80),
            Property::select("type", "Type", KINDS).filled(60),
            Property::number("numberofemployees", "Number of Employees", Recipe::Whole(1, 25_000)).filled(70),
            Property::number("annualrevenue", "Annual Revenue", Recipe::Cents(0, 90_000_000_000))
                .filled(50)
                .shown_as("numberDisplayHint", "currency"),
            Property::flag("is_public", "Is Public", Recipe::Flag(10)).filled(60),
            Property::number("founded_year", "Year Founded", Recipe::Whole(1850, 2024)).filled(40),
            Property::instant("notes_last_updated", "Last Activity Date", Recipe::Instant).filled(60),
            Property::long_text("description", "Description", Recipe::Remark).filled(50),
            Property::long_text("about_us", "About Us", Recipe::TroubledText).filled(30),
            Property::reference("hs_parent_company_id", "Parent Company ID", "COMPANY", "companies").filled(10),
            Property::new(
                "hs_merged_object_ids",
                "Merged record IDs",
                ValueType::Enumeration,
                "checkbox",
                Recipe::MergedIds,
            )
            .referring_to("COMPANY")
            .hidden(),
            Property::owner().filled(85),
            Property::text("baa_reference", "Business associate agreement", Recipe::Code("BAA-####-@@"))
                .filled(40)
                .sensitive(Sensitivity::Sensitive, HIPAA),
        ],
    )
}
