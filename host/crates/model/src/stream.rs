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
    /// Its name by the ids of the object types in it, of a stream that is not of one type's records
    /// (`associations:0-1:0-2`).
    pub name_by_ids: Option<String>,
    /// The name that it would have if no other stream of its source had it too; no stream answers to that.
    pub shared_name: Option<String>,
}

impl StreamInfo {
    /// A stream that answers to this name, and to what its kind is known by.
    pub fn new(name: impl Into<String>, kind: StreamKind) -> Self {
        Self { name: name.into(), kind, fully_qualified_name: None, name_by_ids: None, shared_name: None }
    }

    /// The links between records of two types, as those of the first know them: `associations:contacts:companies`.
    pub fn associations(from: End, to: End) -> Self {
        let name = |one: &str, other: &str| format!("associations{GROUP_END}{one}{GROUP_END}{other}");
        let (by_names, by_ids) = (name(&from.name, &to.name), name(&from.type_id, &to.type_id));
        Self { name_by_ids: Some(by_ids), ..Self::new(by_names, StreamKind::Associations { from, to }) }
    }

    /// The memberships of a type's records in lists: `list_memberships:contacts`.
    pub fn memberships(type_id: &str, type_name: &str) -> Self {
        let kind = StreamKind::Memberships { type_id: type_id.to_owned() };
        let by_ids = format!("{kind}{GROUP_END}{type_id}");
        Self { name_by_ids: Some(by_ids), ..Self::new(format!("{kind}{GROUP_END}{type_name}"), kind) }
    }

    /// The names by which this stream, and no other, is known.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let others = [self.kind.type_id(), self.fully_qualified_name.as_deref(), self.name_by_ids.as_deref()];
        std::iter::once(self.name.as_str()).chain(others.into_iter().flatten())
    }

    /// The name of all streams of its kind together, of a kind that has one for each type or pair of types beside the streams
    /// of records: `associations`, `list_memberships`.
    pub fn group(&self) -> Option<&str> {
        group_of(&self.name)
    }

    /// What plugins are told it is called: its name, or that of its table, where its own has what no name of a table may have.
    pub fn shown_name(&self) -> String {
        if self.group().is_some() { self.table() } else { self.name.clone() }
    }

    /// The name its table has unless a transform renames it.
    pub fn table(&self) -> String {
        match &self.kind {
            StreamKind::Objects { .. } => format!("objects_{}", self.name),
            StreamKind::Associations { from, to } => format!("associations_{}_to_{}", from.name, to.name),
            // Not the stream's name: `users` are records of the account, with properties of their own.
            StreamKind::AccountUsers => "users".to_owned(),
            kind => kind.as_str().to_owned(),
        }
    }
}

/// What stands behind the name of a group, in the name of a stream. No stream of records has it in its name.
const GROUP_END: char = ':';

/// The group that a stream of this name belongs to, if it belongs to one.
pub fn group_of(name: &str) -> Option<&str> {
    name.split_once(GROUP_END).map(|(group, _)| group)
}

/// One end of an association: an object type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct End {
    /// The id of the type.
    pub type_id: String,
    /// The name of the stream of its records.
    pub name: String,
    /// What one of its records is called in the name of a column (`contact` for `contacts`).
    pub singular: String,
}

/// What a stream is a series of, with what belongs to that. How each is read is the source's business.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum StreamKind {
    /// Records of one object type.
    Objects {
        /// The id of the type.
        type_id: String,
    },
    /// Which records of one type are linked to which of another (or the same), as the records of the first know it.
    Associations {
        /// The type whose records are asked.
        from: End,
        /// The type of those that they are linked to.
        to: End,
    },
    /// What a link between records of two types may mean, for all pairs of types.
    AssociationDefinitions,
    /// The lists of all object types.
    Lists,
    /// Which records of one type are in which lists.
    Memberships {
        /// The id of the type.
        type_id: String,
    },
    /// The people that records are assigned to.
    Owners,
    /// Which of these people are in which teams.
    OwnerTeams,
    /// The teams of the account.
    Teams,
    /// The people who may log in.
    AccountUsers,
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
    const SINGLE: [Self; 10] = [
        Self::AssociationDefinitions,
        Self::Lists,
        Self::Owners,
        Self::OwnerTeams,
        Self::Teams,
        Self::AccountUsers,
        Self::Pipelines,
        Self::PipelineStages,
        Self::PropertyDefinitions,
        Self::TypeDefinitions,
    ];

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
            Self::Associations { .. } => "associations",
            Self::AssociationDefinitions => "association_definitions",
            Self::Lists => "lists",
            Self::Memberships { .. } => "list_memberships",
            Self::Owners => "owners",
            Self::OwnerTeams => "owner_teams",
            Self::Teams => "teams",
            Self::AccountUsers => "account_users",
            Self::Pipelines => "pipelines",
            Self::PipelineStages => "pipeline_stages",
            Self::PropertyDefinitions => "property_definitions",
            Self::TypeDefinitions => "object_and_event_type_definitions",
        }
    }

    /// The id of the object type, of a stream of records.
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
