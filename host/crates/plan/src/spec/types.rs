//! The shape of the pipeline file. These are wire types: they say what can be typed, and nothing else in the program is built
//! from them but the plan and the connections it needs.
//!
//! Every field's documentation is also its description in the JSON Schema, and so what an editor shows.

use std::{collections::BTreeMap, path::PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::{
    scope::{EventsSpec, HistorySpec, ShareOfDay},
    sink::SinkSpec,
    values::{ByteSize, ClearedColumn, Glob, MarkName, Name, SecretRef, Share, Span, Url},
};

/// A sluice pipeline: one source, its streams, ordered transforms, one sink.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PipelineFile {
    /// The JSON Schema of this file, for editors. Not read.
    #[serde(rename = "$schema")]
    #[expect(dead_code, reason = "editors read it, sluice does not")]
    schema: Option<String>,
    /// The pipeline's name. It stands in the audit record, in Parquet metadata and in the names of sessions.
    #[schemars(with = "Name")]
    pub pipeline: Spanned<Name>,
    /// Where the data comes from.
    pub source: SourceSpec,
    /// Sensitivity markings of this pipeline's own, beside those the source knows.
    #[serde(default)]
    #[schemars(with = "Vec<MarkSpec>")]
    pub mark: Vec<Spanned<MarkSpec>>,
    /// What happens to the records, in this order.
    #[serde(default)]
    #[schemars(with = "Vec<TransformSpec>")]
    pub transform: Vec<Spanned<TransformSpec>>,
    /// Where the tables go.
    #[schemars(with = "SinkSpec")]
    pub sink: Spanned<SinkSpec>,
    /// How a run uses the machine.
    #[serde(default)]
    pub run: RunSpec,
}

/// Where the data comes from.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceSpec {
    /// The kind of source.
    #[serde(rename = "type")]
    pub source_type: SourceType,
    /// The access token: of a private app or a service key.
    pub token: SecretRef,
    /// The streams to read: names (`contacts`, `owners`), object type ids (`0-1`, `2-3465404`) or globs. Default: all.
    #[serde(default = "all_streams")]
    #[schemars(with = "Vec<Glob>")]
    pub streams: Vec<Spanned<Glob>>,
    /// Streams to leave out of those.
    #[serde(default)]
    #[schemars(with = "Vec<Glob>")]
    pub exclude: Vec<Spanned<Glob>>,
    /// Which columns to read, by stream. A column that no rule speaks of is read.
    #[serde(default)]
    pub columns: Vec<ColumnsSpec>,
    /// Which properties' earlier values are read beside, into the table `object_properties_history`.
    #[serde(default)]
    #[schemars(with = "Vec<HistorySpec>")]
    pub history: Vec<Spanned<HistorySpec>>,
    /// Which events are read beside, each type into a table of its own.
    #[schemars(with = "Option<EventsSpec>")]
    pub events: Option<Spanned<EventsSpec>>,
    /// The most that events and history may take of the account's daily limit of requests, as a share: a run that needs more
    /// is refused before it reads anything. Default: 0.5, a half.
    pub at_most: Option<ShareOfDay>,
    /// Whether properties that HubSpot marks sensitive are requested at all.
    #[serde(default)]
    pub sensitive: Sensitive,
    /// What happens with a stream that the token may not see. Default: `fail` for one that `streams` names, `skip` for one
    /// that only a glob takes in.
    pub on_missing_scope: Option<OnMissingScope>,
    /// Which directions of associations are read, where `streams` takes in both. Default: `one`.
    #[serde(default)]
    pub association_directions: Directions,
    /// The version of HubSpot's API.
    #[serde(default)]
    pub api_version: ApiVersion,
    /// The address of the API. Default: `https://api.hubapi.com`.
    pub base_url: Option<Url>,
    /// The account's limit, if it is lower than what the API announces or than what this pipeline may use. Default: what
    /// the API's answers say, and 100 until the first one.
    pub requests_per_10s: Option<std::num::NonZeroU32>,
    /// The share of the account's limits, of requests and of searches, that is left to its other apps: from 0 up to, not
    /// including, 1. Default: 0.1, a tenth.
    pub reserve: Option<Share>,
}

