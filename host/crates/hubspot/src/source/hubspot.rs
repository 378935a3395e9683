//! HubSpot's public API as a source.
//!
//! The only module that knows HubSpot's paths, limits and manners. How it reads:
//!
//! - **Streams** are HubSpot's own object types, the account's custom ones, and the definitions around them. Whether an
//!   account has a type, and the token may read it, is seen when its properties are asked for.
//! - **Schemas** come from the property definitions of all sensitivity levels: HubSpot lists one level a request, so what is
//!   sensitive is known, and marked, before any value is asked for.
//! - **Records** are listed by id, a hundred a page, with the wanted properties in the URL, by several readers at once where
//!   the account's cursors allow it ([`slices`]); where the URL would be too long, ids are listed and the values fetched by
//!   batch read. The search index is never used to read records: it is late, it
//!   forgets, and it ends at ten thousand. It counts them ([`count`]), beside the reading.
//! - **Limits**: all streams share one budget of requests, learned from HubSpot's own headers ([`vendor`]).
//!
//! What a full read misses: records that are archived while it runs, which the next run leaves out of the table.

mod answers;
mod api;
mod associations;
mod batches;
mod cells;
mod columns;
mod count;
mod cut;
mod decode;
mod events;
mod history;
mod ids;
mod input_errors;
mod json;
mod kinds;
mod links;
mod list;
mod lists;
mod marking;
mod members;
mod names;
mod paging;
mod property;
mod quota;
mod ranged;
mod ranges;
mod read;
mod record;
mod room;
mod scopes;
mod sensitivity;
mod slices;
#[cfg(test)]
mod tests;
mod types;
mod value;
mod vendor;

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::future::join;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use sluice_model::{
    schema::Schema,
    secret::Secret,
    stream::{StreamInfo, StreamKind},
};
use tokio::sync::OnceCell;
use url::Url;

use super::{Price, Quota, ReadRequest, Reading, Source, SourceError, Unneeded, Unreadable, Usage};
use crate::http::{Budget, BudgetRules, Client, HttpError, Options, Rate, Reserve, RetryPolicy, SetupError};

use self::{answers::Answers, list::Listing, room::Room, sensitivity::Sensitivity, vendor::MALFORMED_TOKEN};
pub use self::{
    api::{Paths, Standing, Support},
    ids::Ids,
    marking::Marking,
};

/// Where HubSpot answers.
pub const BASE_URL: &str = "https://api.hubapi.com";

/// Requests in ten seconds until HubSpot's headers say what the account really allows: the lowest tier's.
const ASSUMED_REQUESTS: NonZeroU32 = NonZeroU32::new(100).unwrap();

/// The interval that HubSpot's limit counts in.
const INTERVAL: Duration = Duration::from_secs(10);

/// Searches a second and account; HubSpot says nothing of it in headers.
const SEARCHES_PER_SECOND: NonZeroU32 = NonZeroU32::new(5).unwrap();

/// How to reach an account.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where HubSpot answers.
    pub base_url: Url,
    /// The access token.
    pub token: Secret,
    /// The version of the API.
    pub paths: Paths,
    /// Never send more requests than this in ten seconds, whatever the account allows.
    pub requests_per_10s: Option<NonZeroU32>,
    /// The share of the account's limits that is left to its other apps.
    pub reserve: Reserve,
    /// For how long a request may fail.
    pub retry: RetryPolicy,
    /// Whether sensitive properties are wanted. A stream whose sensitive properties may not be listed cannot be read then:
    /// its columns would be missing without a word.
    pub sensitive: bool,
    /// The file's own marks: of a property that it marks, what is said stands in other columns than what is said of others.
    pub marking: Marking,
    /// Which events are offered; none, if nobody says of which records.
    pub events: Option<EventScope>,
}

/// Of which records events are read: HubSpot gives them record by record, so that each costs a request for each type of event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventScope {
    /// The type of the records: any name that its stream has.
    pub of: String,
    /// Which of these records.
    pub records: EventRecords,
    /// Events that happened before this are not read.
    pub since: Option<Timestamp>,
}

/// Records whose events are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventRecords {
    /// All of their type.
    All,
    /// Those in the list of this id, or of this name if no list has this id.
    InList(String),
    /// Those that were changed then or later.
    ChangedSince(Timestamp),
}

/// The custom object types of an account.
#[derive(Debug, Default)]
struct CustomTypes {
    types: Vec<api::ObjectSchema>,
    /// Whether HubSpot says that this token may not see them.
    hidden: bool,
}

