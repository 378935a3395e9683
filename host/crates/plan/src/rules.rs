//! What the pipeline file says of streams and columns by globs.
//!
//! The rules stay with the plan: of tables that a run does not write they say, after planning, whether the file still speaks
//! of them, and which marks it gives their columns today.

use std::borrow::Cow;

use sluice_model::{
    problem::Place,
    schema::{Field, Mark, Marks, attribute},
    stream::StreamInfo,
};
use toml::Spanned;

use crate::spec::{
    ColumnsSpec, Directions, EventsSpec, Glob, HistorySpec, MarkSpec, OnMissingScope, RecordsSpec, Sensitive, Since,
    Spec,
};

/// What the columns of properties begin with.
pub(super) const PROPERTY: &str = "property_";

/// What the file says of streams and columns.
#[derive(Debug)]
pub struct Rules {
    /// What happens with properties that HubSpot marks sensitive.
    pub sensitive: Sensitive,
    /// What happens with a stream that the token may not see.
    pub on_missing_scope: Option<OnMissingScope>,
    /// Which directions of associations are read.
    pub(super) directions: Directions,
    /// Which columns are read.
    pub columns: Vec<ColumnRule>,
    /// The file's own marks.
    pub marks: Vec<MarkRule>,
    /// Which properties' earlier values are read.
    pub(super) history: Vec<HistoryRule>,
    /// Which events are read.
    pub(super) events: Option<EventRule>,
    pub(super) streams: Vec<Placed>,
    pub(super) exclude: Vec<Placed>,
}

/// Which columns of some streams are read.
#[derive(Debug)]
pub struct ColumnRule {
    /// The streams.
    pub streams: Vec<Placed>,
    /// The columns that are read.
    pub include: Vec<Placed>,
    /// Those that are not, of these.
    pub exclude: Vec<Placed>,
}

/// Marks for some columns of some streams.
#[derive(Debug)]
pub struct MarkRule {
    /// The streams.
    pub streams: Vec<Placed>,
    /// The columns.
    pub columns: Vec<Placed>,
    /// Their marks.
    pub marks: Vec<Mark>,
}

/// Which properties' earlier values are read.
#[derive(Debug)]
pub(crate) struct HistoryRule {
    /// The streams of the records.
    pub(super) streams: Vec<Placed>,
    /// The properties, by HubSpot's names.
    pub(super) properties: Vec<Placed>,
}

/// Which events are read.
#[derive(Debug)]
pub(crate) struct EventRule {
    /// Their types.
    pub(super) types: Vec<Placed>,
    /// A name of the stream of the records that they have happened to.
    pub(super) of: String,
    /// Where that stands in the file.
    pub(super) place: Option<Place>,
    /// Which of these records.
    pub(super) records: RecordsSpec,
    /// From when on.
    pub(super) since: Option<Since>,
}

/// A glob, and where it stands in the file.
#[derive(Debug)]
pub struct Placed {
    /// The glob.
    pub glob: Glob,
    /// Its place.
    pub place: Option<Place>,
}

impl Placed {
    /// Globs of a pipeline file.
    pub(super) fn all(spec: &Spec, globs: &[Spanned<Glob>]) -> Vec<Self> {
        globs.iter().map(|glob| Self { glob: glob.get_ref().clone(), place: spec.place(glob) }).collect()
    }
}

