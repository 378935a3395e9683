//! Which properties' past a stream of history holds, and what must not be read of it.
//!
//! A history goes through the transforms of its records, one property at a time ([`strand`](super::strand)). So a property has a
//! history where every column that a version needs on its way is its own, or of no property at all:
//!
//! - a column that a plugin computes from several properties is nobody's past, and is left out;
//! - where a plugin drops a property, no version of it is asked for;
//! - where a plugin chooses records by another property, or computes their key from one, a version could not be judged: the
//!   plan is refused, since what was kept back with the record would pass with its past.

use std::collections::BTreeMap;

use sluice_model::{
    printable::some,
    problem::Problem,
    schema::{Field, attribute},
    stream::{StreamInfo, StreamKind},
};

use super::{
    Step,
    lineage::Stage,
    rules::{HistoryRule, Rules},
    strand::Strand,
    table::{OF_A_VERSION, name_of_value},
};

/// The strands of a stream: one for each property, if it is a history. What is wrong with it is told beside.
pub(super) fn strands(
    stream: &StreamInfo,
    stages: &[Stage],
    steps: &[Step],
    rules: &Rules,
) -> (Vec<Strand>, Vec<Problem>) {
    if !matches!(stream.kind, StreamKind::History { .. }) {
        return (vec![Strand::whole(stages, steps)], Vec::new());
    }
    let chosen = chosen(stream, &stages[0], rules);
    let mut strands = Vec::new();
    let mut problems = Vec::new();
    let mut unjudged: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (property, is_named) in chosen {
        match strand(&property, stages, steps) {
            Ok(strand) => strands.push(strand),
            Err(Lost::Everywhere) if is_named => problems.push(
                Problem::new(format!(
                    "the history of `{property}` is asked for, and no column of stream `{}` holds it after the transforms",
                    records(stream)
                ))
                .hint("leave it out of `[[source.history]]`, or let the transforms keep it"),
            ),
            Err(Lost::Everywhere) => {}
            Err(Lost::Unjudged { other }) => unjudged.entry(other).or_default().push(property),
        }
    }
    problems.extend(unjudged.iter().map(|(other, properties)| cannot_be_judged(stream, steps, properties, other)));
    if strands.is_empty() && problems.is_empty() {
        problems.push(
            Problem::new(format!("no property of stream `{}` has a history that could be read", records(stream)))
                .hint("look at `properties` of `[[source.history]]`, and at what the transforms keep"),
        );
    }
    (strands, problems)
}

/// What the file calls the records of a history.
fn records(stream: &StreamInfo) -> &str {
    stream.names_of_records().next().unwrap_or(&stream.name)
}

/// Why there is no strand of a property.
enum Lost {
    /// No column of the last stage is its own.
    Everywhere,
    /// A version needs another property on its way.
    Unjudged { other: String },
}

fn strand(property: &str, stages: &[Stage], steps: &[Step]) -> Result<Strand, Lost> {
    let [source, ..] = stages else { return Err(Lost::Everywhere) };
    let is_own = |index: usize| property_of(&source.columns[index].field) == Some(property);
    let is_value = |column: &super::Column| {
        let mut sources =
            column.ancestry.sources().filter(|&index| property_of(&source.columns[index].field).is_some());
        let first_is_own = sources.next().is_some_and(is_own);
        name_of_value(&column.field).is_some() && first_is_own && sources.all(is_own)
    };
    let last = &stages[stages.len() - 1].columns;
    if !last.iter().any(is_value) {
        return Err(Lost::Everywhere);
    }
    let of_a_version = |field: &Field| field.is_key() || OF_A_VERSION.contains(&field.name.as_str());
    let held = last.iter().map(|column| is_value(column) || of_a_version(&column.field)).collect();
    let strand = Strand::of(property.to_owned(), stages, steps, held);
    let foreign = strand.columns(0).filter_map(|index| property_of(&source.columns[index].field));
    let other = foreign.filter(|other| *other != property).min().map(str::to_owned);
    match other {
        None => Ok(strand),
        Some(other) => Err(Lost::Unjudged { other }),
    }
}

fn cannot_be_judged(stream: &StreamInfo, steps: &[Step], properties: &[String], other: &str) -> Problem {
    let records = records(stream);
    let chooses = steps.iter().find(|step| step.outline.selects.is_some());
    let what = match chooses {
        // By which, such a plugin is not let say.
        Some(step) if !step.transform.attachment_marks().is_empty() => {
            format!("transform `{}` chooses rows by a property", step.transform.name)
        }
        Some(step) => format!("transform `{}` chooses rows by `{other}`", step.transform.name),
        None => format!("what a version is known by is computed from `{other}`"),
    };
    let named = some(properties);
    Problem::new(format!(
        "the history of {named} of stream `{records}` cannot be judged: {what}, which an earlier value of another property does not have beside it"
    ))
    .at(chooses.and_then(|step| step.transform.place))
    .hint(format!("do without the history of `{records}`, or choose by no property"))
}

/// The properties that the file chooses, of those that are read, in the order of their columns; each with whether it is named
/// outright.
fn chosen(stream: &StreamInfo, source: &Stage, rules: &Rules) -> Vec<(String, bool)> {
    let fields = source.columns.iter().map(|column| &column.field);
    let fields = fields.filter(|field| !field.attributes.contains_key(attribute::UNPARSED_OF));
    let chosen = fields.filter_map(|field| {
        let property = property_of(field)?;
        let mut globs = rules_of(stream, rules).flat_map(|rule| &rule.properties);
        let is_calculated = field.attributes.contains_key(attribute::CALCULATED);
        let is_named = globs.clone().any(|placed| placed.glob.is_plain() && placed.glob.matches(property));
        let is_meant = is_named || (!is_calculated && globs.any(|placed| placed.glob.matches(property)));
        is_meant.then(|| (property.to_owned(), is_named))
    });
    chosen.collect()
}

pub(super) fn rules_of<'r>(stream: &'r StreamInfo, rules: &'r Rules) -> impl Iterator<Item = &'r HistoryRule> + Clone {
    let is_of = |rule: &&HistoryRule| {
        rule.streams.iter().any(|placed| stream.names_of_records().any(|name| placed.glob.matches(name)))
    };
    rules.history.iter().filter(is_of)
}

pub(super) fn property_of(field: &Field) -> Option<&str> {
    field.attributes.get(attribute::PROPERTY).map(String::as_str)
}
