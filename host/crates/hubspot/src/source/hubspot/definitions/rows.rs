//! The rows of definitions, a struct a stream: what is in a column is said here, of which type it is in
//! [`schema::of_definitions`](super::super::schema::of_definitions). A test holds the names of both together.
//!
//! Texts that are empty say nothing, as everywhere in HubSpot, and are null.

use std::{borrow::Cow, sync::Arc};

use arrow_array::{ArrayRef, RecordBatch, cast::AsArray, types::TimestampMicrosecondType};
use arrow_json::{
    ReaderBuilder,
    reader::{ArrayDecoder, Decoder, DecoderContext, DecoderFactory, Tape},
};
use arrow_schema::{ArrowError, DataType, FieldRef};
use serde::Serialize;
use serde_json::Value;
use sluice_model::{schema::arrow_schema, stream::StreamInfo};

use crate::source::{
    ReadRequest,
    hubspot::{api, decode::raw, value},
};

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
        let micros = |text: Option<&str>, column| {
            let text = said(text)?;
            let micros = value::timestamp(text);
            if micros.is_none() {
                tracing::warn!(stream = self.request.stream.name, column, "a value is of no form known");
            }
            micros
        };
        Times {
            created: micros(created, "createdAt"),
            updated: micros(updated, "updatedAt"),
            ingested: self.request.ingested_at.as_microsecond(),
        }
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
fn said(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OwnerRow<'a> {
    owner_id: &'a str,
    user_id: Option<Cow<'a, str>>,
    email: Option<&'a str>,
    first_name: Option<&'a str>,
    last_name: Option<&'a str>,
    #[serde(rename = "type")]
    kind: Option<&'a str>,
    archived: Option<bool>,
    #[serde(flatten)]
    times: Times,
}

impl<'a> OwnerRow<'a> {
    pub(super) fn of(owner: &'a api::Owner, rows: &Rows<'_>) -> Self {
        let user_id = owner.user_id.as_ref().or(owner.user_id_including_inactive.as_ref());
        Self {
            owner_id: &owner.id,
            user_id: user_id.and_then(|id| raw::id(id)),
            email: said(owner.email.as_deref()),
            first_name: said(owner.first_name.as_deref()),
            last_name: said(owner.last_name.as_deref()),
            kind: said(owner.kind.as_deref()),
            archived: owner.archived,
            times: rows.times(owner.created_at.as_deref(), owner.updated_at.as_deref()),
        }
    }
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PipelineRow<'a> {
    object_type_id: &'a str,
    pipeline_id: &'a str,
    label: Option<&'a str>,
    display_order: Option<i64>,
    archived: Option<bool>,
    #[serde(flatten)]
    times: Times,
}

impl<'a> PipelineRow<'a> {
    pub(super) fn of(type_id: &'a str, pipeline: &'a api::Pipeline, rows: &Rows<'_>) -> Self {
        Self {
            object_type_id: type_id,
            pipeline_id: &pipeline.id,
            label: said(pipeline.label.as_deref()),
            display_order: pipeline.display_order,
            archived: pipeline.archived,
            times: rows.times(pipeline.created_at.as_deref(), pipeline.updated_at.as_deref()),
        }
    }
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StageRow<'a> {
    object_type_id: &'a str,
    pipeline_id: &'a str,
    stage_id: &'a str,
    label: Option<&'a str>,
    display_order: Option<i64>,
    archived: Option<bool>,
    /// As JSON: which members there are depends on the type.
    metadata: String,
    #[serde(flatten)]
    times: Times,
}

impl<'a> StageRow<'a> {
    pub(super) fn of(
        type_id: &'a str,
        pipeline: &'a api::Pipeline,
        stage: &'a api::PipelineStage,
        rows: &Rows<'_>,
    ) -> Self {
        Self {
            object_type_id: type_id,
            pipeline_id: &pipeline.id,
            stage_id: &stage.id,
            label: said(stage.label.as_deref()),
            display_order: stage.display_order,
            archived: stage.archived,
            metadata: Value::Object(stage.metadata.clone()).to_string(),
            times: rows.times(stage.created_at.as_deref(), stage.updated_at.as_deref()),
        }
    }
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PropertyRow<'a> {
    object_type_id: &'a str,
    name: &'a str,
    label: Option<&'a str>,
    description: Option<&'a str>,
    #[serde(rename = "type")]
    value_type: Option<&'a str>,
    field_type: Option<&'a str>,
    group_name: Option<&'a str>,
    /// As JSON, as they were sent.
    options: Option<&'a str>,
    referenced_object_type: Option<&'a str>,
    data_sensitivity: Option<&'a str>,
    /// As JSON.
    sensitive_data_categories: Option<String>,
    calculated: Option<bool>,
    has_unique_value: Option<bool>,
    hubspot_defined: Option<bool>,
    archived: Option<bool>,
    #[serde(flatten)]
    times: Times,
}

