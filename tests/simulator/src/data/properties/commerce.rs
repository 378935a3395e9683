//! Products, line items, quotes and the other types of selling.

use super::super::property::{Property, ValueType};
use super::super::values::Recipe;
use super::super::words;
use super::in_group;
use super::sales::pipeline;

const QUOTE_STATUSES: &[(&str, &str)] =
    &[("DRAFT", "Draft"), ("APPROVAL_NOT_NEEDED", "Published"), ("REJECTED", "Rejected")];

const INVOICE_STATUSES: &[(&str, &str)] =
    &[("draft", "Draft"), ("open", "Open"), ("paid", "Paid"), ("voided", "Voided")];

const BILLING_PERIODS: &[(&str, &str)] = &[("P1M", "One month"), ("P1Y", "One year")];

const FULFILLMENT: &[(&str, &str)] = &[("pending", "Pending"), ("shipped", "Shipped"), ("returned", "Returned")];

fn currency() -> Property {
    Property::new("hs_currency_code", "Currency", ValueType::Enumeration, "select", Recipe::Word(words::CURRENCIES))
}

fn amount(name: &'static str, label: &'static str, highest_cents: i64) -> Property {
    Property::number(name, label, Recipe::Cents(0, highest_cents)).shown_as("numberDisplayHint", "currency")
}

pub(in super::super) fn products() -> Vec<Property> {
    in_group(
        "productinformation",
        vec![
            Property::text("name", "Name", Recipe::Word(words::PRODUCTS)),
            Property::text("hs_sku", "SKU", Recipe::Code("SKU-####-@@")).filled(90),
            amount("price", "Unit price", 500_000),
            Property::long_text("description", "Product description", Recipe::TroubledText).filled(60),
            Property::select("recurringbillingfrequency", "Billing frequency", BILLING_PERIODS).filled(30),
        ],
    )
}

pub(in super::super) fn line_items() -> Vec<Property> {
    in_group(
        "lineiteminformation",
        vec![
            Property::text("name", "Name", Recipe::Word(words::PRODUCTS)),
            Property::reference("hs_product_id", "Product ID", "PRODUCT", "products").filled(85),
            Property::number("quantity", "Quantity", Recipe::Whole(1, 40)),
            amount("price", "Unit price", 500_000),
            amount("amount", "Net price", 9_000_000).calculated(Some("quantity * price")),
            Property::number("hs_discount_percentage", "Discount", Recipe::Ratio).filled(20),
            currency(),
        ],
    )
}

pub(in super::super) fn quotes() -> Vec<Property> {
    in_group(
        "quoteinformation",
        vec![
            Property::text("hs_title", "Quote title", Recipe::Word(words::DEAL_NAMES)),
            Property::select("hs_status", "Status", QUOTE_STATUSES),
            Property::date("hs_expiration_date", "Expiration date", Recipe::Day(2024, 2027)),
            amount("hs_quote_amount", "Quote amount", 20_000_000).calculated(None),
            currency(),
            Property::owner(),
        ],
    )
}

pub(in super::super) fn orders() -> Vec<Property> {
    in_group(
        "order_information",
        vec![
            Property::text("hs_order_name", "Name", Recipe::Code("ORD-######")),
            pipeline("hs_pipeline", "Pipeline", Recipe::Pipeline),
            pipeline("hs_pipeline_stage", "Stage", Recipe::Stage),
            Property::select("hs_fulfillment_status", "Fulfilment status", FULFILLMENT),
            Property::text("hs_shipping_address_street", "Shipping street", Recipe::StreetAddress).filled(80),
            amount("hs_total_price", "Total price", 4_000_000),
            currency(),
        ],
    )
}

pub(in super::super) fn invoices() -> Vec<Property> {
    in_group(
        "invoice_information",
        vec![
            Property::text("hs_number", "Invoice number", Recipe::Code("INV-######")),
            Property::select("hs_invoice_status", "Status", INVOICE_STATUSES),
            Property::date("hs_due_date", "Due date", Recipe::Day(2023, 2026)),
            amount("hs_amount_billed", "Amount billed", 20_000_000),
            currency(),
        ],
    )
}

pub(in super::super) fn carts() -> Vec<Property> {
    in_group(
        "cart_information",
        vec![
            Property::text("hs_cart_name", "Name", Recipe::Code("CART-####")),
            Property::text("hs_external_cart_id", "External ID", Recipe::Code("########")),
            amount("hs_total_price", "Total price", 1_000_000),
            currency(),
        ],
    )
}

pub(in super::super) fn subscriptions() -> Vec<Property> {
    in_group(
        "subscription_information",
        vec![
            Property::text("hs_name", "Name", Recipe::Word(words::PRODUCTS)),
            Property::select("hs_billing_period", "Billing period", BILLING_PERIODS),
            amount("hs_recurring_revenue", "Recurring revenue", 100_000),
            currency(),
        ],
    )
}

pub(in super::super) fn payments() -> Vec<Property> {
    in_group(
        "payment_information",
        vec![
            Property::text("hs_reference_number", "Reference", Recipe::Code("PAY-########")),
            amount("hs_initial_amount", "Gross amount", 4_000_000),
            Property::text("hs_customer_email", "Customer email", Recipe::EmailAddress),
            Property::instant("hs_initiated_date", "Payment date", Recipe::Instant),
            currency(),
        ],
    )
}
