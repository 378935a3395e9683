//! Associations: which records of one type are linked to which of another, a stream a pair and direction.
//!
//! Every pair of types is offered, since HubSpot lists none; whether links between the two can exist is seen when a stream is
//! asked for its schema. The columns have the same names in all these streams, so that a plugin's settings speak of all at
//! once; in a table of its own, the ends are called after their types.

use std::sync::Arc;

use async_trait::async_trait;
use sluice_model::{
    schema::{ColumnType, Field, Schema, attribute},
    stream::{End, StreamInfo, StreamKind},
};

use super::{Kind, definitions};
use crate::source::{
    Price, ReadRequest, Reading, SourceError, Unreadable,
    hubspot::{
        HubSpot, Refusal, Refused,
        links::{self, Links},
        not_readable,
        ranged::Ranged,
        read, record,
        sensitivity::Sensitivity,
        types,
    },
};

/// The names of the columns.
pub(in crate::source::hubspot) mod column {
    pub(in crate::source::hubspot) const FROM_TYPE: &str = "fromObjectTypeId";
    pub(in crate::source::hubspot) const FROM: &str = "fromObjectId";
    pub(in crate::source::hubspot) const TO_TYPE: &str = "toObjectTypeId";
    pub(in crate::source::hubspot) const TO: &str = "toObjectId";
    pub(in crate::source::hubspot) const TYPE: &str = "associationTypeId";
    pub(in crate::source::hubspot) const CATEGORY: &str = "associationCategory";
    pub(in crate::source::hubspot) const LABEL: &str = "label";
    pub(in crate::source::hubspot) const IS_MAIN: &str = "isMainAssociationDefinition";
}

/// Links between records of two types.
pub(super) struct Associations;

#[async_trait]
impl Kind for Associations {
    fn is(&self, kind: &StreamKind) -> bool {
        matches!(kind, StreamKind::Associations { .. })
    }

    async fn streams(&self, hubspot: &HubSpot) -> Result<Vec<StreamInfo>, SourceError> {
        let types = hubspot.object_types().await?;
        let ends: Vec<End> = types.iter().map(end).collect();
        let pairs = ends.iter().flat_map(|from| ends.iter().map(move |to| (from, to)));
        Ok(pairs.map(|(from, to)| StreamInfo::associations(from.clone(), to.clone())).collect())
    }

    async fn schema(&self, hubspot: &HubSpot, stream: &StreamInfo) -> Result<Schema, SourceError> {
        let (from, to) = ends(stream);
        for end in [from, to] {
            // The properties of either end are listed for its own stream as well.
            if let Err(Refusal { level: Sensitivity::Not, why, cause }) = &*hubspot.properties(&end.type_id).await? {
                return Err(end_not_readable(stream, end, *why, cause));
            }
        }
        match hubspot.association_types(&from.type_id, &to.type_id).await?.as_ref() {
            Ok(types) if types.is_empty() => Err(SourceError::NotReadable {
                stream: stream.name.clone(),
                why: Unreadable::Absent,
                reason: format!("the account defines no association of `{}` with `{}`", from.name, to.name),
                hint: None,
            }),
            Ok(_) => Ok(super::schema(stream, columns(from, to))),
            Err(Refused { why, cause }) => Err(not_readable(stream, *why, cause)),
        }
    }

    fn needs(&self, _: &HubSpot, stream: &StreamInfo) -> Vec<String> {
        vec![ends(stream).0.type_id.clone()]
    }

    async fn price(&self, hubspot: &HubSpot, request: &ReadRequest, ids_are_kept: bool) -> Option<Price> {
        let records = hubspot.count_of(&ends(&request.stream).0.type_id).await?;
        // A record with more links than an answer tells of one takes more; how many have so many nobody says.
        let ids = if ids_are_kept { 0 } else { read::requests_for_ids(records) };
        Some(Price { requests: ids + links::requests(records), rows: None })
    }

    async fn try_read(&self, hubspot: &HubSpot, request: &ReadRequest) -> Result<(), SourceError> {
        reader(hubspot, request.clone()).try_one().await
    }

    fn open(&self, hubspot: &HubSpot, request: ReadRequest) -> Arc<dyn Reading> {
        let readers = request.readers;
        Arc::new(Ranged::new(reader(hubspot, request), readers))
    }
}

fn reader(hubspot: &HubSpot, request: ReadRequest) -> Links {
    let stream = request.stream.clone();
    let (from, to) = ends(&stream);
    Links::new(hubspot, request, &from.type_id, &to.type_id)
}

/// A type as an end of an association.
fn end(stream: &StreamInfo) -> End {
    let type_id = stream.kind.type_id().unwrap_or_else(|| unreachable!("object types have ids"));
    let own = types::STANDARD.iter().find(|own| own.id == type_id);
    End {
        type_id: type_id.to_owned(),
        name: stream.name.clone(),
        // The name of a custom type is one already.
        singular: own.map_or_else(|| stream.name.clone(), |own| own.singular.to_owned()),
    }
}

fn ends(stream: &StreamInfo) -> (&End, &End) {
    match &stream.kind {
        StreamKind::Associations { from, to } => (from, to),
        _ => unreachable!("associations have two ends"),
    }
}

/// The error of an association of which one end may not be read.
fn end_not_readable(stream: &StreamInfo, end: &End, why: Unreadable, cause: &crate::http::HttpError) -> SourceError {
    match not_readable(stream, why, cause) {
        SourceError::NotReadable { stream, why, reason, hint } => {
            SourceError::NotReadable { stream, why, reason: format!("its end `{}`: {reason}", end.name), hint }
        }
        other => other,
    }
}

fn columns(from: &End, to: &End) -> Vec<Field> {
    let type_of_end = |name| definitions::key(name).with(attribute::OBJECT_TYPE, "true");
    let record_of = |name, end: &End| definitions::key(name).with(attribute::REFERENCES, end.type_id.clone());
    vec![
        type_of_end(column::FROM_TYPE),
        record_of(column::FROM, from),
        type_of_end(column::TO_TYPE),
        record_of(column::TO, to),
        definitions::key(column::TYPE),
        definitions::key(column::CATEGORY),
        definitions::text(column::LABEL),
        Field::new(column::IS_MAIN, ColumnType::Boolean).required(),
        Field::new(record::INGESTED_AT, ColumnType::Timestamp).required(),
    ]
}
