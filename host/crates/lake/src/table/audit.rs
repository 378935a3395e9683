//! Audit records as they are stored in commits.
//!
//! A record is made once, by the run that writes the table, and stands in every commit that lists the table, those of other
//! pipelines included. On the way nobody reads it: it is carried over as it is, so a large one costs its bytes and no more,
//! and what a later version has added to it stays. It is read where somebody asks what it says.
//!
//! Columns that were computed together depend on the same columns of the source, perhaps on hundreds: each such list stands
//! once under `origins`, and a column names its list by its number there.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use sluice_model::{
    audit::{
        AttachmentAudit, Audit, ColumnAudit, ColumnRuleAudit, MarkRuleAudit, RulesAudit, SourceColumn, TransformAudit,
    },
    schema::{Mark, Marks, NotAMark},
};

/// An audit record as commits hold it: JSON without whitespace. Clones share it.
#[derive(Clone)]
pub struct AuditRecord(Arc<RawValue>);

impl AuditRecord {
    /// The record in the form that is stored.
    pub fn of(audit: &Audit) -> Self {
        let stored = to_raw_value(&StoredAudit::from(audit));
        Self(stored.unwrap_or_else(|_| unreachable!("maps with text keys are always JSON")).into())
    }

    /// What it says.
    ///
    /// # Errors
    /// It is no audit record that this version knows: nobody has looked at it since it was written.
    pub fn read(&self) -> Result<Audit, NotAnAudit> {
        serde_json::from_str::<StoredAudit>(self.0.get())?.try_into()
    }
}

impl fmt::Debug for AuditRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.get())
    }
}

impl PartialEq for AuditRecord {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.get() == other.0.get()
    }
}

impl Eq for AuditRecord {}

impl Serialize for AuditRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AuditRecord {
    /// Without the whitespace, which versions differ in: two commits have the same table if all of it is the same.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = <&RawValue>::deserialize(deserializer)?;
        let record = RawValue::from_string(without_whitespace(stored.get())).map_err(serde::de::Error::custom)?;
        Ok(Self(record.into()))
    }
}

/// JSON without the whitespace between its signs.
fn without_whitespace(json: &str) -> String {
    let (mut in_text, mut escaped) = (false, false);
    let needed = json.chars().filter(|sign| {
        if in_text {
            in_text = escaped || *sign != '"';
            escaped = !escaped && *sign == '\\';
            return true;
        }
        in_text = *sign == '"';
        !sign.is_ascii_whitespace()
    });
    needed.collect()
}

