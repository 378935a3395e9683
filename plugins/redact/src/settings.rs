//! The settings as a pipeline file writes them; [`crate::rules`] makes sense of them.

use schemars::JsonSchema;
use serde::Deserialize;

/// Rules that say what becomes of which columns.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// At least one rule. Where several select one column, the strictest action counts: `drop`, then `null`, then `mask`,
    /// then `scrub`. Scrubs of one column add up.
    pub(crate) rules: Vec<Rule>,
}

/// Which columns, and what becomes of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// Globs over column names (`*`, `?`, `[ab]`, `{a,b}`), whatever the case of the letters.
    #[serde(default)]
    pub(crate) columns: Vec<String>,
    /// Marks; every column that carries one of them is selected, beside those that `columns` names.
    #[serde(default)]
    pub(crate) marks: Vec<String>,
    /// Globs over column names that the rule leaves alone.
    #[serde(default)]
    pub(crate) except: Vec<String>,
    /// Whether each entry of `columns` and `marks` must select a column in every stream that the transform applies to: all of
    /// them (`true`), none (`false`), or, unless set, those that name a column without any `*`. What need not select one and
    /// does not is only logged.
    pub(crate) required: Option<bool>,
    /// What becomes of the columns.
    pub(crate) action: Action,
}

/// What becomes of a column.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Action {
    /// The column is left out of the table.
    Drop,
    /// The column stays, without any value.
    Null,
    /// Every value is replaced. Text only.
    Mask(Mask),
    /// What the patterns find inside the values is replaced. Text only.
    Scrub(Scrub),
}

/// Either `text`, or at least one of `keep_first` and `keep_last`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mask {
    /// What stands in place of every value.
    pub(crate) text: Option<String>,
    /// How many characters at the beginning stay. A value that has no more characters than stay is masked whole.
    pub(crate) keep_first: Option<usize>,
    /// How many characters at the end stay.
    pub(crate) keep_last: Option<usize>,
    /// What stands in place of every other character; `*` unless set.
    pub(crate) character: Option<char>,
}

/// What to look for. At least one pattern.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scrub {
    /// Patterns that the plugin knows.
    #[serde(default)]
    pub(crate) patterns: Vec<BuiltIn>,
    /// Patterns of the pipeline's own.
    #[serde(default)]
    pub(crate) custom: Vec<Custom>,
    /// What stands in place of whatever is found; unless set, the pattern's name in brackets (`[email]`).
    pub(crate) replacement: Option<String>,
}

/// A pattern that the plugin knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BuiltIn {
    /// E-mail addresses.
    Email,
    /// Phone numbers: international with a `+`, and North American.
    Phone,
    /// US social security numbers, `ddd-dd-dddd`.
    UsSsn,
    /// Payment card numbers of 13 to 19 digits with a valid check digit.
    Card,
}

/// A pattern of the pipeline's own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Custom {
    /// `[a-z0-9_]+`, and none of the names of `patterns`.
    pub(crate) name: String,
    /// A regular expression in the syntax of the Rust crate `regex`: no look-around, no back-references, linear time.
    pub(crate) pattern: String,
    /// What stands in place of what it finds; unless set, that of the scrub.
    pub(crate) replacement: Option<String>,
}
