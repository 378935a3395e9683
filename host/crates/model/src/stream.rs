//! Streams: what a source offers, by name.

use std::fmt;

/// A table-like series that a source offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamInfo {
    /// The name pipelines use (`contacts`, `owners`); unique in its source.
    pub name: String,
    /// What it is a series of.
    pub kind: StreamKind,
    /// The fully qualified name of a custom object type (`p1234_vehicle`).
    pub fully_qualified_name: Option<String>,
    /// The name that it would have if no other stream of its source had it too; no stream answers to that.
    pub shared_name: Option<String>,
}

impl StreamInfo {
    /// A stream that answers to this name, and to what its kind is known by.
    pub fn new(name: impl Into<String>, kind: StreamKind) -> Self {
        Self { name: name.into(), kind, fully_qualified_name: None, shared_name: None }
    }

    /// All the names this stream answers to in a pipeline file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        [Some(self.name.as_str()), self.kind.type_id(), self.fully_qualified_name.as_deref()].into_iter().flatten()
    }

    /// The name its table has unless a transform renames it.
    pub fn table(&self) -> String {
        match self.kind {
            StreamKind::Objects { .. } => format!("objects_{}", self.name),
            _ => self.name.clone(),
        }
    }
}

/// What a stream is a series of, with what belongs to that. How each is read is the source's business.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum StreamKind {
    /// Records of one object type.
    Objects {
        /// The id of the type.
        type_id: String,
    },
    /// The people that records are assigned to.
    Owners,
    /// The pipelines of all object types.
    Pipelines,
    /// The stages of all pipelines.
    PipelineStages,
    /// The properties of all object types.
    PropertyDefinitions,
    /// The object types themselves.
    TypeDefinitions,
}

impl StreamKind {
    /// The kinds of which a source has one stream.
    const SINGLE: [Self; 5] =
        [Self::Owners, Self::Pipelines, Self::PipelineStages, Self::PropertyDefinitions, Self::TypeDefinitions];

    /// The key columns of streams of records.
    pub const KEY_OF_RECORDS: [&str; 2] = ["objectTypeId", "objectId"];

    /// Records of the type of this id.
    pub fn objects(type_id: impl Into<String>) -> Self {
        Self::Objects { type_id: type_id.into() }
    }

    /// The kind that a source has one stream of, by its name, which is that of the stream too.
    pub fn single(name: &str) -> Option<Self> {
        Self::SINGLE.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The kind as the contract names it; of a kind that a source has one stream of, also the stream's name.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Objects { .. } => "objects",
            Self::Owners => "owners",
            Self::Pipelines => "pipelines",
            Self::PipelineStages => "pipeline_stages",
            Self::PropertyDefinitions => "property_definitions",
            Self::TypeDefinitions => "object_and_event_type_definitions",
        }
    }

    /// The id of the object type whose records they are, where they are of one type.
    pub fn type_id(&self) -> Option<&str> {
        match self {
            Self::Objects { type_id } => Some(type_id),
            _ => None,
        }
    }
}

impl fmt::Display for StreamKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
