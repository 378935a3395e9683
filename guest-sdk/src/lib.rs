//! Write plugins for sluice.
//!
//! A plugin is a pure function over columns. sluice asks it once per stream for an [`Outline`] of what it does to the
//! stream's schema, then hands it batches of just the columns that the outline reads. This crate turns that contract
//! (`wit/sluice.wit`) into a trait with two functions. A whole plugin:
//!
//! ```
//! //! Lower-cases text columns.
//! use sluice_guest::prelude::*;
//!
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct Settings {
//!     /// Columns to lower-case.
//!     columns: Vec<String>,
//! }
//!
//! struct LowerCase(Settings);
//!
//! impl Plugin for LowerCase {
//!     type Settings = Settings;
//!
//!     fn open(settings: Settings, _: Attachments) -> Result<Self, Failure> {
//!         Ok(Self(settings))
//!     }
//!
//!     fn outline(&self, input: &Schema) -> Result<Outline, Failure> {
//!         let mut outline = Outline::keep_all(input);
//!         for column in &self.0.columns {
//!             outline.map_text(column, |text| Some(text.to_lowercase()))?;
//!         }
//!         Ok(outline)
//!     }
//! }
//!
//! export!(LowerCase);
//! ```
//!
//! Built as a `cdylib` for `wasm32-unknown-unknown`, that is a file sluice runs; the crate's `README.md` says how, and
//! [`testing`] how to try it without any WebAssembly.
//!
//! - [`Outline`] keeps, drops, renames and computes columns; [`Rows`] is the form for authors who think in records.
//! - [`View`] reads a column in place, [`Builder`] makes one; [`Batch`] is what a computation gets.
//! - [`Attachments`] are files from the pipeline; [`log`] is the only thing a plugin can call.
//!
//! What a plugin cannot do: read a clock, a file, the network or randomness; see a column it did not declare; add rows;
//! remember one batch in the next.

mod attachments;
pub mod attribute;
pub mod batch;
mod bitmap;
mod column;
#[doc(hidden)]
pub mod contract;
mod failure;
#[doc(hidden)]
pub mod instance;
pub mod log;
mod names;
pub mod outline;
pub mod rows;
mod schema;
mod settings;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod time;
mod value;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

pub use crate::attachments::Attachments;
pub use crate::batch::{Batch, Compute, Outcome, Selection};
pub use crate::bitmap::Bitmap;
pub use crate::column::{Builder, Column, View};
pub use crate::failure::{Failure, FailureCode};
pub use crate::outline::{Group, Outline};
pub use crate::rows::{Row, Rows, Verdict};
pub use crate::schema::{Attributes, DataType, Field, Schema};
pub use crate::settings::NoSettings;
pub use crate::time::{Date, InvalidTime, Timestamp};
pub use crate::value::Value;
pub use {schemars, serde, serde_json};

/// The version of the contract that plugins built with this crate speak.
pub const CONTRACT_VERSION: &str = "0.1.0";

/// What an author implements. [`export!`] makes it the plugin of a crate.
///
/// For each stream it works on, a run opens a plugin at least once, and as often as it likes: each opening is a world of
/// its own, and each must give the same outline for the same schema.
pub trait Plugin: Sized + 'static {
    /// What the pipeline file says under `settings`. Its JSON Schema, documentation comments included, is what `sluice`
    /// shows to the pipeline's owner.
    ///
    /// Put `#[serde(deny_unknown_fields)]` on every struct of it: a misspelt key then is an error, not a setting that
    /// does nothing. [`NoSettings`] is for a plugin that has none.
    type Settings: DeserializeOwned + JsonSchema;

    /// Takes the settings and the attachments. What can be found wrong without a schema should be found here.
    ///
    /// # Errors
    /// [`Failure::settings`] for settings or attachments that make no sense.
    fn open(settings: Self::Settings, attachments: Attachments) -> Result<Self, Failure>;

    /// What the plugin does to a stream of this schema.
    ///
    /// # Errors
    /// [`Failure::schema`] for a schema that does not fit the settings.
    fn outline(&self, input: &Schema) -> Result<Outline, Failure>;
}

/// What a plugin's author needs, in one line: `use sluice_guest::prelude::*;`.
///
/// `Deserialize` and `JsonSchema` come with their derives. The derive of `Deserialize` asks for the crate `serde` among
/// the author's own dependencies, or for `#[serde(crate = "sluice_guest::serde")]` on the type.
pub mod prelude {
    pub use schemars::{self, JsonSchema};
    pub use serde::Deserialize;

    pub use crate::{
        Attachments, Attributes, Batch, Bitmap, Builder, Column, Compute, DataType, Date, Failure, Field, Group,
        NoSettings, Outcome, Outline, Plugin, Row, Rows, Schema, Selection, Timestamp, Value, Verdict, View, attribute,
        export, log,
    };
}

/// The examples of the README are compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