/// One HubSpot account. Cheap to clone; clones share what they know of it.
#[derive(Debug, Clone)]
pub struct HubSpot {
    client: Client,
    token: Secret,
    paths: Paths,
    general: Budget,
    search: Budget,
    custom: Arc<OnceCell<CustomTypes>>,
    property_lists: Answers<Result<Vec<api::Property>, Refusal>>,
    pipeline_lists: Answers<Result<Vec<api::Pipeline>, Refused>>,
    association_types: Answers<Result<Vec<api::AssociationType>, Refused>>,
    lists: Answers<Result<Vec<api::List>, Refused>>,
    owners: Answers<Vec<api::Owner>>,
    ids: Answers<Ids>,
    /// Those of them that have changed since [`EventRecords::ChangedSince`], of the type that events are read of.
    changed: Answers<Ids>,
    event_types: Answers<events::types::Types>,
    event_samples: Answers<Vec<String>>,
    event_records: Answers<Ids>,
    counts: Answers<Option<u64>>,
    /// For all that is kept of definitions.
    room: Room,
    sensitive: bool,
    marking: Marking,
    events: Option<EventScope>,
}

impl HubSpot {
    /// Prepares to reach an account. Nothing is sent yet.
    pub fn new(settings: &Settings) -> Result<Self, SetupError> {
        let rate = |requests| Rate { requests, interval: INTERVAL };
        let general = BudgetRules {
            name: "general",
            assumed: rate(settings.requests_per_10s.unwrap_or(ASSUMED_REQUESTS)),
            ceiling: settings.requests_per_10s.map(rate),
            reserve: settings.reserve,
        };
        let search = Rate { requests: SEARCHES_PER_SECOND, interval: Duration::from_secs(1) };
        let search = BudgetRules { name: "search", assumed: search, ceiling: None, reserve: settings.reserve };
        Ok(Self {
            client: Client::new(
                &settings.base_url,
                &settings.token,
                Arc::new(vendor::HubSpotRules),
                Options { retry: settings.retry, ..Options::default() },
            )?,
            token: settings.token.clone(),
            paths: settings.paths,
            general: Budget::new(general),
            search: Budget::new(search),
            custom: Arc::default(),
            property_lists: Answers::default(),
            pipeline_lists: Answers::default(),
            association_types: Answers::default(),
            lists: Answers::default(),
            owners: Answers::default(),
            ids: Answers::default(),
            changed: Answers::default(),
            event_types: Answers::default(),
            event_samples: Answers::default(),
            event_records: Answers::default(),
            counts: Answers::default(),
            room: Room::default(),
            sensitive: settings.sensitive,
            marking: settings.marking.clone(),
            events: settings.events.clone(),
        })
    }

    /// The account's custom object types, asked for once. An account without them refuses the question.
    async fn custom_types(&self) -> Result<&CustomTypes, SourceError> {
        let ask = async || match self.all(self.get(self.paths.schemas())).await.or_refused("custom object types")? {
            Ok(types) => Ok(CustomTypes { types: list::distinct(types), hidden: false }),
            Err(refused) => {
                tracing::info!("no custom object types: the account has none, or the token may not see them");
                Ok(CustomTypes { types: Vec::new(), hidden: refused.why == Unreadable::Forbidden })
            }
        };
        self.custom.get_or_try_init(ask).await
    }

    /// The properties of a type, over all levels of sensitivity, asked for once; the refusal, where the type may not be read
    /// or is not there.
    async fn properties(&self, type_id: &str) -> Result<Arc<Result<Vec<api::Property>, Refusal>>, SourceError> {
        self.property_lists.get(type_id, Box::pin(self.list_properties(type_id))).await
    }