impl<'a> PropertyRow<'a> {
    pub(super) fn of(type_id: &'a str, property: &'a api::Property, rows: &Rows<'_>) -> Self {
        let categories = &property.sensitive_data_categories;
        let options = property.options.as_ref().map(|options| options.get());
        Self {
            object_type_id: type_id,
            name: &property.name,
            label: said(property.label.as_deref()),
            description: said(property.description.as_deref()),
            value_type: said(Some(&property.value_type)),
            field_type: said(Some(&property.field_type)),
            group_name: said(property.group_name.as_deref()),
            options: options.filter(|options| *options != "[]"),
            referenced_object_type: said(property.referenced_object_type.as_deref()),
            data_sensitivity: said(property.data_sensitivity.as_deref()),
            sensitive_data_categories: (!categories.is_empty()).then(|| Value::from(categories.clone()).to_string()),
            calculated: property.calculated,
            has_unique_value: property.has_unique_value,
            hubspot_defined: property.hubspot_defined,
            archived: property.archived,
            times: rows.times(property.created_at.as_deref(), property.updated_at.as_deref()),
        }
    }
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TypeRow<'a> {
    object_type_id: &'a str,
    fully_qualified_name: Option<&'a str>,
    name: &'a str,
    singular_label: Option<&'a str>,
    plural_label: Option<&'a str>,
    description: Option<&'a str>,
    primary_display_property: Option<&'a str>,
    custom: bool,
    archived: Option<bool>,
    #[serde(flatten)]
    times: Times,
}

impl<'a> TypeRow<'a> {
    /// One of HubSpot's own: there is no more to it than its name.
    pub(super) fn own(type_id: &'a str, stream: &'a StreamInfo, rows: &Rows<'_>) -> Self {
        Self { object_type_id: type_id, name: &stream.name, times: rows.times(None, None), ..Self::default() }
    }

    pub(super) fn custom(schema: &'a api::ObjectSchema, rows: &Rows<'_>) -> Self {
        Self {
            object_type_id: &schema.object_type_id,
            fully_qualified_name: said(schema.fully_qualified_name.as_deref()),
            name: &schema.name,
            singular_label: said(schema.labels.singular.as_deref()),
            plural_label: said(schema.labels.plural.as_deref()),
            description: said(schema.description.as_deref()),
            primary_display_property: said(schema.primary_display_property.as_deref()),
            custom: true,
            archived: schema.archived,
            times: rows.times(schema.created_at.as_deref(), schema.updated_at.as_deref()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use arrow_array::types::Int64Type;
    use sluice_model::stream::StreamKind;

    use super::*;
    use crate::source::{RowsSeen, hubspot::schema};

    fn stream(kind: StreamKind) -> StreamInfo {
        let name = kind.to_string();
        StreamInfo { name, kind, object_type_id: None, fully_qualified_name: None, shared_name: None }
    }

    #[test]
    fn values_have_the_types_of_the_schema() {
        let stream = stream(StreamKind::Pipelines);
        let columns = schema::of_definitions(&stream).fields;
        let ingested_at = "2026-11-23T20:15:00.000001Z".parse().unwrap();
        let request = ReadRequest { stream, columns, ingested_at, seen: RowsSeen::default() };
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
        fn names(row: impl Serialize) -> BTreeSet<String> {
            let row = serde_json::to_value(row).unwrap();
            row.as_object().unwrap().keys().cloned().collect()
        }
        for (kind, names) in [
            (StreamKind::Owners, names(OwnerRow::default())),
            (StreamKind::Pipelines, names(PipelineRow::default())),
            (StreamKind::PipelineStages, names(StageRow::default())),
            (StreamKind::PropertyDefinitions, names(PropertyRow::default())),
            (StreamKind::TypeDefinitions, names(TypeRow::default())),
        ] {
            let name = kind.to_string();
            let stream = StreamInfo { name, kind, object_type_id: None, fully_qualified_name: None, shared_name: None };
            let fields = schema::of_definitions(&stream).fields;
            assert_eq!(names, fields.into_iter().map(|field| field.name).collect(), "{kind}");
        }
    }
}
