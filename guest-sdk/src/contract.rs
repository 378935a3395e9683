//! The contract's own types, generated from `wit/sluice.wit`, and the macro that exports them.
//!
//! Authors do not meet this module: [`crate::instance`] turns these shapes into the ones they write with. It is public
//! because [`export!`](crate::export) expands in the author's crate, and for tests that speak the contract itself.

pub use generated::exports::sluice::transform::transform::Guest;
#[cfg(target_arch = "wasm32")]
pub use generated::sluice::transform::log;
pub use generated::sluice::transform::types::{
    Attachment, Column, Computed, Failure, Field, Kept, Outcome, Outline, Output, Rejection, Schema,
};
#[doc(hidden)]
pub use generated::*;

#[allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    unsafe_code,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    reason = "generated: the canonical ABI is spoken through raw pointers, and the documentation stands in the WIT"
)]
mod generated {
    wit_bindgen::generate!({
        path: "wit",
        world: "plugin",
        pub_export_macro: true,
        export_macro_name: "export_component",
        additional_derives: [PartialEq],
    });
}