    /// What is sensitive is known only when all levels are listed; whether the type is there, after the first.
    async fn list_properties(&self, type_id: &str) -> Result<Result<Vec<api::Property>, Refusal>, SourceError> {
        let list = |level: Sensitivity| async move {
            let request = self.get(self.paths.properties(type_id)).parameter("dataSensitivity", level.as_str());
            self.all(request).await.or_refused(&format!("properties of `{type_id}`"))
        };
        let mut lists = Vec::new();
        match list(Sensitivity::Not).await? {
            Ok(properties) => lists.push((Sensitivity::Not, properties)),
            Err(Refused { why: Unreadable::Absent, cause }) if types::EVERYWHERE.contains(&type_id) => {
                let name = types::STANDARD.iter().find(|own| own.id == type_id).map_or(type_id, |own| own.name);
                return Err(SourceError::Missing { what: name.to_owned(), cause });
            }
            Err(Refused { why, cause }) => return Ok(Err(Refusal { level: Sensitivity::Not, why, cause })),
        }
        let (sensitive, highly) = join(list(Sensitivity::Sensitive), list(Sensitivity::HighlySensitive)).await;
        for (level, listed) in [(Sensitivity::Sensitive, sensitive?), (Sensitivity::HighlySensitive, highly?)] {
            match listed {
                Ok(properties) => lists.push((level, properties)),
                // An account without sensitive data may refuse to speak of it; what it lists without is complete. But where
                // sensitive data is wanted, its columns must not just vanish.
                Err(Refused { why, cause }) if self.sensitive => return Ok(Err(Refusal { level, why, cause })),
                Err(_) => tracing::info!(
                    object_type = type_id,
                    level = level.as_str(),
                    "no properties of this level: the account has none, or the token may not see them"
                ),
            }
        }
        Ok(Ok(sensitivity::united(lists)))
    }

    /// The pipelines of a type, asked for once; the refusal, where it has none or they may not be seen.
    async fn pipelines(&self, type_id: &str) -> Result<Arc<Result<Vec<api::Pipeline>, Refused>>, SourceError> {
        let list = async {
            let listed = self.all(self.get(self.paths.pipelines(type_id))).await;
            Ok(listed.or_refused(&format!("pipelines of `{type_id}`"))?.map(list::distinct))
        };
        self.pipeline_lists.get(type_id, list).await
    }

    /// The ids of all records of a type: as the reading of its stream has left them, if it has kept them
    /// ([`ReadRequest::keeps_ids`]), and otherwise listed, once.
    pub async fn ids(&self, type_id: &str) -> Result<Arc<Ids>, SourceError> {
        self.ids.get(type_id, read::list_ids(self, type_id)).await
    }

    /// The ids of all records of a type, if a reading has kept them or they have been listed.
    fn known_ids(&self, type_id: &str) -> Option<Arc<Ids>> {
        self.ids.known(type_id)
    }

    /// The streams of all object types.
    async fn object_types(&self) -> Result<Vec<StreamInfo>, SourceError> {
        Ok(Self::streams_of(&self.custom_types().await?.types))
    }

    /// The streams of HubSpot's own types, and of these.
    fn streams_of(custom: &[api::ObjectSchema]) -> Vec<StreamInfo> {
        let own = types::STANDARD.iter();
        let own = own.map(|standard| StreamInfo::new(standard.name, StreamKind::objects(standard.id)));
        own.chain(names::custom_streams(custom)).collect()
    }

    /// Asks, and reads the answer, in whose lists no more elements may stand than this.
    async fn json<T: DeserializeOwned + Send>(
        &self,
        request: &crate::http::Request,
        most: usize,
    ) -> Result<T, HttpError> {
        self.client.decoded(request, |body| json::read(body, most)).await
    }

    /// The same, of definitions, of which this much is kept (`size`, given their text).
    async fn definitions<T: DeserializeOwned + Send>(
        &self,
        request: &crate::http::Request,
        most: usize,
        size: impl Fn(&bytes::Bytes, &T) -> usize + Send + Sync,
    ) -> Result<T, HttpError> {
        let decode = |body: &bytes::Bytes| {
            let answer = json::read(body, most)?;
            self.room.take(size(body, &answer))?;
            Ok(answer)
        };
        self.client.decoded(request, decode).await
    }

    fn get(&self, path: String) -> crate::http::Request {
        crate::http::Request::get(&self.general, path)
    }
}

/// Why the properties of a type are not listed.
#[derive(Debug)]
struct Refusal {
    level: Sensitivity,
    why: Unreadable,
    cause: HttpError,
}

/// HubSpot's own word that something is not there, or not to be seen by this token.
#[derive(Debug)]
struct Refused {
    why: Unreadable,
    cause: HttpError,
}

impl Refused {
    /// What an error says, if it is HubSpot's own word.
    fn of(error: HttpError) -> Result<Self, HttpError> {
        match Self::why(&error) {
            Some(why) => Ok(Self { why, cause: error }),
            None => Err(error),
        }
    }

