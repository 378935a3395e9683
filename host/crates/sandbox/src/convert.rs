//! The boundary: the program's types on one side, the contract's records on the other.
//!
//! Going in, nothing is checked, since it is the host's own, and nothing is copied but by wasmtime itself: a parameter
//! borrows Arrow's buffers, and only a buffer that does not start where the contract says (a slice of an array) is made anew.
//! Coming out, everything is hostile until checked: one linear pass over counts, sizes, offsets and UTF-8, and only then an
//! Arrow array, by Arrow's own checking constructors. A buffer that passes is moved, not copied.
//!
//! Not done here: whether an outline makes sense for its schema ([`sluice_model::outline`]), or whether a plugin may compute
//! what it computes (the guard).

mod columns;
mod outcome;
mod outline;
mod schema;

pub use outcome::{GroupOutcome, Rejection};

pub(super) use columns::{Bytes, buffers_of};
pub(super) use outcome::{Expected, check_outcome};
pub(super) use outline::{read_description, read_outline};
pub(super) use schema::SchemaLists;

// Arrow's memory layout is the machine's own, the contract's is little endian.
const _: () = assert!(cfg!(target_endian = "little"), "plugins are handed Arrow's buffers as they are");

#[cfg(test)]
mod tests;
