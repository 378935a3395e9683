//! What kinds have in common that are lists of definitions: owners, pipelines, stages, properties, object types.
//!
//! They are small (thousands of rows at most), so each stream is read at once, into a struct a row. What is in a column the
//! struct says, and of which type it is, [`Definitions::fields`]; a test holds the names of both together.
//! Texts that are empty say nothing, as everywhere in HubSpot, and are null.

use std::{
    marker::PhantomData,
    sync::{Arc, Mutex, PoisonError},
};

use arrow_array::{ArrayRef, RecordBatch, cast::AsArray, types::TimestampMicrosecondType};
use arrow_json::{
    ReaderBuilder,
    reader::{ArrayDecoder, Decoder, DecoderContext, DecoderFactory, Tape},
};
use arrow_schema::{ArrowError, DataType, FieldRef};
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use sluice_model::{
    delivery::Delivery,
    schema::{ColumnType, Field, Schema, arrow_schema, attribute},
    stream::{StreamInfo, StreamKind},
};
use tokio::sync::watch;

use super::Kind;
use crate::source::{
    DeliverySender, Lacking, Price, Read, ReadRequest, Reading, Slice, SourceError, Unreadable,
    hubspot::{HubSpot, cut::cut, record, value},
};

/// Lists that are asked for at once. The limit of the account holds for these too.
pub(super) const LISTS_AT_ONCE: usize = 8;

/// A kind of definitions, of which an account has one stream.
#[async_trait]
pub(super) trait Definitions: Send + Sync + 'static {
    /// The kind.
    const KIND: StreamKind;

    /// Its columns, but for the time of reading, which is the last of each.
    fn fields() -> Vec<Field>;

    /// Adds the marks that only the account's own definitions tell of.
    async fn mark(_: &HubSpot, _: &mut [Field]) -> Result<(), SourceError> {
        Ok(())
    }

    /// Asks for the definitions, and adds a row for each.
    async fn fill(hubspot: &HubSpot, table: &mut Table<'_>) -> Result<(), SourceError>;

    /// Requests that asking for them takes, one for each list that has not been asked for yet, at its usual size. Lists that
    /// two kinds are made of count in both.
    async fn requests(hubspot: &HubSpot) -> Result<u64, SourceError>;

    /// Tries whether they may be read. All but owners are made of lists that discovery reads as well.
    async fn try_read(_: &HubSpot, _: &StreamInfo) -> Result<(), SourceError> {
        Ok(())
    }
}

#[async_trait]
impl<D: Definitions> Kind for D {
    fn is(&self, kind: &StreamKind) -> bool {
        *kind == D::KIND
    }

    async fn streams(&self, _: &HubSpot) -> Result<Vec<StreamInfo>, SourceError> {
        Ok(vec![StreamInfo::new(D::KIND.as_str(), D::KIND)])
    }

    async fn schema(&self, hubspot: &HubSpot, stream: &StreamInfo) -> Result<Schema, SourceError> {
        let mut columns = columns_of::<D>();
        D::mark(hubspot, &mut columns).await?;
        Ok(super::schema(stream, columns))
    }

    async fn price(&self, hubspot: &HubSpot, _: &ReadRequest, _: bool) -> Option<Price> {
        let requests = D::requests(hubspot).await.ok()?;
        Some(Price { requests, rows: None })
    }

    async fn try_read(&self, hubspot: &HubSpot, request: &ReadRequest) -> Result<(), SourceError> {
        D::try_read(hubspot, &request.stream).await
    }

    fn open(&self, hubspot: &HubSpot, request: ReadRequest) -> Arc<dyn Reading> {
        let (wanted, read) = (Arc::new(watch::Sender::new(true)), Mutex::default());
        Arc::new(AtOnce::<D> { hubspot: hubspot.clone(), request, wanted, read, kind: PhantomData })
    }
}

/// Definitions that are read, all at once and by one reader.
struct AtOnce<D> {
    hubspot: HubSpot,
    request: ReadRequest,
    /// Whether they have no reader.
    wanted: Arc<watch::Sender<bool>>,
    /// What there is to say of them, once they have come.
    read: Mutex<Read>,
    kind: PhantomData<D>,
}

