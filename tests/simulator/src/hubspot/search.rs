//! Search: filters, one sort, and pages by offset up to the ten-thousandth hit.
//!
//! Without filters, in the order of ids, the total and the page are arithmetic. With filters the live records are scanned,
//! each only as far as its filters need: a filter on the id or the modified time computes no other
//! value, and bounds on the id bound the scan.

mod filter;
mod order;
mod request;

use std::collections::BinaryHeap;

use http::StatusCode;
use serde_json::json;

use self::filter::{Conditions, Scratch};
use self::order::{Hit, Order};
use self::request::SearchRequest;
use super::answer::{Answer, Refusal};
use super::objects::readable_type;
use super::records::Selection;
use super::server::{Call, body};
use crate::data::ids::Section;
use crate::data::object_type::ObjectType;
use crate::data::record::Record;

/// The longest body, in characters.
const LONGEST_BODY: usize = 3_000;

pub(super) fn search(call: &Call<'_>, segment: &str) -> Result<Answer, Refusal> {
    let object_type = readable_type(call.portal, segment, call.token)?;
    let length = String::from_utf8_lossy(call.body).chars().count();
    if length > LONGEST_BODY {
        return Err(Refusal::Invalid(format!(
            "The request body is too long: {length} characters, and at most {LONGEST_BODY} are allowed."
        )));
    }
    let request: SearchRequest = body(call.body)?;
    let page = request.page()?;
    let conditions = Conditions::new(object_type, &request, call.token)?;
    let order = Order::new(object_type, &request, call.token)?;
    let names = request.properties.iter().flatten().map(String::as_str);
    let selection = Selection::new(object_type, names, call.token, call.version)?;

    let (total, records) = match order.by_creation().filter(|_| conditions.are_none()) {
        Some(newest_first) => {
            let (live, layout) = (object_type.live(), object_type.layout());
            let ranks = (page.offset as u64..live).take(page.limit);
            let ranks = ranks.map(|rank| if newest_first { live - 1 - rank } else { rank });
            let positions = ranks.filter_map(|rank| layout.nth(Section::Live, rank));
            let records = positions.filter_map(|at| object_type.record(call.portal, Section::Live, layout.id(at)));
            (live, records.collect())
        }
        None => scan(call, object_type, &conditions, &order, page.offset, page.limit),
    };

    let end = page.offset + records.len();
    let mut out = format!(r#"{{"total":{total},"results":"#).into_bytes();
    selection.write_list(records, &mut out);
    if (end as u64) < total {
        let paging = json!({ "next": { "after": end.to_string() } });
        out.extend_from_slice(format!(r#","paging":{paging}"#).as_bytes());
    }
    out.push(b'}');
    Ok(Answer::json(StatusCode::OK, out))
}

/// Counts all hits, and keeps those up to the end of the page, in order.
fn scan<'a>(
    call: &Call<'a>,
    object_type: &'a ObjectType,
    conditions: &Conditions<'_>,
    order: &Order<'_>,
    offset: usize,
    limit: usize,
) -> (u64, Vec<Record<'a>>) {
    let kept = offset + limit;
    let (lowest, highest) = conditions.id_bounds();
    let mut scratch = Scratch::default();
    let mut total = 0;
    // The worst of the kept hits is on top, where a better one takes its place.
    let mut best: BinaryHeap<Hit<'a>> = BinaryHeap::with_capacity(kept + 1);
    for record in object_type.records(call.portal, Section::Live, lowest.checked_sub(1)) {
        if record.id() > highest {
            break;
        }
        if !conditions.hold(&record, &mut scratch) {
            continue;
        }
        total += 1;
        let hit = order.place(record, &mut scratch);
        if best.len() < kept || best.peek().is_some_and(|worst| hit < *worst) {
            best.push(hit);
            if best.len() > kept {
                best.pop();
            }
        }
    }
    let records = best.into_sorted_vec().into_iter().skip(offset).map(|hit| hit.record).collect();
    (total, records)
}