/// An audit record, stored.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct StoredAudit {
    source: StoredRules,
    withheld: Vec<String>,
    transforms: Vec<StoredTransform>,
    accepts: Vec<String>,
    origins: Vec<BTreeMap<String, Option<String>>>,
    columns: Vec<StoredColumn>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct StoredRules {
    sensitive: StoredSensitive,
    columns: Vec<StoredColumnRule>,
    mark: Vec<StoredMarkRule>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredSensitive {
    #[default]
    Exclude,
    Include,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct StoredColumnRule {
    streams: Vec<String>,
    include: Vec<String>,
    exclude: Vec<String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct StoredMarkRule {
    streams: Vec<String>,
    columns: Vec<String>,
    marks: Vec<String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct StoredTransform {
    name: String,
    plugin: String,
    digest: String,
    settings: String,
    attachments: Vec<StoredAttachment>,
    cleared: BTreeMap<String, Vec<String>>,
    cleared_rows: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredAttachment {
    name: String,
    marks: Vec<String>,
    digest: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredColumn {
    name: String,
    marks: Vec<String>,
    /// The number of its list in `origins`.
    from: usize,
    computed_by: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cleared: Vec<String>,
}

/// Why what is stored is no audit record.
#[derive(Debug, thiserror::Error)]
pub enum NotAnAudit {
    /// It is of another form.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A text that is no mark.
    #[error(transparent)]
    Mark(#[from] NotAMark),
    /// A column comes from nowhere.
    #[error("a column of an audit record comes from list {0} of its origins, which it does not have")]
    NoSuchOrigins(usize),
}

/// A record as commits hold it, for whoever shows it; `null` for one that is nested deeper than any version writes.
pub fn audit_json(record: &AuditRecord) -> serde_json::Value {
    serde_json::from_str(record.0.get()).unwrap_or_default()
}

impl From<&Audit> for StoredAudit {
    fn from(audit: &Audit) -> Self {
        let mut origins = Vec::new();
        let mut known: BTreeMap<&[SourceColumn], usize> = BTreeMap::new();
        let mut columns = Vec::with_capacity(audit.columns.len());
        let mut last: Option<(&ColumnAudit, usize)> = None;
        for column in &audit.columns {
            let from = match last {
                Some((last, from)) if Arc::ptr_eq(&last.from, &column.from) => from,
                _ => *known.entry(&column.from).or_insert_with(|| {
                    origins.push(column.from.iter().map(|it| (it.name.clone(), it.property.clone())).collect());
                    origins.len() - 1
                }),
            };
            last = Some((column, from));
            columns.push(StoredColumn {
                name: column.name.clone(),
                marks: texts(&column.marks),
                from,
                computed_by: column.computed_by.clone(),
                cleared: texts(&column.cleared),
            });
        }
        Self {
            source: StoredRules::from(&audit.rules),
            withheld: audit.withheld.clone(),
            transforms: audit.transforms.iter().map(StoredTransform::from).collect(),
            accepts: texts(&audit.accepts),
            origins,
            columns,
        }
    }
}

impl From<&RulesAudit> for StoredRules {
    fn from(rules: &RulesAudit) -> Self {
        let columns = rules.columns.iter().cloned();
        let columns =
            columns.map(|ColumnRuleAudit { streams, include, exclude }| StoredColumnRule { streams, include, exclude });
        let marks = rules.marks.iter().cloned();
        let marks = marks.map(|MarkRuleAudit { streams, columns, marks }| StoredMarkRule { streams, columns, marks });
        Self {
            sensitive: if rules.sensitive { StoredSensitive::Include } else { StoredSensitive::Exclude },
            columns: columns.collect(),
            mark: marks.collect(),
        }
    }
}

impl From<&TransformAudit> for StoredTransform {
    fn from(transform: &TransformAudit) -> Self {
        let attachments = transform.attachments.iter().map(|attachment| StoredAttachment {
            name: attachment.name.clone(),
            marks: texts(&attachment.marks),
            digest: attachment.digest.clone(),
        });
        Self {
            name: transform.name.clone(),
            plugin: transform.plugin.clone(),
            digest: transform.digest.clone(),
            settings: transform.settings.clone(),
            attachments: attachments.collect(),
            cleared: transform.cleared.clone(),
            cleared_rows: transform.cleared_rows.clone(),
        }
    }
}

impl TryFrom<StoredAudit> for Audit {
    type Error = NotAnAudit;

    fn try_from(stored: StoredAudit) -> Result<Self, NotAnAudit> {
        let origins: Vec<Arc<[SourceColumn]>> = stored
            .origins
            .into_iter()
            .map(|columns| columns.into_iter().map(|(name, property)| SourceColumn { name, property }).collect())
            .collect();
        let column = |stored: StoredColumn| {
            Ok(ColumnAudit {
                name: stored.name,
                marks: marks(&stored.marks)?,
                from: origins.get(stored.from).cloned().ok_or(NotAnAudit::NoSuchOrigins(stored.from))?,
                computed_by: stored.computed_by,
                cleared: marks(&stored.cleared)?,
            })
        };
        Ok(Self {
            rules: stored.source.into(),
            withheld: stored.withheld,
            transforms: stored.transforms.into_iter().map(TransformAudit::try_from).collect::<Result<_, _>>()?,
            accepts: marks(&stored.accepts)?,
            columns: stored.columns.into_iter().map(column).collect::<Result<_, NotAnAudit>>()?,
        })
    }
}

impl From<StoredRules> for RulesAudit {
    fn from(stored: StoredRules) -> Self {
        let columns = stored.columns.into_iter();
        let columns =
            columns.map(|StoredColumnRule { streams, include, exclude }| ColumnRuleAudit { streams, include, exclude });
        let marks = stored.mark.into_iter();
        let marks = marks.map(|StoredMarkRule { streams, columns, marks }| MarkRuleAudit { streams, columns, marks });
        Self {
            sensitive: stored.sensitive == StoredSensitive::Include,
            columns: columns.collect(),
            marks: marks.collect(),
        }
    }
}

impl TryFrom<StoredTransform> for TransformAudit {
    type Error = NotAMark;

    fn try_from(stored: StoredTransform) -> Result<Self, NotAMark> {
        let attachment = |stored: StoredAttachment| {
            Ok(AttachmentAudit { name: stored.name, marks: marks(&stored.marks)?, digest: stored.digest })
        };
        Ok(Self {
            name: stored.name,
            plugin: stored.plugin,
            digest: stored.digest,
            settings: stored.settings,
            attachments: stored.attachments.into_iter().map(attachment).collect::<Result<_, NotAMark>>()?,
            cleared: stored.cleared,
            cleared_rows: stored.cleared_rows,
        })
    }
}

fn texts(marks: &Marks) -> Vec<String> {
    marks.iter().map(Mark::to_string).collect()
}

fn marks(texts: &[String]) -> Result<Marks, NotAMark> {
    texts.iter().map(|text| text.parse()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_and_lists_what_columns_share_once() {
        let source = |name: &str, property: Option<&str>| SourceColumn {
            name: name.to_owned(),
            property: property.map(str::to_owned),
        };
        let column = |name: &str, from: &Arc<[SourceColumn]>| ColumnAudit {
            name: name.to_owned(),
            marks: Marks::from(["phi".parse().unwrap()]),
            from: Arc::clone(from),
            computed_by: vec!["scrub".to_owned()],
            cleared: Marks::from(["secret".parse().unwrap()]),
        };
        let both: Arc<[SourceColumn]> = [source("objectId", None), source("property_ssn", Some("ssn"))].into();
        let one: Arc<[SourceColumn]> = [source("objectId", None)].into();
        let audit = Audit {
            rules: RulesAudit {
                sensitive: true,
                columns: vec![ColumnRuleAudit { streams: vec!["*".to_owned()], ..ColumnRuleAudit::default() }],
                marks: vec![MarkRuleAudit { marks: vec!["phi".to_owned()], ..MarkRuleAudit::default() }],
            },
            withheld: vec!["property_secret".to_owned()],
            transforms: vec![TransformAudit {
                name: "scrub".to_owned(),
                attachments: vec![AttachmentAudit { name: "key".to_owned(), ..AttachmentAudit::default() }],
                cleared: BTreeMap::from([("secret".to_owned(), vec!["a".to_owned()])]),
                ..TransformAudit::default()
            }],
            accepts: Marks::from(["phi".parse().unwrap()]),
            columns: vec![column("a", &both), column("b", &both), column("c", &one), column("d", &both)],
        };
        let record = AuditRecord::of(&audit);
        assert_eq!(record.read().unwrap(), audit);
        let mut stored = audit_json(&record);
        assert_eq!(stored["origins"].as_array().unwrap().len(), 2);

        stored["origins"] = serde_json::json!([]);
        let cut: AuditRecord = serde_json::from_str(&stored.to_string()).unwrap();
        assert!(matches!(cut.read(), Err(NotAnAudit::NoSuchOrigins(0))));
    }

    #[test]
    fn a_record_is_carried_over_as_it_is_but_for_whitespace() {
        let pretty =
            "{ \"accepts\" : [ \"phi\" ],\n\t\"since \\\\\": \"a  \\\"later \\u00e4 version\\\\\" , \"n\": 1.50e3 }";
        let compact = "{\"accepts\":[\"phi\"],\"since \\\\\":\"a  \\\"later \\u00e4 version\\\\\",\"n\":1.50e3}";
        let record: AuditRecord = serde_json::from_str(pretty).unwrap();
        assert_eq!(serde_json::to_string(&record).unwrap(), compact);
        assert_eq!(record, serde_json::from_str(compact).unwrap());
        assert_eq!(record.read().unwrap().accepts, Marks::from(["phi".parse().unwrap()]));
        assert!(serde_json::from_str::<AuditRecord>("{\"accepts\": ]").is_err());
    }
}