fn all_streams() -> Vec<Spanned<Glob>> {
    "*".parse().map(|all| vec![Spanned::new(0..0, all)]).unwrap_or_default()
}

/// The kinds of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SourceType {
    /// HubSpot's public API.
    Hubspot,
}

/// What happens with properties that HubSpot marks `sensitive` or `highly_sensitive`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sensitive {
    /// They are never requested.
    #[default]
    Exclude,
    /// They are requested, and their columns carry the mark.
    Include,
}

/// What happens with a stream that the token may not see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnMissingScope {
    /// The run ends before anything is read.
    Fail,
    /// The stream is left out, and the report names it. Its table, if there is one, stays as it was.
    Skip,
}

/// Which directions of associations are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Directions {
    /// One of each pair of types: the one that `streams` names apart from the other; otherwise that which the tables have
    /// already, or that from the type with fewer records, which takes fewer requests.
    #[default]
    One,
    /// Both. The same records are linked in each, but what a link means has other ids and may have another label.
    Both,
}

/// The versions of HubSpot's API that sluice speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The dated version of September 2026.
    #[default]
    #[serde(rename = "2026-09")]
    September2026,
    /// The dated version of March 2026.
    #[serde(rename = "2026-03")]
    March2026,
    /// The numbered paths `/crm/v3` and `/crm/v4`, unsupported by HubSpot from 2027.
    #[serde(rename = "v3")]
    V3,
}

/// Which columns of some streams are read.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnsSpec {
    /// The streams this is about. Default: all.
    #[serde(default = "all_streams")]
    #[schemars(with = "Vec<Glob>")]
    pub streams: Vec<Spanned<Glob>>,
    /// Only columns whose name fits one of these are read (`property_email`). Key columns are always read. Default: all.
    #[serde(default = "all_streams")]
    #[schemars(with = "Vec<Glob>")]
    pub include: Vec<Spanned<Glob>>,
    /// Columns to leave out of those.
    #[serde(default)]
    #[schemars(with = "Vec<Glob>")]
    pub exclude: Vec<Spanned<Glob>>,
}

/// Marks for some columns of some streams.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MarkSpec {
    /// The streams this is about. Default: all.
    #[serde(default = "all_streams")]
    #[schemars(with = "Vec<Glob>")]
    pub streams: Vec<Spanned<Glob>>,
    /// The columns, by name (`property_diagnosis_*`).
    #[schemars(with = "Vec<Glob>")]
    pub columns: Vec<Spanned<Glob>>,
    /// The marks they get (`phi`).
    pub marks: Vec<MarkName>,
}

/// One step that records go through.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TransformSpec {
    /// The step's name, for errors and the audit record.
    #[schemars(with = "Name")]
    pub name: Spanned<Name>,
    /// A standard plugin: `redact` or `remap-ids`.
    #[schemars(with = "Option<String>")]
    pub plugin: Option<Spanned<String>>,
    /// A plugin of your own: a WebAssembly file, relative to the pipeline file.
    #[schemars(with = "Option<PathBuf>")]
    pub path: Option<Spanned<PathBuf>>,
    /// The SHA-256 digest that the file must have (`sha256:…`), as `sluice plugin inspect` prints it.
    #[schemars(with = "Option<String>")]
    pub digest: Option<Spanned<String>>,
    /// The streams that go through this step, by the names the source gives them. Default: all.
    #[serde(default = "all_streams")]
    #[schemars(with = "Vec<Glob>")]
    pub streams: Vec<Spanned<Glob>>,
    /// The plugin's settings, as its own documentation describes them.
    #[serde(default)]
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub settings: toml::Table,
    /// Files that are handed to the plugin.
    #[serde(default)]
    #[schemars(with = "Vec<AttachmentSpec>")]
    pub attachments: Vec<Spanned<AttachmentSpec>>,
    /// Marks that this step is trusted to remove, and from which of its output columns, of which stream:
    /// `{ phi = ["contacts.property_token"] }`. Where `streams` names the step's streams one by one, `property_token` will
    /// do, and means all of them.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Vec<ClearedColumn>>")]
    pub clears: BTreeMap<MarkName, Vec<Spanned<ClearedColumn>>>,
    /// Marks of columns by whose values this step may choose rows. Takes a step whose `streams` are named one by one.
    #[serde(default)]
    #[schemars(with = "Vec<MarkName>")]
    pub clears_rows: Vec<Spanned<MarkName>>,
    /// What happens when the plugin rejects a row.
    #[serde(default)]
    pub on_reject: OnReject,
    /// What the plugin may use.
    #[serde(default)]
    pub limits: LimitsSpec,
}

