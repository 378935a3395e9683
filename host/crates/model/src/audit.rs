//! The audit record of a table: which plugin, by digest, and which lines of the pipeline file let which columns pass.
//!
//! It stands in the commit with the table it speaks of, and stays with it as long as the table does, also where later runs
//! keep the table as it is. It names columns, never values. Of settings and attachments it holds digests, so that one can
//! show what they were; of an attachment that carries marks it holds none: whoever can guess the content of a short secret
//! could check the guess.

use std::{collections::BTreeMap, sync::Arc};

use crate::schema::Marks;

/// What let which columns of a table pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audit {
    /// What the pipeline file says of reading and of marks.
    pub rules: RulesAudit,
    /// Columns that were never requested, since HubSpot marks them sensitive.
    pub withheld: Vec<String>,
    /// The transforms that the rows went through, in order.
    pub transforms: Vec<TransformAudit>,
    /// The marks that might reach the table.
    pub accepts: Marks,
    /// The columns of the table, in order; one that holds the values of several columns of the stream, for each of these.
    pub columns: Vec<ColumnAudit>,
}

/// What the pipeline file says of reading and of marks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RulesAudit {
    /// Whether properties that HubSpot marks sensitive are requested.
    pub sensitive: bool,
    /// Which columns are read.
    pub columns: Vec<ColumnRuleAudit>,
    /// The file's own marks.
    pub marks: Vec<MarkRuleAudit>,
}

/// Globs over streams and their columns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColumnRuleAudit {
    /// The streams.
    pub streams: Vec<String>,
    /// The columns that are read.
    pub include: Vec<String>,
    /// Those of them that are not.
    pub exclude: Vec<String>,
}

/// Globs over streams and their columns, and the marks of these.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MarkRuleAudit {
    /// The streams.
    pub streams: Vec<String>,
    /// The columns.
    pub columns: Vec<String>,
    /// Their marks.
    pub marks: Vec<String>,
}

/// One transform, as it stood when the table was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TransformAudit {
    /// Its name.
    pub name: String,
    /// The name of its plugin.
    pub plugin: String,
    /// The digest of the plugin's file.
    pub digest: String,
    /// The digest of its settings.
    pub settings: String,
    /// Its attachments.
    pub attachments: Vec<AttachmentAudit>,
    /// By mark, the columns that it was trusted to clear of it, and cleared.
    pub cleared: BTreeMap<String, Vec<String>>,
    /// The marks by which it was trusted to choose rows.
    pub cleared_rows: Vec<String>,
}

/// An attachment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AttachmentAudit {
    /// Its name.
    pub name: String,
    /// Its marks.
    pub marks: Marks,
    /// The digest of its content, if it has no marks.
    pub digest: Option<String>,
}

/// A column of the table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColumnAudit {
    /// Its name.
    pub name: String,
    /// Its marks.
    pub marks: Marks,
    /// The columns of the source that it can depend on. Columns that were computed together share one list.
    pub from: Arc<[SourceColumn]>,
    /// The transforms that computed it, or anything that it was computed from, the last first.
    pub computed_by: Vec<String>,
    /// The marks that the last of these was trusted to remove from it, and removed.
    pub cleared: Marks,
}

/// A column of the source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceColumn {
    /// Its name.
    pub name: String,
    /// HubSpot's name of its property, if it is one's.
    pub property: Option<String>,
}

impl Audit {
    /// All that the record says of a column of the table.
    pub fn column(&self, name: &str) -> impl Iterator<Item = &ColumnAudit> {
        self.columns.iter().filter(move |column| column.name == name)
    }
}