#[async_trait]
impl<D: Definitions> Reading for AtOnce<D> {
    fn slice(&self) -> Option<Slice> {
        let wanted = Arc::clone(&self.wanted);
        let give_back = move || {
            wanted.send_replace(true);
        };
        self.wanted.send_replace(false).then(|| Slice::new(0, give_back))
    }

    fn worth(&self) -> u64 {
        if *self.wanted.borrow() { u64::MAX } else { 0 }
    }

    async fn changed(&self) {
        // It never closes: the sender is here.
        drop(self.wanted.subscribe().wait_for(|wanted| *wanted).await);
    }

    async fn read(&self, slice: Slice, deliveries: DeliverySender) -> Result<(), SourceError> {
        slice.keep();
        let stream = &self.request.stream;
        let mut table = Table::of(&self.request)?;
        D::fill(&self.hubspot, &mut table).await?;
        let Table { rows, read, .. } = table;
        self.request.seen.add(rows.len());
        let batch = rows.finish().map_err(|cause| unbuildable(stream, cause))?;
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = read;
        for part in batch.iter().flat_map(cut) {
            // A closed channel means that nobody wants the rows.
            if deliveries.send(Delivery::of_whole(part)).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    async fn finish(&self) -> Result<Read, SourceError> {
        Ok(self.read.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// All columns of a kind.
fn columns_of<D: Definitions>() -> Vec<Field> {
    let mut fields = D::fields();
    fields.push(time(record::INGESTED_AT).required());
    fields
}

/// A column that is part of the key.
pub(super) fn key(name: &str) -> Field {
    Field::new(name, ColumnType::Text).required().with(attribute::KEY, "true")
}

/// The column of the object type that a definition belongs to, which is part of its key.
pub(super) fn type_key() -> Field {
    key(record::OBJECT_TYPE_ID).with(attribute::OBJECT_TYPE, "true")
}

pub(super) fn text(name: &str) -> Field {
    Field::new(name, ColumnType::Text)
}

pub(super) fn flag(name: &str) -> Field {
    Field::new(name, ColumnType::Boolean)
}

pub(super) fn count(name: &str) -> Field {
    Field::new(name, ColumnType::Integer)
}

pub(super) fn time(name: &str) -> Field {
    Field::new(name, ColumnType::Timestamp)
}

fn unbuildable(stream: &StreamInfo, cause: ArrowError) -> SourceError {
    SourceError::Batch { stream: stream.name.clone(), cause }
}

/// The rows of a stream, and the object types they are of.
pub(super) struct Table<'r> {
    pub(super) stream: &'r StreamInfo,
    pub(super) rows: Rows<'r>,
    read: Read,
}

impl<'r> Table<'r> {
    fn of(request: &'r ReadRequest) -> Result<Self, SourceError> {
        let stream = &request.stream;
        let rows = Rows::of(request).map_err(|cause| unbuildable(stream, cause))?;
        Ok(Self { stream, rows, read: Read::default() })
    }

    /// Takes rows.
    pub(super) fn add(&mut self, rows: &[impl Serialize]) -> Result<(), SourceError> {
        self.rows.add(rows).map_err(|cause| unbuildable(self.stream, cause))
    }

    /// Takes the rows of an object type.
    pub(super) fn add_of_type(&mut self, type_id: &str, rows: &[impl Serialize]) -> Result<(), SourceError> {
        // A type may be told of in several parts.
        if !rows.is_empty() && !self.read.present.iter().any(|present| present == type_id) {
            self.read.present.push(type_id.to_owned());
        }
        self.add(rows)
    }

    /// Notes that an object type has no rows, by HubSpot's own word.
    pub(super) fn lack(&mut self, stream: &StreamInfo, what: &str, why: Unreadable) {
        match why {
            Unreadable::Forbidden => {
                tracing::warn!(object_type = stream.name, what, "left out: the token may not see them");
            }
            Unreadable::Absent => tracing::debug!(object_type = stream.name, what, "left out: the account has none"),
        }
        let part = stream.kind.type_id().map(str::to_owned);
        self.read.lacking.push(Lacking { part, name: stream.name.clone(), why });
    }

    /// Notes that there are no rows about a pair of object types.
    pub(super) fn lack_pair(&mut self, from: &str, to: &str, why: Unreadable) {
        self.read.lacking.push(Lacking { part: Some(from.to_owned()), name: format!("{from} to {to}"), why });
    }

    /// Notes that custom object types have no rows, if HubSpot does not show them to this token.
    pub(super) async fn lack_hidden_types(&mut self, hubspot: &HubSpot) -> Result<(), SourceError> {
        if hubspot.custom_types().await?.hidden {
            let name = "custom object types".to_owned();
            self.read.lacking.push(Lacking { part: None, name, why: Unreadable::Forbidden });
        }
        Ok(())
    }
}

/// The answers about all these types, asked side by side, in their order.
pub(super) async fn side_by_side<T, F: Future<Output = Result<T, SourceError>>>(
    streams: Vec<StreamInfo>,
    ask: impl Fn(String) -> F,
) -> Result<Vec<(StreamInfo, String, T)>, SourceError> {
    let mut asked = Vec::new();
    for (index, stream) in streams.into_iter().enumerate() {
        let Some(type_id) = stream.kind.type_id().map(str::to_owned) else { continue };
        let answer = ask(type_id.clone());
        asked.push(async move { Ok((index, (stream, type_id, answer.await?))) });
    }
    // Not `buffered`: there, one that takes long keeps others from beginning.
    let mut answers: Vec<(usize, _)> = stream::iter(asked).buffer_unordered(LISTS_AT_ONCE).try_collect().await?;
    answers.sort_unstable_by_key(|(index, _)| *index);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

/// Rows on their way into columns.
pub(super) struct Rows<'r> {
    request: &'r ReadRequest,
    decoder: Decoder,
}

impl<'r> Rows<'r> {
    pub(super) fn of(request: &'r ReadRequest) -> Result<Self, ArrowError> {
        let reader = ReaderBuilder::new(arrow_schema(&request.columns)).with_decoder_factory(Arc::new(InUtc));
        Ok(Self { request, decoder: reader.build_decoder()? })
    }

    pub(super) fn len(&self) -> usize {
        self.decoder.len()
    }

    /// Takes rows. Of their members only the columns that are wanted are kept.
    pub(super) fn add(&mut self, rows: &[impl Serialize]) -> Result<(), ArrowError> {
        self.decoder.serialize(rows)
    }

    /// All of them; `None` if there are none.
    pub(super) fn finish(mut self) -> Result<Option<RecordBatch>, ArrowError> {
        self.decoder.flush()
    }

    /// When a definition was made and changed, and when it was read.
    pub(super) fn times(&self, created: Option<&str>, updated: Option<&str>) -> Times {
        Times {
            created: self.micros(created, "createdAt"),
            updated: self.micros(updated, "updatedAt"),
            ingested: self.ingested(),
        }
    }

    /// When a definition was read.
    pub(super) fn ingested(&self) -> i64 {
        self.request.ingested_at.as_microsecond()
    }

    /// A time, in microseconds.
    pub(super) fn micros(&self, text: Option<&str>, column: &str) -> Option<i64> {
        let text = said(text)?;
        let micros = value::timestamp(text);
        if micros.is_none() {
            tracing::warn!(stream = self.request.stream.name, column, "a value is of no form known");
        }
        micros
    }
}

/// In microseconds, as Arrow has them: its JSON reader would parse texts by rules of its own, and HubSpot has more forms.
#[derive(Debug, Default, Serialize)]
pub(super) struct Times {
    #[serde(rename = "createdAt")]
    created: Option<i64>,
    #[serde(rename = "updatedAt")]
    updated: Option<i64>,
    #[serde(rename = "ingestedAt")]
    ingested: i64,
}

/// Reads times as those of no zone and then says that they are in UTC: Arrow's JSON reader knows a zone by its name only
/// with a database of all zones built in.
#[derive(Debug)]
struct InUtc;

impl DecoderFactory for InUtc {
    fn make_default_decoder(
        &self,
        context: &DecoderContext,
        field: &FieldRef,
        is_nullable: bool,
    ) -> Result<Option<Box<dyn ArrayDecoder>>, ArrowError> {
        let DataType::Timestamp(unit, Some(zone)) = field.data_type() else { return Ok(None) };
        let without = Arc::new(field.as_ref().clone().with_data_type(DataType::Timestamp(*unit, None)));
        let times = context.make_builtin_decoder(&without, is_nullable)?;
        Ok(Some(Box::new(Zoned { times, zone: Arc::clone(zone) })))
    }
}

struct Zoned {
    times: Box<dyn ArrayDecoder>,
    zone: Arc<str>,
}

impl ArrayDecoder for Zoned {
    fn decode(&mut self, tape: &Tape<'_>, positions: &[u32]) -> Result<ArrayRef, ArrowError> {
        let times = self.times.decode(tape, positions)?;
        Ok(Arc::new(times.as_primitive::<TimestampMicrosecondType>().clone().with_timezone(Arc::clone(&self.zone))))
    }
}

/// A text, if it says anything.
pub(super) fn said(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use arrow_array::types::Int64Type;

    use super::{
        super::{
            account_users::{AccountUsers, UserRow},
            association_definitions::{AssociationDefinitions, DefinitionRow},
            lists::{ListRow, Lists},
            owner_teams::{OwnerTeams, OwnersTeamRow},
            owners::{OwnerRow, Owners},
            pipeline_stages::{PipelineStages, StageRow},
            pipelines::{PipelineRow, Pipelines},
            property_definitions::{PropertyDefinitions, PropertyRow},
            teams::{TeamRow, Teams},
            type_definitions::{TypeDefinitions, TypeRow},
        },
        *,
    };
    use crate::source::{Readers, RowsSeen, hubspot::api};

    #[test]
    fn values_have_the_types_of_the_schema() {
        let stream = StreamInfo::new("pipelines", StreamKind::Pipelines);
        let columns = columns_of::<Pipelines>();
        let ingested_at = "2026-11-23T20:15:00.000001Z".parse().unwrap();
        let request = ReadRequest {
            stream,
            columns,
            ingested_at,
            readers: Readers::One,
            keeps_ids: false,
            resumes: None,
            seen: RowsSeen::default(),
        };
        let pipelines: [api::Pipeline; 2] = serde_json::from_str(
            r#"[{"id": 7, "label": "Sales", "displayOrder": -9223372036854775808, "archived": false,
                "createdAt": "9999-12-31T23:59:59.999999Z", "updatedAt": 1000},
                {"id": "8", "label": "", "createdAt": "soon", "updatedAt": ""}]"#,
        )
        .unwrap();
        let mut rows = Rows::of(&request).unwrap();
        assert!(Rows::of(&request).unwrap().finish().unwrap().is_none());
        rows.add(&pipelines.each_ref().map(|pipeline| PipelineRow::of("0-3", pipeline, &rows))).unwrap();
        let batch = rows.finish().unwrap().unwrap();
        assert_eq!(batch.schema(), arrow_schema(&request.columns));
        let text = |column: usize| batch.column(column).as_string::<i32>().iter().collect::<Vec<_>>();
        assert_eq!((text(0), text(1)), (vec![Some("0-3"); 2], vec![Some("7"), Some("8")]));
        assert_eq!(text(2), [Some("Sales"), None]);
        assert_eq!(batch.column(3).as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(i64::MIN), None]);
        assert_eq!(batch.column(4).as_boolean().iter().collect::<Vec<_>>(), [Some(false), None]);
        let times =
            |column: usize| batch.column(column).as_primitive::<TimestampMicrosecondType>().iter().collect::<Vec<_>>();
        assert_eq!((times(5), times(6)), (vec![Some(253_402_300_799_999_999), None], vec![Some(1_000_000), None]));
        assert_eq!(times(7), [Some(1_795_464_900_000_001); 2]);
    }

    #[test]
    fn a_row_has_the_columns_of_its_stream() {
        fn compare<D: Definitions>(row: impl Serialize) {
            let row = serde_json::to_value(row).unwrap();
            let names: BTreeSet<String> = row.as_object().unwrap().keys().cloned().collect();
            assert_eq!(names, columns_of::<D>().into_iter().map(|field| field.name).collect(), "{}", D::KIND);
        }
        compare::<AssociationDefinitions>(DefinitionRow::default());
        compare::<Lists>(ListRow::default());
        compare::<OwnerTeams>(OwnersTeamRow::default());
        compare::<Teams>(TeamRow::default());
        compare::<AccountUsers>(UserRow::default());
        compare::<Owners>(OwnerRow::default());
        compare::<Pipelines>(PipelineRow::default());
        compare::<PipelineStages>(StageRow::default());
        compare::<PropertyDefinitions>(PropertyRow::default());
        compare::<TypeDefinitions>(TypeRow::default());
    }
}
