//! The words that all of sluice shares.
//!
//! Plain data and small values, each a leaf: none of these modules does any I/O, and none knows of the pipeline file, of
//! HubSpot, of a bucket or of a sandbox.
//!
//! - [`schema`]: columns with their types and marks; [`stream`]: what they are the columns of.
//! - [`outline`]: what a plugin says it does to one schema; [`program`]: what is done with a batch because of it;
//!   [`limits`]: what it may use up; [`digest`]: what it is known by.
//! - [`delivery`]: rows on their way from a source to a table.
//! - [`ledger`]: what became of the records of a stream, and whether these were all.
//! - [`audit`]: what let which columns of a table pass.
//! - [`problem`]: what is wrong, where, and what would mend it.
//! - [`secret`]: values that are used and never shown; [`printable`]: text that is not ours, made fit to be shown.
//! - [`run_id`]: the name of one run; [`clock`]: the time of day, handed to whoever needs it.

pub mod delivery;
pub mod schema;
pub mod stream;

pub mod audit;
pub mod digest;
pub mod ledger;
pub mod limits;
pub mod outline;
pub mod program;

pub mod problem;

pub mod mask;
pub mod printable;
pub mod secret;

pub mod clock;
pub mod run_id;

use std::error::Error;

/// An error and its causes, on one line.
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
