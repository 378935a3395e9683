//! Streams: what a source offers, by name.

use std::fmt;

/// A table-like series that a source offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamInfo {
    /// The name pipelines use (`contacts`, `owners`); unique in its source.
    pub name: String,
    /// What it is a series of.
    pub kind: StreamKind,
    /// The object type id of its records, where they are of one type.
    pub object_type_id: Option<String>,
    /// The fully qualified name of a custom object type (`p1234_vehicle`).
    pub fully_qualified_name: Option<String>,
    /// The name that it would have if no other stream of its source had it too; no stream answers to that.
    pub shared_name: Option<String>,
}

impl StreamInfo {
    /// All the names this stream answers to in a pipeline file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        [Some(&self.name), self.object_type_id.as_ref(), self.fully_qualified_name.as_ref()]
            .into_iter()
            .flatten()
            .map(String::as_str)
    }

    /// The name its table has unless a transform renames it.
    pub fn table(&self) -> String {
        match self.kind {
            StreamKind::Objects => format!("objects_{}", self.name),
            _ => self.name.clone(),
        }
    }
}

/// What a stream is a series of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StreamKind {
    /// Records of one object type.
    Objects,
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
    /// The kinds that are not records.
    pub const DEFINITIONS: [Self; 5] =
        [Self::Owners, Self::Pipelines, Self::PipelineStages, Self::PropertyDefinitions, Self::TypeDefinitions];

    /// The kind as the contract names it; for all kinds but objects, also the stream's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Objects => "objects",
            Self::Owners => "owners",
            Self::Pipelines => "pipelines",
            Self::PipelineStages => "pipeline_stages",
            Self::PropertyDefinitions => "property_definitions",
            Self::TypeDefinitions => "object_and_event_type_definitions",
        }
    }
}

impl fmt::Display for StreamKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
