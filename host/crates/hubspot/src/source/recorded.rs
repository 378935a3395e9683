//! A source that is described in a file: its streams and their schemas, as `sluice discover --format json` writes them.
//!
//! A plan needs nothing else, so it can be made where no token is, in a pull request. It has no records to read.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sluice_model::{
    schema::{Attributes, Field, Schema, stored::StoredField},
    stream::{End, EventType, StreamInfo, StreamKind},
};

use super::{DeliverySender, Price, Quota, Read, ReadRequest, Reading, Slice, Source, SourceError, Unreadable, Usage};

/// The format that this version writes and reads.
const FORMAT: u32 = 1;

/// The kinds of streams that are of object types.
const OBJECTS: &str = "objects";
const ASSOCIATIONS: &str = "associations";
const MEMBERSHIPS: &str = "list_memberships";
const HISTORY: &str = StreamKind::HISTORY;
const EVENTS: &str = StreamKind::EVENTS;

/// Streams and their schemas, as they were when they were recorded.
#[derive(Debug, Default)]
pub struct RecordedSource {
    streams: Vec<RecordedStream>,
}

/// A stream as it was.
#[derive(Debug)]
pub struct RecordedStream {
    /// The stream.
    pub stream: StreamInfo,
    /// How many records it had, where that was known.
    pub records: Option<u64>,
    /// Its schema, or why it could not be read.
    pub schema: Result<Schema, NoSchema>,
}

/// Why a stream could not be read.
#[derive(Debug)]
pub struct NoSchema {
    /// Which of the two.
    pub why: Unreadable,
    /// What the service said.
    pub reason: String,
    /// What would mend it.
    pub hint: Option<String>,
}

