//! What goes wrong with a plugin, told apart by what happened.
//!
//! Every error names the plugin and its digest, and holds no word of the plugin that is withheld. Neither does it hold a
//! number that the plugin chose: a row, a length or a code can carry a value as well as a word can. A broken rule is told by
//! the rule and what was expected, and the column where the plugin's words may be shown.

use std::{fmt, sync::Arc, time::Duration};

use sluice_model::digest::Digest;

use super::{memory::BudgetSpent, words::Words};

/// A plugin failed, or broke the contract.
///
/// After one of these an instance is spent, and all further calls fail with [`PluginErrorKind::Spent`]; only a
/// [`PluginErrorKind::Misused`] never reached the plugin, and changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("plugin `{plugin}` ({short}) in `{call}`: {kind}", short = digest.short())]
pub struct PluginError {
    /// The plugin's name.
    pub plugin: Arc<str>,
    /// The digest of its file.
    pub digest: Digest,
    /// What it was asked to do.
    pub call: Call,
    /// What happened.
    pub kind: PluginErrorKind,
}

/// The calls into a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Making an instance: its memory is laid out, and its start code runs.
    Instantiate,
    /// The contract's `describe`.
    Describe,
    /// The contract's `open`.
    Open,
    /// The contract's `outline-of`.
    OutlineOf,
    /// The contract's `apply`.
    Apply,
}

impl fmt::Display for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Instantiate => "instantiate",
            Self::Describe => "describe",
            Self::Open => "open",
            Self::OutlineOf => "outline-of",
            Self::Apply => "apply",
        })
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PluginErrorKind {
    /// WebAssembly stopped it.
    #[error("it trapped: {trap}")]
    Trapped {
        /// The kind of trap.
        trap: String,
    },
    /// It used up its instructions.
    #[error("it used up its budget of {fuel} instructions{}", for_rows(*rows))]
    OutOfFuel {
        /// The budget of the call.
        fuel: u64,
        /// The rows it was given; 0 for a call that takes none.
        rows: usize,
    },
    /// It used up its time, before its instructions.
    #[error("it was stopped after {} seconds", limit.as_secs_f32())]
    OutOfTime {
        /// The time it had.
        limit: Duration,
    },
    /// Whoever called it has to stop, and does not wait for it.
    #[error("it was stopped, since the program stops")]
    Stopped,
    /// It asked for more memory than it may have, and gave up.
    #[error("it gave up for want of memory: an instance may have {}", size(*limit))]
    OutOfMemory {
        /// The memory it may have.
        limit: u64,
    },
    /// It asked for more memory than was left of what all instances share.
    #[error("there is no memory left for it: all plugins together may have {}, and {}", size(.0.budget), held(.0))]
    BudgetSpent(BudgetSpent),
    /// It returned more than is taken.
    #[error("it returned more than the {} that a call may return", size(*limit))]
    ResultTooLarge {
        /// The bytes that are taken.
        limit: u64,
    },
    /// Its groups returned more for one batch than is taken, one after the other.
    #[error("its groups together returned more than the {} that they may return for one batch", size(*limit))]
    ResultsTooLarge {
        /// The bytes that are taken.
        limit: u64,
    },
    /// It answered that it cannot.
    #[error("{what}: {message}", what = code.says())]
    Failed {
        /// What it blames.
        code: FailureCode,
        /// Its own words.
        message: Words,
    },
    /// It answered with an outline that breaks a rule.
    #[error("its outline breaks the contract: {0}")]
    Outline(Words),
    /// It answered with something else that breaks a rule.
    #[error("it broke the contract: {0}")]
    Broken(Breach),
    /// No instance could be made of it.
    #[error("no instance can be made: {0}")]
    NotInstantiated(String),
    /// It failed before.
    #[error("it failed before, and a failed instance is not called again")]
    Spent,
    /// The host called it out of turn, which is a mistake in sluice.
    #[error("the host called it wrongly: {0}")]
    Misused(&'static str),
}

/// What a plugin that cannot answer blames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureCode {
    /// Its settings or attachments.
    Settings,
    /// The schema, which does not fit its settings.
    Schema,
    /// Anything else; also what an unknown code counts as.
    Internal,
}

impl FailureCode {
    pub(super) fn of(code: &str) -> Self {
        match code {
            "settings" => Self::Settings,
            "schema" => Self::Schema,
            _ => Self::Internal,
        }
    }

    fn says(self) -> &'static str {
        match self {
            Self::Settings => "it refuses its settings",
            Self::Schema => "it refuses the schema",
            Self::Internal => "it failed",
        }
    }
}

