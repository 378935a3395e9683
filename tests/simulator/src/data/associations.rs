//! Associations: which pairs of types can be linked, and which records are.
//!
//! - `kinds`, `pairs`: the kinds of links there are, for each pair of types, as HubSpot numbers them;
//! - `definitions`: the same, seen from one of the two types;
//! - `links`: the links themselves, computed for a pair when somebody first asks for it.
//!
//! What a record says of another, the other says of it, with the type ids and labels of its own
//! direction. The exception is a record that was merged away: links still name it, and nobody can
//! ask it for its own. Links of archived records are not part of the portal.

mod definitions;
mod kinds;
mod links;
mod pairs;
#[cfg(test)]
mod tests;

pub(crate) use definitions::{Definition, Direction, between, defined_by, directions};
pub(crate) use links::{Crowd, Link, Links};
