//! Lines for the run's log.
//!
//! The host shows them with the plugin's name, cuts and counts them past a limit, and withholds them where the plugin
//! reads any marked column. Never put a value of a row into one. Natively (in `cargo test`) the lines are kept for
//! [`testing`](crate::testing) to show.

use std::fmt::Display;

/// A detail for the plugin's author.
pub fn debug(message: impl Display) {
    write("debug", &message.to_string());
}

/// Something the pipeline's owner may want to know.
pub fn info(message: impl Display) {
    write("info", &message.to_string());
}

/// Something the pipeline's owner should look at.
pub fn warn(message: impl Display) {
    write("warn", &message.to_string());
}

#[cfg(target_arch = "wasm32")]
pub(crate) use crate::contract::log::log as write;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use native::{take, write};

#[cfg(not(target_arch = "wasm32"))]
mod native {
    use std::cell::RefCell;

    thread_local! {
        static LINES: RefCell<Vec<(&'static str, String)>> = const { RefCell::new(Vec::new()) };
    }

    pub(crate) fn write(level: &'static str, message: &str) {
        LINES.with_borrow_mut(|lines| lines.push((level, message.to_owned())));
    }

    /// The lines written on this thread since the last call.
    pub(crate) fn take() -> Vec<(&'static str, String)> {
        LINES.take()
    }
}