/// Why a file describes no source.
#[derive(Debug, thiserror::Error)]
pub enum NotRecorded {
    /// It is not of the form that this version reads.
    #[error("it is no description of a source")]
    Malformed(#[from] serde_json::Error),
    /// Another version wrote it.
    #[error("it is of format {0}, and this version reads {FORMAT}")]
    Format(u32),
    /// A stream of a kind that this version does not know.
    #[error("stream `{stream}` is of the unknown kind `{kind}`")]
    Kind {
        /// The stream.
        stream: String,
        /// What stands for its kind.
        kind: String,
    },
    /// A stream of records that does not say of which type.
    #[error("stream `{stream}` has records, and no `object_type_id`")]
    NoType {
        /// The stream.
        stream: String,
    },
    /// A stream of associations that does not say between which types.
    #[error("stream `{stream}` has associations, and no `from` and `to`")]
    NoEnds {
        /// The stream.
        stream: String,
    },
    /// A stream of events that does not say of which type.
    #[error("stream `{stream}` is of events, and has no `event_type`")]
    NoEventType {
        /// The stream.
        stream: String,
    },
    /// A column that is none.
    #[error("stream `{stream}`: {cause}")]
    Column {
        /// The stream.
        stream: String,
        /// What is wrong with the column.
        cause: sluice_model::schema::stored::NotAField,
    },
}

#[derive(Deserialize)]
struct Versioned {
    format: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u32,
    streams: Vec<StoredStream>,
}

#[derive(Serialize, Deserialize)]
struct StoredStream {
    name: String,
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    object_type_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<StoredEnd>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<StoredEnd>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fully_qualified_name: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    further_names: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event_type: Option<StoredEventType>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shared_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    records: Option<u64>,
    #[serde(flatten)]
    schema: StoredSchema,
}

/// An end of an association.
#[derive(Serialize, Deserialize)]
struct StoredEnd {
    object_type_id: String,
    name: String,
    singular: String,
}

#[derive(Serialize, Deserialize)]
struct StoredEventType {
    full_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum StoredSchema {
    Readable {
        #[serde(default, skip_serializing_if = "Attributes::is_empty")]
        attributes: Attributes,
        columns: Vec<StoredField>,
    },
    Unreadable {
        not_readable: String,
        /// Whether the account has no such thing; otherwise the token may not see it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        absent: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
}

impl RecordedSource {
    /// Records these streams.
    pub fn of(streams: Vec<RecordedStream>) -> Self {
        Self { streams }
    }

    /// The streams.
    pub fn streams(&self) -> &[RecordedStream] {
        &self.streams
    }

    /// The streams, each to be used up.
    pub fn into_streams(self) -> Vec<RecordedStream> {
        self.streams
    }

    /// Reads what [`RecordedSource::write`] wrote.
    pub fn read(text: &str) -> Result<Self, NotRecorded> {
        let Versioned { format } = serde_json::from_str(text)?;
        if format != FORMAT {
            return Err(NotRecorded::Format(format));
        }
        let stored: Stored = serde_json::from_str(text)?;
        Ok(Self { streams: stored.streams.into_iter().map(load).collect::<Result<_, _>>()? })
    }

    /// The description as JSON.
    pub fn write(&self) -> String {
        let stored = Stored { format: FORMAT, streams: self.streams.iter().map(store).collect() };
        serde_json::to_string_pretty(&stored).unwrap_or_else(|_| unreachable!("maps with text keys are always JSON"))
    }

    fn find(&self, stream: &StreamInfo) -> Option<&RecordedStream> {
        self.streams.iter().find(|recorded| recorded.stream == *stream)
    }
}

fn store(recorded: &RecordedStream) -> StoredStream {
    let RecordedStream { stream, records, schema } = recorded;
    let (object_type_id, ends) = match &stream.kind {
        StreamKind::Objects { type_id } | StreamKind::Memberships { type_id } | StreamKind::History { type_id } => {
            (Some(type_id.clone()), None)
        }
        StreamKind::Events { of, .. } => (Some(of.clone()), None),
        StreamKind::Associations { from, to } => (None, Some((store_end(from), store_end(to)))),
        _ => (None, None),
    };
    let (from, to) = ends.unzip();
    let event_type = match &stream.kind {
        StreamKind::Events { event_type: EventType { full_name, id }, .. } => {
            Some(StoredEventType { full_name: full_name.clone(), id: id.clone() })
        }
        _ => None,
    };
    StoredStream {
        name: stream.name.clone(),
        kind: stream.kind.to_string(),
        object_type_id,
        from,
        to,
        fully_qualified_name: stream.fully_qualified_name.clone(),
        further_names: stream.further_names.clone(),
        event_type,
        shared_name: stream.shared_name.clone(),
        records: *records,
        schema: match schema {
            Ok(schema) => StoredSchema::Readable {
                attributes: schema.attributes.clone(),
                columns: schema.fields.iter().map(StoredField::from).collect(),
            },
            Err(NoSchema { why, reason, hint }) => StoredSchema::Unreadable {
                not_readable: reason.clone(),
                absent: *why == Unreadable::Absent,
                hint: hint.clone(),
            },
        },
    }
}

fn store_end(End { type_id, name, singular }: &End) -> StoredEnd {
    StoredEnd { object_type_id: type_id.clone(), name: name.clone(), singular: singular.clone() }
}

fn load_end(StoredEnd { object_type_id, name, singular }: StoredEnd) -> End {
    End { type_id: object_type_id, name, singular }
}

fn load(stored: StoredStream) -> Result<RecordedStream, NotRecorded> {
    let StoredStream { name, kind, object_type_id, from, to, event_type, records, schema, .. } = stored;
    let kind = match (kind.as_str(), object_type_id) {
        (OBJECTS, Some(type_id)) => StreamKind::Objects { type_id },
        (MEMBERSHIPS, Some(type_id)) => StreamKind::Memberships { type_id },
        (HISTORY, Some(type_id)) => StreamKind::History { type_id },
        (EVENTS, Some(of)) => match event_type {
            Some(StoredEventType { full_name, id }) => {
                StreamKind::Events { event_type: EventType { full_name, id }, of }
            }
            None => return Err(NotRecorded::NoEventType { stream: name }),
        },
        (OBJECTS | MEMBERSHIPS | HISTORY | EVENTS, None) => return Err(NotRecorded::NoType { stream: name }),
        (ASSOCIATIONS, _) => match (from, to) {
            (Some(from), Some(to)) => StreamKind::Associations { from: load_end(from), to: load_end(to) },
            _ => return Err(NotRecorded::NoEnds { stream: name }),
        },
        (single, _) => match StreamKind::single(single) {
            Some(kind) => kind,
            None => return Err(NotRecorded::Kind { stream: name, kind }),
        },
    };
    let (fully_qualified_name, further_names) = (stored.fully_qualified_name, stored.further_names);
    let stream = StreamInfo { name, kind, fully_qualified_name, further_names, shared_name: stored.shared_name };
    let schema = match schema {
        StoredSchema::Readable { attributes, columns } => {
            let fields: Result<Vec<Field>, _> = columns.into_iter().map(Field::try_from).collect();
            let fields = fields.map_err(|cause| NotRecorded::Column { stream: stream.name.clone(), cause })?;
            Ok(Schema { name: stream.shown_name(), fields, attributes })
        }
        StoredSchema::Unreadable { not_readable, absent, hint } => {
            let why = if absent { Unreadable::Absent } else { Unreadable::Forbidden };
            Err(NoSchema { why, reason: not_readable, hint })
        }
    };
    Ok(RecordedStream { stream, records, schema })
}

#[async_trait]
impl Source for RecordedSource {
    async fn streams(&self) -> Result<Vec<StreamInfo>, SourceError> {
        Ok(self.streams.iter().map(|recorded| recorded.stream.clone()).collect())
    }

    async fn schema(&self, stream: &StreamInfo) -> Result<Schema, SourceError> {
        let not_readable = |why, reason: &str, hint| SourceError::NotReadable {
            stream: stream.name.clone(),
            why,
            reason: reason.to_owned(),
            hint,
        };
        match self.find(stream).map(|recorded| &recorded.schema) {
            Some(Ok(schema)) => Ok(schema.clone()),
            Some(Err(NoSchema { why, reason, hint })) => Err(not_readable(*why, reason, hint.clone())),
            None => Err(not_readable(Unreadable::Absent, "there is no such stream", None)),
        }
    }

    async fn count(&self, stream: &StreamInfo) -> Option<u64> {
        self.find(stream).and_then(|recorded| recorded.records)
    }

    async fn size(&self, stream: &StreamInfo) -> Option<u64> {
        self.count(stream).await
    }

    fn is_counted(&self, stream: &StreamInfo) -> bool {
        self.find(stream).is_some_and(|recorded| recorded.records.is_some())
    }

    async fn price(&self, _: &ReadRequest, _: bool) -> Option<Price> {
        None
    }

    async fn account(&self) -> Option<String> {
        None
    }

    async fn quota(&self) -> Option<Quota> {
        None
    }

    fn needs(&self, _: &StreamInfo) -> Vec<String> {
        Vec::new()
    }

    async fn try_read(&self, _: &ReadRequest) -> Result<(), SourceError> {
        Ok(())
    }

    fn open(&self, request: ReadRequest) -> Arc<dyn Reading> {
        Arc::new(NothingToRead { stream: request.stream.name })
    }

    fn usage(&self) -> Usage {
        Usage::default()
    }
}

/// The reading of a stream that has no records.
struct NothingToRead {
    stream: String,
}

impl NothingToRead {
    fn refused(&self) -> SourceError {
        let reason = "a description of a source has no records".to_owned();
        SourceError::NotReadable { stream: self.stream.clone(), why: Unreadable::Absent, reason, hint: None }
    }
}

#[async_trait]
impl Reading for NothingToRead {
    /// One, whoever asks: reading it says what is wrong.
    fn slice(&self) -> Option<Slice> {
        Some(Slice::new(0, || {}))
    }

    fn worth(&self) -> u64 {
        u64::MAX
    }

    async fn changed(&self) {}

    async fn read(&self, slice: Slice, _: DeliverySender) -> Result<(), SourceError> {
        slice.keep();
        Err(self.refused())
    }

    async fn finish(&self) -> Result<Read, SourceError> {
        Err(self.refused())
    }
}

#[cfg(test)]
mod tests {
    use sluice_model::schema::{ColumnType, attribute};

    use super::*;

    fn recorded() -> RecordedSource {
        let stream = |name: &str, id: &str| StreamInfo::new(name, StreamKind::objects(id));
        let mut email = Field::new("property_email", ColumnType::Text).with(attribute::PROPERTY, "email");
        email.marks.insert("phi".parse().unwrap());
        let schema = Schema {
            name: "contacts".to_owned(),
            fields: vec![Field::new("objectId", ColumnType::Text).required(), email],
            attributes: [(attribute::KIND.to_owned(), "objects".to_owned())].into(),
        };
        RecordedSource::of(vec![
            RecordedStream { stream: stream("contacts", "0-1"), records: Some(7), schema: Ok(schema) },
            RecordedStream {
                stream: stream("deals", "0-3"),
                records: None,
                schema: Err(NoSchema {
                    why: Unreadable::Forbidden,
                    reason: "403".to_owned(),
                    hint: Some("grant a scope".to_owned()),
                }),
            },
        ])
    }

    #[tokio::test]
    async fn what_was_recorded_is_offered_again() {
        let before = recorded();
        let again = RecordedSource::read(&before.write()).unwrap();
        assert_eq!(again.write(), before.write());
        let streams = Source::streams(&again).await.unwrap();
        assert_eq!(streams, Source::streams(&before).await.unwrap());
        assert_eq!(again.schema(&streams[0]).await.unwrap(), before.schema(&streams[0]).await.unwrap());
        assert_eq!(again.count(&streams[0]).await, Some(7));
        let refused = again.schema(&streams[1]).await.unwrap_err();
        assert!(matches!(refused, SourceError::NotReadable { hint: Some(hint), .. } if hint == "grant a scope"));
    }

    #[test]
    fn what_describes_no_source_is_refused() {
        let good = recorded().write();
        for (from, to, told) in [
            ("\"format\": 1", "\"format\": 2", "it is of format 2"),
            ("\"kind\": \"objects\"", "\"kind\": \"things\"", "the unknown kind `things`"),
            (
                "\"object_type_id\": \"0-1\"",
                "\"label\": \"0-1\"",
                "stream `contacts` has records, and no `object_type_id`",
            ),
            ("\"type\": \"text\"", "\"type\": \"money\"", "column `objectId` has the unknown type `money`"),
            ("\"phi\"", "\"P!\"", "`P!` is no mark"),
            ("\"streams\"", "\"tables\"", "it is no description of a source"),
        ] {
            let refused = RecordedSource::read(&good.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(refused.contains(told), "{refused}");
        }
    }
}