    /// What an error says, by the category of HubSpot's own error, never by a status alone.
    fn why(error: &HttpError) -> Option<Unreadable> {
        let category = error.explanation().and_then(|explanation| explanation.category.as_deref()).unwrap_or_default();
        match error.status().map(|status| status.as_u16()) {
            Some(400 | 404) if category == "MISSING_SCOPES" => Some(Unreadable::Forbidden),
            Some(403) if !category.is_empty() => Some(Unreadable::Forbidden),
            Some(404 | 410) if category.contains("NOT_FOUND") => Some(Unreadable::Absent),
            // "Unable to infer object type", "does not support pipelines": all else in these requests is right.
            Some(400) if category == "VALIDATION_ERROR" => Some(Unreadable::Absent),
            _ => None,
        }
    }
}

fn failed(what: &str, cause: HttpError) -> SourceError {
    match cause.status().map(|status| status.as_u16()) {
        Some(status @ (401 | MALFORMED_TOKEN)) if !cause.may_pass() => SourceError::TokenRejected { status, cause },
        _ => SourceError::Http { what: what.to_owned(), cause },
    }
}

/// The error of a stream of which a request for `what` has failed.
fn unread(stream: &StreamInfo, what: &str, error: HttpError) -> SourceError {
    match Refused::of(error) {
        Ok(Refused { why, cause }) => not_readable(stream, why, &cause),
        Err(cause) => failed(what, cause),
    }
}

/// The error of a stream whose properties of some level are not listed.
fn unlisted(stream: &StreamInfo, level: Sensitivity, why: Unreadable, cause: &HttpError) -> SourceError {
    if level == Sensitivity::Not {
        return not_readable(stream, why, cause);
    }
    SourceError::NotReadable {
        stream: stream.name.clone(),
        why,
        reason: format!("its {} properties are not listed: {}", level.as_str(), sluice_model::error_chain(cause)),
        hint: Some("grant the token the scopes of sensitive data, or do without: `sensitive = \"exclude\"`".to_owned()),
    }
}

fn not_readable(stream: &StreamInfo, why: Unreadable, cause: &HttpError) -> SourceError {
    let scopes = cause.explanation().map(|explanation| explanation.required_scopes.as_slice()).unwrap_or_default();
    let hint =
        if scopes.is_empty() { None } else { Some(format!("grant the token the scope `{}`", scopes.join("` and `"))) };
    SourceError::NotReadable { stream: stream.name.clone(), why, reason: sluice_model::error_chain(cause), hint }
}

#[async_trait]
impl Source for HubSpot {
    async fn streams(&self) -> Result<Vec<StreamInfo>, SourceError> {
        let mut streams = Vec::new();
        for kind in kinds::KINDS {
            streams.extend(kind.streams(self).await?);
        }
        Ok(streams)
    }

    async fn schema(&self, stream: &StreamInfo) -> Result<Schema, SourceError> {
        kinds::of(stream).schema(self, stream).await
    }

    async fn count(&self, stream: &StreamInfo) -> Option<u64> {
        kinds::of(stream).count(self, stream).await
    }

    async fn size(&self, stream: &StreamInfo) -> Option<u64> {
        self.count_of(stream.kind.type_id()?).await
    }

    fn is_counted(&self, stream: &StreamInfo) -> bool {
        kinds::of(stream).is_counted()
    }

    async fn price(&self, request: &ReadRequest, ids_are_kept: bool) -> Option<Price> {
        kinds::of(&request.stream).price(self, request, ids_are_kept).await
    }

    async fn quota(&self) -> Option<Quota> {
        Some(self.quota_now().await)
    }

    async fn account(&self) -> Option<String> {
        self.account_id().await
    }

    async fn unneeded(&self, streams: &[&StreamInfo]) -> Option<Vec<Unneeded>> {
        self.unneeded_scopes(streams).await
    }

    fn needs(&self, stream: &StreamInfo) -> Vec<String> {
        kinds::of(stream).needs(self, stream)
    }

    async fn try_read(&self, request: &ReadRequest) -> Result<(), SourceError> {
        kinds::of(&request.stream).try_read(self, request).await
    }

    fn open(&self, request: ReadRequest) -> Arc<dyn Reading> {
        kinds::of(&request.stream).open(self, request)
    }

    fn usage(&self) -> Usage {
        let stats = self.client.stats();
        Usage {
            requests: stats.requests,
            retries: stats.retries,
            rate_limited: stats.throttled,
            bytes: stats.bytes,
            limit_wait_seconds: stats.waited_for_budget.as_secs_f64(),
            retry_wait_seconds: stats.waited_for_retry.as_secs_f64(),
            trouble_seconds: stats.in_trouble_for.map(|time| time.as_secs_f64()),
            budget_share: self.general.usage().share,
        }
    }
}
