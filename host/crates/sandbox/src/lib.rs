//! The sandbox: plugins are loaded, checked, run and held to the contract here, and nowhere else.
//!
//! Arrow goes in, Arrow comes out. To whoever uses this crate a plugin is a pure function over record batches that may fail,
//! in a number of ways that are all told apart. It needs nothing else of sluice: no pipeline file, no runtime, no network.
//!
//! ```
//! use std::sync::Arc;
//!
//! use sluice_sandbox::{
//!     Engine, Limits, Plugin, Setup,
//!     arrow_array::{BooleanArray, Int64Array, RecordBatch, cast::AsArray, types::Int64Type},
//!     schema::{Attributes, ColumnType, Field, Schema, arrow_schema},
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let bytes = wat::parse_str(include_str!("../tests/active_only.wat"))?;
//! // `bytes`: a plugin's file. This one keeps rows that are active.
//! let engine = Engine::new(None)?;
//! let plugin = Plugin::load(&engine, "active-only", &bytes, None)?;
//! let setup = Setup::new(plugin)
//!     .with_settings(r#"{ "note": "settings are a JSON object" }"#)
//!     .with_attachments(Vec::new())
//!     .with_limits(Limits { memory: 16 << 20, ..Limits::default() });
//!
//! let fields = vec![Field::new("id", ColumnType::Integer), Field::new("active", ColumnType::Boolean)];
//! let schema = Schema { name: "people".to_owned(), fields, attributes: Attributes::new() };
//! // What it would do to such data, before it sees any: it is handed one column of two, and computes none.
//! let outline = setup.outline_of(&schema, false)?;
//! assert_eq!(outline.groups, [[1]]);
//!
//! let batch = RecordBatch::try_new(
//!     arrow_schema(&schema.fields),
//!     vec![Arc::new(Int64Array::from(vec![1, 2, 3])), Arc::new(BooleanArray::from(vec![true, false, true]))],
//! )?;
//! let transformed = setup.transform(&schema)?.apply(&batch)?;
//! assert_eq!(transformed.batch.column(0).as_primitive::<Int64Type>().values(), &[1, 3]);
//! assert_eq!(transformed.dropped, 1);
//! # Ok(())
//! # }
//! ```
//!
//! ## What a plugin is granted
//!
//! Computation over what it is handed: its settings, its attachments, a schema, and of each batch the columns that its
//! outline says it reads. And one import, `log`.
//!
//! ## What it is refused, and by what
//!
//! - *Everything outside.* There is nothing to call: no clock, file, socket, environment, randomness. An import that is not
//!   the contract's own is refused by name when the plugin is loaded ([`LoadError::ForeignImports`]).
//! - *Columns it did not declare.* They are not written into its memory. That is all there is to it.
//! - *Going on for ever, or growing for ever.* A call has a budget of instructions, then of time, and ends when whoever made
//!   the engine has to stop ([`Engine::stopping_when`]); an instance has a bound on its memory, and an answer on its size
//!   ([`Limits`]).
//! - *Being small and asking for much.* What a file instantiates and declares is counted before it is compiled, without being
//!   expanded; and a process of its own may compile it, within limits ([`Compiler::in_child`]).
//! - *Lying.* Every answer is checked against every rule of the contract before anything is made of it
//!   ([`PluginErrorKind::Broken`], [`PluginErrorKind::Outline`]).
//! - *Talking.* Log lines and messages are cut, counted and made printable, few of them pass ([`MOST_LINES`]), and none where
//!   the plugin reads marked data ([`LogSink`]).
//! - *Being somebody else.* A plugin is known by the digest of its file, which a pipeline can pin and every error names.
//! - *Remembering.* An instance's memory is its own, made new and never handed on; and after a failure it is not used again.
//!
//! ## What this does not do
//!
//! A plugin that is given a column can write it, in any form, into any column it computes from it, and can tell something of
//! it by which rows it drops. What may come of that is for the plan and its guard to say; here it is only made true that
//! nothing else can happen. Time is not hidden from whoever watches the host, and who may already write as the user is not
//! kept out.
//!
//! ## The story
//!
//! An [`Engine`] is made once. [`Plugin::load`] takes a file; a [`Setup`] adds what its instances are opened with, and makes
//! them. An [`Instance`] says its outline of a schema once, and is then given batches, group by group; a [`Transform`] does
//! that for whole batches, with as many instances as keep columns apart that must not meet. Calls are synchronous and busy:
//! they belong on a thread for computation, never inside an asynchronous task.

mod cache;
mod code;
mod compiler;
mod config;
mod contract;
mod convert;
mod encode;
mod engine;
mod error;
mod inspect;
mod instance;
mod limits;
mod linker;
mod load_error;
mod log;
mod memory;
mod plugin;
mod seal;
mod setup;
mod state;
mod stop;
mod transform;
mod weight;
mod words;

/// The Arrow that this crate takes and gives: whoever uses it needs the same versions.
pub use {arrow_array, arrow_schema};

pub use sluice_model::{
    digest::{Digest, NotADigest},
    limits::Limits,
    outline, schema,
};

pub use self::{
    cache::{CacheError, CachePlace},
    compiler::{CompileLimits, Compiler, serve},
    contract::{CONTRACT_VERSION, ContractVersion},
    convert::{GroupOutcome, Rejection},
    engine::{Engine, EngineError},
    error::{Breach, Call, ColumnRule, FailureCode, PluginError, PluginErrorKind},
    inspect::PluginKind,
    instance::{Attachment, Instance, MOST_ROWS},
    load_error::{LARGEST_FILE, LoadError},
    log::{LogCounts, LogLevel, LogSink, MOST_LINES},
    memory::{BudgetSpent, MemoryBudget},
    plugin::Plugin,
    seal::KeyError,
    setup::Setup,
    transform::{Transform, TransformError, Transformed},
    words::Words,
};