/// A rule of the contract that an answer breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    /// A text or list that does not lie in its memory, or a text that is not UTF-8.
    #[error("what it passed cannot be read: a text is not UTF-8, or a pointer leads outside its memory")]
    Unreadable,
    /// Attributes beyond what is taken, or one name twice.
    #[error("it described itself with {0}")]
    Description(String),
    /// Another number of columns than the group computes.
    #[error("it did not return the {expected} columns that the group computes")]
    ColumnCount {
        /// How many the group computes.
        expected: usize,
    },
    /// A column that breaks a rule.
    #[error("column {column}: {rule}")]
    Column {
        /// The column's name. Which of its columns a plugin breaks is for it to choose, so the name is one of its words.
        column: Words,
        /// The rule.
        rule: ColumnRule,
    },
    /// A selection by a group that does not select.
    #[error("it filtered or rejected rows in a group that its outline does not let select")]
    UndeclaredSelection,
    /// A bitmap of another size.
    #[error("`keep` is neither empty nor {expected} bytes, a bit for each of {rows} rows")]
    KeepSize {
        /// The bytes of a bitmap over the rows.
        expected: usize,
        /// The rows.
        rows: usize,
    },
    /// A rejection of a row that does not exist.
    #[error("it rejected a row that is not among the {rows} it was given")]
    RejectedRow {
        /// The rows.
        rows: usize,
    },
    /// Rejections out of order.
    #[error("its rejections are not in ascending order of rows, each row at most once")]
    RejectionOrder,
    /// A code that the outline does not declare.
    #[error("it rejected a row with a code that is not among the {declared} its outline declares")]
    RejectionCode {
        /// How many are declared.
        declared: usize,
    },
}

/// A rule about the buffers of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ColumnRule {
    /// The number of buffers.
    #[error("there are not {expected} buffers")]
    BufferCount {
        /// How many the format has.
        expected: usize,
    },
    /// The size of the validity bitmap.
    #[error("its validity is neither empty nor {expected} bytes")]
    ValiditySize {
        /// The bytes of a bitmap over the rows.
        expected: usize,
    },
    /// The size of the values, or the bitmap of values.
    #[error("its values are not {expected} bytes")]
    ValueSize {
        /// The bytes of the values.
        expected: usize,
    },
    /// The size of the offsets.
    #[error("its offsets are not {expected} bytes")]
    OffsetSize {
        /// The bytes of `rows + 1` offsets.
        expected: usize,
    },
    /// Offsets that do not cut the data into values.
    #[error("its offsets do not start at 0, decrease, or lead past the end of its data")]
    Offsets,
    /// A value that is not UTF-8.
    #[error("a value is not UTF-8")]
    Utf8,
    /// A null where none may be.
    #[error("a value is absent, and the outline says that none is")]
    Null,
}

impl From<Breach> for PluginErrorKind {
    fn from(breach: Breach) -> Self {
        Self::Broken(breach)
    }
}

fn for_rows(rows: usize) -> String {
    if rows == 0 { String::new() } else { format!(" for {rows} rows") }
}

fn held(spent: &BudgetSpent) -> String {
    let shares = spent.held.iter().map(|(holder, bytes)| format!("`{holder}` has {}", size(*bytes)));
    let shares: Vec<String> = shares.collect();
    if shares.is_empty() { "it asks for more at once".to_owned() } else { shares.join(", ") }
}

fn size(bytes: u64) -> String {
    const MEBIBYTE: u64 = 1 << 20;
    match bytes {
        whole if whole.is_multiple_of(MEBIBYTE) => format!("{} MiB", whole / MEBIBYTE),
        less if less < MEBIBYTE => format!("{less} bytes"),
        more => format!("{:.1} MiB", more as f64 / MEBIBYTE as f64),
    }
}

impl PluginError {
    /// What would mend it, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match &self.kind {
            PluginErrorKind::Trapped { .. } => {
                Some("a plugin written in Rust traps when it panics: run its own tests with these settings")
            }
            PluginErrorKind::OutOfFuel { .. } => Some(
                "unless the plugin loops for ever, raise `fuel_base`, `fuel_per_row` or `fuel_per_byte` in the transform's `limits`",
            ),
            PluginErrorKind::OutOfTime { .. } => Some("raise `timeout` in the transform's `limits`"),
            PluginErrorKind::OutOfMemory { .. } => Some("raise `memory` in the transform's `limits`"),
            PluginErrorKind::BudgetSpent(_) => {
                Some("raise `plugin_memory` under [run], or let fewer streams run at once with `streams_at_once`")
            }
            PluginErrorKind::Failed { code: FailureCode::Settings, .. } => {
                Some("`sluice plugin inspect` prints the settings that a plugin takes")
            }
            PluginErrorKind::Outline(_) | PluginErrorKind::Broken(_) => {
                Some("this is a mistake in the plugin, not in the pipeline: tell its author")
            }
            PluginErrorKind::ResultTooLarge { .. } | PluginErrorKind::ResultsTooLarge { .. } => {
                Some("raise `result` in the transform's `limits`")
            }
            PluginErrorKind::Stopped
            | PluginErrorKind::Failed { .. }
            | PluginErrorKind::NotInstantiated(_)
            | PluginErrorKind::Spent
            | PluginErrorKind::Misused(_) => None,
        }
    }
}