impl Rules {
    /// The rules of a pipeline file.
    pub fn of(spec: &Spec) -> Self {
        let placed = |globs: &[Spanned<Glob>]| Placed::all(spec, globs);
        let source = &spec.pipeline.source;
        let column_rule = |rule: &ColumnsSpec| ColumnRule {
            streams: placed(&rule.streams),
            include: placed(&rule.include),
            exclude: placed(&rule.exclude),
        };
        let mark_rule = |rule: &Spanned<MarkSpec>| {
            let rule = rule.get_ref();
            MarkRule {
                streams: placed(&rule.streams),
                columns: placed(&rule.columns),
                marks: rule.marks.iter().map(|mark| mark.0.clone()).collect(),
            }
        };
        let history_rule = |rule: &Spanned<HistorySpec>| HistoryRule {
            streams: placed(&rule.get_ref().streams),
            properties: placed(&rule.get_ref().properties),
        };
        let event_rule = |rule: &Spanned<EventsSpec>| EventRule {
            types: placed(&rule.get_ref().types),
            of: rule.get_ref().of.get_ref().clone(),
            place: spec.place(&rule.get_ref().of),
            records: rule.get_ref().records.clone(),
            since: rule.get_ref().since,
        };
        Self {
            sensitive: source.sensitive,
            on_missing_scope: source.on_missing_scope,
            directions: source.association_directions,
            columns: source.columns.iter().map(column_rule).collect(),
            marks: spec.pipeline.mark.iter().map(mark_rule).collect(),
            history: source.history.iter().map(history_rule).collect(),
            events: source.events.as_ref().map(event_rule),
            streams: placed(&source.streams),
            exclude: placed(&source.exclude),
        }
    }

    /// Adds the file's own marks to the columns of a stream. What it says of records holds for what they were before.
    pub fn add_marks(&self, stream: &StreamInfo, fields: &mut [Field]) {
        for rule in self.marks.iter().filter(|rule| any_governs(&rule.streams, stream)) {
            for field in fields.iter_mut().filter(|field| any_names_column(&rule.columns, field)) {
                field.marks.extend(rule.marks.iter().cloned());
            }
        }
    }

    /// The marks that the file gives to properties, of whatever stream: all but those of rules that can mean no property.
    pub(super) fn marks_of_properties(&self) -> Marks {
        let means_none = |placed: &Placed| placed.glob.is_plain() && !placed.glob.as_str().starts_with(PROPERTY);
        let rules = self.marks.iter().filter(|rule| !rule.columns.iter().all(means_none));
        rules.flat_map(|rule| rule.marks.iter().cloned()).collect()
    }

    /// Whether a column is read. What the file says of the properties of records holds for what they were before.
    pub(super) fn reads(&self, stream: &StreamInfo, field: &Field) -> bool {
        let is_property = field.attributes.contains_key(attribute::PROPERTY);
        let is_of = |rule: &&ColumnRule| {
            any_names_stream(&rule.streams, stream) || (is_property && any_governs(&rule.streams, stream))
        };
        let mut rules = self.columns.iter().filter(is_of);
        rules.all(|rule| any_names_column(&rule.include, field) && !any_names_column(&rule.exclude, field))
    }
}

/// Whether a glob means this stream, by any of its names or by that of its group.
pub(super) fn names_stream(glob: &Glob, stream: &StreamInfo) -> bool {
    stream.names().chain(stream.group()).any(|name| glob.matches(name))
}

pub(super) fn any_names_stream(globs: &[Placed], stream: &StreamInfo) -> bool {
    globs.iter().any(|placed| names_stream(&placed.glob, stream))
}

/// Whether a glob means this stream, or the records of which it is the history: what is ruled of a property is ruled of its
/// past.
pub(super) fn governs(glob: &Glob, stream: &StreamInfo) -> bool {
    names_stream(glob, stream) || stream.names_of_records().any(|name| glob.matches(name))
}

pub(super) fn any_governs(globs: &[Placed], stream: &StreamInfo) -> bool {
    globs.iter().any(|placed| governs(&placed.glob, stream))
}

/// The names by which a rule can mean a column of the source: its own; for the unparsable values of a property, also the
/// property's column, so that both are ruled alike; and HubSpot's own name behind `property_`, however it had to be folded.
fn names(field: &Field) -> impl Iterator<Item = Cow<'_, str>> {
    let of = |name: &str| field.attributes.get(name).map(String::as_str);
    let property = of(attribute::PROPERTY).map(|property| Cow::Owned(format!("{PROPERTY}{property}")));
    [Some(Cow::Borrowed(field.name.as_str())), of(attribute::UNPARSED_OF).map(Cow::Borrowed), property]
        .into_iter()
        .flatten()
}

pub(super) fn names_column(glob: &Glob, field: &Field) -> bool {
    names(field).any(|name| glob.matches(&name))
}

pub(super) fn any_names_column(globs: &[Placed], field: &Field) -> bool {
    globs.iter().any(|placed| names_column(&placed.glob, field))
}
