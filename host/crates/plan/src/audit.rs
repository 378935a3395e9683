//! The audit record that a plan gives each of its tables.

use std::{collections::BTreeMap, sync::Arc};

use sluice_model::{
    audit::{
        AttachmentAudit, Audit, ColumnAudit, ColumnRuleAudit, MarkRuleAudit, RulesAudit, SourceColumn, TransformAudit,
    },
    digest::Digest,
    schema::{Field, Mark, Marks, attribute},
};

use super::{
    Ancestry, Origin, Plan, Step, StreamPlan, TablePlan,
    rules::{Placed, Rules},
};
use crate::spec::Sensitive;

impl Plan {
    /// What lets which columns of a stream pass into one of its tables.
    pub fn audit(&self, stream: &StreamPlan, table: &TablePlan) -> Audit {
        Audit {
            rules: rules(&self.rules),
            withheld: stream.withheld.iter().map(|field| field.name.clone()).collect(),
            transforms: stream.steps.iter().map(transform).collect(),
            accepts: self.accepts.clone(),
            columns: columns(stream, table),
        }
    }
}

fn rules(rules: &Rules) -> RulesAudit {
    let columns = rules.columns.iter().map(|rule| ColumnRuleAudit {
        streams: globs(&rule.streams),
        include: globs(&rule.include),
        exclude: globs(&rule.exclude),
    });
    let marks = rules.marks.iter().map(|rule| MarkRuleAudit {
        streams: globs(&rule.streams),
        columns: globs(&rule.columns),
        marks: rule.marks.iter().map(Mark::to_string).collect(),
    });
    RulesAudit { sensitive: rules.sensitive == Sensitive::Include, columns: columns.collect(), marks: marks.collect() }
}

fn globs(globs: &[Placed]) -> Vec<String> {
    globs.iter().map(|placed| placed.glob.as_str().to_owned()).collect()
}

fn transform(step: &Step) -> TransformAudit {
    let transform = &step.transform;
    let mut cleared: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (column, marks) in &step.cleared {
        for mark in marks {
            cleared.entry(mark.to_string()).or_default().push(column.clone());
        }
    }
    let attachments = transform.attachments.iter().map(|attached| AttachmentAudit {
        name: attached.name.clone(),
        marks: attached.marks.clone(),
        digest: attached.digest.map(|digest| digest.to_string()),
    });
    TransformAudit {
        name: transform.name.clone(),
        plugin: transform.plugin.clone(),
        digest: transform.digest.to_string(),
        settings: Digest::of(transform.settings.as_bytes()).to_string(),
        attachments: attachments.collect(),
        cleared,
        cleared_rows: transform.clears_rows.iter().map(|(mark, _)| mark.to_string()).collect(),
    }
}

/// What is to be said of the columns of a table: of one that holds the values of several columns of the stream, for each of
/// these.
fn columns(stream: &StreamPlan, table: &TablePlan) -> Vec<ColumnAudit> {
    let last = stream.last_stage();
    let mut before: Option<(&Ancestry, Arc<[SourceColumn]>)> = None;
    let mut columns = Vec::with_capacity(table.columns.len());
    for held in &table.columns {
        let name = &held.field.name;
        if held.from.is_empty() {
            columns.push(ColumnAudit { name: name.clone(), ..ColumnAudit::default() });
        }
        for &index in &held.from {
            let column = &stream.stages[last].columns[index];
            let from = match &before {
                Some((ancestry, from)) if ancestry.shares_sources(&column.ancestry) => Arc::clone(from),
                _ => stream.sources(last, index).map(source_column).collect(),
            };
            before = Some((&column.ancestry, Arc::clone(&from)));
            let computed_in = column.ancestry.computed_in().iter().rev();
            columns.push(ColumnAudit {
                name: name.clone(),
                marks: column.field.marks.clone(),
                from,
                computed_by: computed_in.map(|&step| stream.steps[step].transform.name.clone()).collect(),
                cleared: cleared(stream, last, index),
            });
        }
    }
    columns
}

fn source_column(field: &Field) -> SourceColumn {
    SourceColumn { name: field.name.clone(), property: field.attributes.get(attribute::PROPERTY).cloned() }
}

/// What the last step that computed a column cleared from it. What was cleared before that may have come back by another way.
fn cleared(stream: &StreamPlan, stage: usize, column: usize) -> Marks {
    let here = &stream.stages[stage].columns[column];
    match here.origin {
        Origin::Source => Marks::new(),
        Origin::Kept { from } => cleared(stream, stage - 1, from),
        Origin::Computed { .. } => stream.steps[stage - 1].cleared.get(&here.field.name).cloned().unwrap_or_default(),
    }
}
