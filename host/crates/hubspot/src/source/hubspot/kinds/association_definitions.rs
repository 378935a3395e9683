//! Definitions of associations: what a link between records of two types may mean, for every pair of types that this token
//! may see, in both directions.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use sluice_model::{
    schema::{Field, attribute},
    stream::StreamKind,
};

use super::{
    associations::column,
    definitions::{Definitions, LISTS_AT_ONCE, Table, count, flag, key, said, side_by_side, text},
};
use crate::source::{
    SourceError, Unreadable,
    hubspot::{HubSpot, Refusal, Refused, api, links::Mains, sensitivity::Sensitivity},
};

pub(super) struct AssociationDefinitions;

#[async_trait]
impl Definitions for AssociationDefinitions {
    const KIND: StreamKind = StreamKind::AssociationDefinitions;

    fn fields() -> Vec<Field> {
        let type_of_end = |name| key(name).with(attribute::OBJECT_TYPE, "true");
        vec![
            type_of_end(column::FROM_TYPE),
            type_of_end(column::TO_TYPE),
            key(column::TYPE),
            key(column::CATEGORY),
            text(column::LABEL),
            flag(column::IS_MAIN),
            count("maxToObjectIds"),
        ]
    }

    async fn requests(hubspot: &HubSpot) -> Result<u64, SourceError> {
        const LIMITS: u64 = 1;
        let types = hubspot.object_types().await?;
        let ids: Vec<&str> = types.iter().filter_map(|stream| stream.kind.type_id()).collect();
        Ok(LIMITS + hubspot.unasked_pairs(&ids))
    }

    async fn fill(hubspot: &HubSpot, table: &mut Table<'_>) -> Result<(), SourceError> {
        let limits = hubspot.association_limits().await?;
        let types = hubspot.object_types().await?;
        let mut seen: Vec<String> = Vec::new();
        for (stream, type_id, listed) in side_by_side(types, async |id| hubspot.properties(&id).await).await? {
            match &*listed {
                Err(Refusal { level: Sensitivity::Not, why, .. }) => table.lack(&stream, "associations", *why),
                _ => seen.push(type_id),
            }
        }
        let pairs = seen.iter().flat_map(|from| seen.iter().map(move |to| (from, to)));
        let ask = |(from, to): (&String, &String)| {
            let (from, to) = (from.clone(), to.clone());
            async move {
                let types = hubspot.association_types(&from, &to).await?;
                Ok::<_, SourceError>((from, to, types))
            }
        };
        let asked: Vec<_> = pairs.map(ask).collect();
        let mut answers: Vec<_> = stream::iter(asked).buffer_unordered(LISTS_AT_ONCE).try_collect().await?;
        answers.sort_unstable_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
        for (from, to, types) in &answers {
            match types.as_ref() {
                Ok(types) => {
                    let mains = Mains::of(types);
                    let ingested_at = table.rows.ingested();
                    let rows: Vec<_> =
                        types.iter().map(|it| DefinitionRow::of(from, to, it, &mains, &limits, ingested_at)).collect();
                    table.add_of_type(from, &rows)?;
                }
                Err(Refused { why: Unreadable::Absent, .. }) => {}
                Err(Refused { why, .. }) => table.lack_pair(from, to, *why),
            }
        }
        table.lack_hidden_types(hubspot).await
    }
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DefinitionRow<'a> {
    from_object_type_id: &'a str,
    to_object_type_id: &'a str,
    association_type_id: &'a str,
    association_category: &'a str,
    label: Option<&'a str>,
    #[serde(rename = "isMainAssociationDefinition")]
    is_main: bool,
    max_to_object_ids: Option<i64>,
    ingested_at: i64,
}

impl<'a> DefinitionRow<'a> {
    fn of(
        from: &'a str,
        to: &'a str,
        it: &'a api::AssociationType,
        mains: &Mains,
        limits: &BTreeMap<(String, String), i64>,
        ingested_at: i64,
    ) -> Self {
        Self {
            from_object_type_id: from,
            to_object_type_id: to,
            association_type_id: &it.type_id,
            association_category: &it.category,
            label: said(it.label.as_deref()),
            is_main: mains.has(&it.category, &it.type_id),
            max_to_object_ids: limits.get(&(it.category.clone(), it.type_id.clone())).copied(),
            ingested_at,
        }
    }
}
