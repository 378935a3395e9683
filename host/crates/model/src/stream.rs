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
    /// What else it answers to, of a stream that is one of a group: its name by the ids of what it is of
    /// (`associations:0-1:0-2`), or by full names (`events:e_visited_page`).
    pub further_names: Vec<String>,
    /// The name that it would have if no other stream of its source had it too; no stream answers to that.
    pub shared_name: Option<String>,
}

impl StreamInfo {
    /// A stream that answers to this name, and to what its kind is known by.
    pub fn new(name: impl Into<String>, kind: StreamKind) -> Self {
        Self { name: name.into(), kind, fully_qualified_name: None, further_names: Vec::new(), shared_name: None }
    }

    /// The links between records of two types, as those of the first know them: `associations:contacts:companies`.
    pub fn associations(from: End, to: End) -> Self {
        let name = |one: &str, other: &str| format!("associations{GROUP_END}{one}{GROUP_END}{other}");
        let (by_names, by_ids) = (name(&from.name, &to.name), name(&from.type_id, &to.type_id));
        Self { further_names: vec![by_ids], ..Self::new(by_names, StreamKind::Associations { from, to }) }
    }

    /// The memberships of a type's records in lists: `list_memberships:contacts`.
    pub fn memberships(type_id: &str, type_name: &str) -> Self {
        let kind = StreamKind::Memberships { type_id: type_id.to_owned() };
        let by_ids = format!("{kind}{GROUP_END}{type_id}");
        Self { further_names: vec![by_ids], ..Self::new(format!("{kind}{GROUP_END}{type_name}"), kind) }
    }

    /// What the properties of these records were before, a stream for each type: `object_properties_history:contacts`.
    pub fn history(records: &Self, type_id: &str) -> Self {
        let kind = StreamKind::History { type_id: type_id.to_owned() };
        let mut names = records.names().map(|name| format!("{kind}{GROUP_END}{name}"));
        let name = names.next().unwrap_or_default();
        Self { further_names: names.collect(), ..Self::new(name, kind) }
    }

    /// What has happened of one type: `events:visited_page`, by its full name `events:e_visited_page`. `of`: the type of the
    /// records that it has happened to.
    pub fn events(name: &str, event_type: EventType, of: &str) -> Self {
        let named = |name: &str| format!("{}{GROUP_END}{name}", StreamKind::EVENTS);
        let by_id = event_type.id.as_deref().map(named);
        let further_names = std::iter::once(named(&event_type.full_name)).chain(by_id).collect();
        Self { further_names, ..Self::new(named(name), StreamKind::Events { event_type, of: of.to_owned() }) }
    }

    /// The names by which this stream, and no other, is known.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let others = [self.kind.type_id(), self.fully_qualified_name.as_deref()].into_iter().flatten();
        std::iter::once(self.name.as_str()).chain(others).chain(self.further_names.iter().map(String::as_str))
    }

    /// The names of the stream of records whose properties a history is of: what a pipeline file says of these properties holds
    /// for their past too. None of any other stream.
    pub fn names_of_records(&self) -> impl Iterator<Item = &str> {
        let is_history = matches!(self.kind, StreamKind::History { .. });
        self.names().filter(move |_| is_history).filter_map(in_group)
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
            StreamKind::Events { .. } => format!("events_{}", in_group(&self.name).unwrap_or(&self.name)),
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

/// What a stream of this name is called in its group, if it belongs to one.
pub fn in_group(name: &str) -> Option<&str> {
    name.split_once(GROUP_END).map(|(_, name)| name)
}

/// A type of events.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventType {
    /// Its full name: `e_visited_page` of HubSpot's own, `pe48012345_signed_up` of the account's.
    pub full_name: String,
    /// Its id (`6-1234`), where its definition says one.
    pub id: Option<String>,
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
    /// What has happened to records of one type: events of one type.
    Events {
        /// The type of the events.
        event_type: EventType,
        /// The id of the object type.
        of: String,
    },
    /// What the properties of one type's records were before. A batch holds the columns that are of no property, and those of
    /// one; a delivery says of which ([`Delivery::strand`](crate::delivery::Delivery::strand)).
    History {
        /// The id of the object type.
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

    /// What the kind of events is called.
    pub const EVENTS: &str = "events";

    /// What the kind of histories is called.
    pub const HISTORY: &str = "object_properties_history";

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
            Self::Events { .. } => Self::EVENTS,
            Self::History { .. } => Self::HISTORY,
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

    /// Whether it is asked for record by record, or some records at a time, so that it costs far more than what it is of. No
    /// stream is read of such a kind unless a pipeline file speaks of the kind.
    pub fn is_by_record(&self) -> bool {
        matches!(self, Self::History { .. } | Self::Events { .. })
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