/// A file that is handed to a plugin.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AttachmentSpec {
    /// The name the plugin knows it by. Each attachment of a step has its own.
    pub name: String,
    /// The file, relative to the pipeline file.
    pub file: Option<PathBuf>,
    /// A secret instead of a file. What is computed with it carries the mark `secret`.
    pub secret: Option<SecretRef>,
    /// Marks that everything computed with this file carries.
    #[serde(default)]
    pub marks: Vec<MarkName>,
}

/// What happens when a plugin rejects a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnReject {
    /// The row does not pass; the report counts it under the plugin's code.
    #[default]
    Drop,
    /// The run ends.
    Fail,
}

impl TransformSpec {
    /// Whether the file names this step's streams one by one.
    pub fn names_its_streams(&self) -> bool {
        self.streams.iter().all(|glob| glob.get_ref().is_plain())
    }
}

/// What a plugin may use. Each has a default that suits plugins which do a bounded amount of work a value.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsSpec {
    /// Memory of one instance. A stream has one for each set of marks that the plugin reads, mostly one or two.
    /// Default: `256MiB`.
    pub memory: Option<ByteSize>,
    /// Instructions a call may use, whatever it is given. Default: 2000000000, a second or two.
    pub fuel_base: Option<u64>,
    /// Further instructions for each row. Default: 200000.
    pub fuel_per_row: Option<u64>,
    /// Further instructions for each byte of the columns, settings and attachments it is given. Default: 2000.
    pub fuel_per_byte: Option<u64>,
    /// The longest a call may take by the clock, should instructions alone not stop it. Default: ten times what its
    /// instructions take on a slow machine, and a minute at least.
    pub timeout: Option<Span>,
    /// The most that a call may return. Default: `64MiB`.
    pub result: Option<ByteSize>,
}

/// What a stream does of which not as many records were read as HubSpot counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LedgerRule {
    /// A warning names it.
    #[default]
    Warn,
    /// The run commits, and ends with exit code 3.
    Strict,
}

/// How a run uses the machine.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunSpec {
    /// How many readers work at once, each at a stream or at a part of a large one. Default: 8. More fill the account's budget
    /// better where answers are slow, and take more memory.
    pub streams_at_once: Option<std::num::NonZeroU32>,
    /// The most memory that all plugins may take together. What each instance takes counts as it grows; one that would go
    /// past this ends the run. Default: `4GiB`.
    #[schemars(with = "Option<ByteSize>")]
    pub plugin_memory: Option<Spanned<ByteSize>>,
    /// For how long a request to the source may fail, for whatever reason that may pass, before the run ends: connections
    /// that fail, answers that break off or do not come, 5xx, HTML pages. Default: `5m`.
    pub patience: Option<Span>,
    /// A stream that is asked for record by record and takes longer than this is read in slices that are kept, for a day, should
    /// the run not come to its end: the next run goes on where this one stopped. Default: `1h`.
    pub keep_after: Option<Span>,
    /// What a stream does of which not as many records were read as HubSpot counts: more or fewer than before and after it.
    #[serde(default)]
    pub ledger: LedgerRule,
}
