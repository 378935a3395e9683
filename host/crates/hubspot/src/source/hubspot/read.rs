//! Reading the records of one type, page by page.

use std::sync::Mutex;

use bytes::Bytes;
use sluice_model::schema::attribute;

use super::{
    HubSpot, Refused, api,
    decode::{Page, RecordDecoder, WantedIds},
    failed, not_readable,
    paging::{Course, Paging},
    record::ID_PROPERTY,
};
use crate::{
    http::{HttpError, PageSize, Request, Undecodable},
    source::{BatchSender, Read, ReadRequest, SourceError, Unreadable},
};

/// Records a page: the most that listing and batch reads allow.
const MOST_RECORDS: u32 = 100;

/// The longest URL that is sent. HubSpot has answered `414` from about 16,200 characters on; others settle at half of that.
const LONGEST_URL: usize = 8000;

/// Attempts at a page that is too much for the server before a smaller one is asked for.
const ATTEMPTS_BEFORE_HALVING: u32 = 3;

/// How often a page is listed anew when values are not given for all its records: one may have been archived in between,
/// and is not listed any more.
const LISTINGS_OF_A_PAGE: u32 = 4;

/// What separates the names of properties in a URL. A name that holds it can only be asked for by batch read.
const SEPARATOR: &str = ",";

/// Reads all records, and puts their batches into the channel.
pub(super) async fn records(
    hubspot: &HubSpot,
    type_id: &str,
    request: &ReadRequest,
    batches: &BatchSender,
) -> Result<Read, SourceError> {
    let reader = Reader::new(hubspot, type_id, request);
    let mut size = PageSize::new(MOST_RECORDS);
    let mut course = Course::default();
    let mut after = None;
    let mut any = false;
    loop {
        match reader.page(after.as_deref(), size.get()).await {
            Ok(page) => {
                size.good();
                course
                    .page(page.first.as_deref(), page.after.as_deref())
                    .map_err(|why| SourceError::Endless { what: what(request), why })?;
                any |= page.first.is_some();
                request.seen.add(page.listed - page.gone);
                let last = page.after.is_none();
                if (last || reader.is_full()) && !reader.send(batches).await? {
                    return Ok(Read::default());
                }
                if last {
                    return if any { reader.remarks().await } else { Ok(Read::default()) };
                }
                after = page.after;
            }
            Err(PageError::Http(error)) if error.asks_too_much() && size.halve() => {
                tracing::warn!(
                    stream = request.stream.name,
                    records = size.get(),
                    "pages are too large, asking for less"
                );
            }
            Err(error) => return Err(error.of(request)),
        }
    }
}

/// Asks for one record, as it would be read.
pub(super) async fn first_record(hubspot: &HubSpot, type_id: &str, request: &ReadRequest) -> Result<(), SourceError> {
    let reader = Reader::new(hubspot, type_id, request);
    reader.page(None, 1).await.map(drop).map_err(|error| error.of(request))
}

/// What is being read, for errors.
fn what(request: &ReadRequest) -> String {
    format!("records of stream `{}`", request.stream.name)
}

/// The properties that the columns need, each once, in their order.
fn wanted_properties(request: &ReadRequest) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for column in &request.columns {
        if let Some(name) = column.attributes.get(attribute::PROPERTY)
            && names.last() != Some(name)
            && !names.contains(name)
        {
            names.push(name.clone());
        }
    }
    if names.is_empty() {
        // Asking for none brings a default set.
        names.push(ID_PROPERTY.to_owned());
    }
    names
}

/// Whether listing with these properties would need a URL that is too long.
fn is_too_long(hubspot: &HubSpot, type_id: &str, properties: &[String]) -> bool {
    // Room for the position behind the first page's URL.
    const POSITION: usize = 64;
    let request = list(hubspot, type_id, properties, None, MOST_RECORDS);
    hubspot.client.url_length(&request) + POSITION > LONGEST_URL
}

fn list(hubspot: &HubSpot, type_id: &str, properties: &[String], after: Option<&str>, records: u32) -> Request {
    let request = hubspot
        .get(hubspot.paths.records(type_id))
        .parameter("limit", records.to_string())
        .parameter("properties", properties.join(SEPARATOR))
        .parameter("archived", "false");
    let request = halvable(request, records);
    match after {
        Some(after) => request.parameter("after", after),
        None => request,
    }
}

/// A request for so many records, which is given up early where fewer can be asked for.
fn halvable(request: Request, records: u32) -> Request {
    if records > 1 { request.overload_attempts(ATTEMPTS_BEFORE_HALVING) } else { request }
}

/// One stream being read.
struct Reader<'r> {
    hubspot: &'r HubSpot,
    type_id: &'r str,
    request: &'r ReadRequest,
    /// Locked for the time it takes to decode a page or finish a batch; never contended.
    decoder: Mutex<RecordDecoder>,
    by_batch: bool,
    properties: Vec<String>,
}

/// Why there is no page.
enum PageError {
    Http(HttpError),
    /// Values were not given for all records that are listed.
    Incomplete {
        listed: usize,
        missing: usize,
    },
}

impl PageError {
    /// The error that ends the reading.
    fn of(self, request: &ReadRequest) -> SourceError {
        match self {
            Self::Http(cause) => match Refused::of(cause) {
                Ok(Refused { why, cause }) => not_readable(&request.stream, why, &cause),
                Err(cause) => failed(&what(request), cause),
            },
            Self::Incomplete { listed, missing } => SourceError::Incomplete { what: what(request), listed, missing },
        }
    }
}

impl From<HttpError> for PageError {
    fn from(error: HttpError) -> Self {
        Self::Http(error)
    }
}

impl<'r> Reader<'r> {
    fn new(hubspot: &'r HubSpot, type_id: &'r str, request: &'r ReadRequest) -> Self {
        let properties = wanted_properties(request);
        Self {
            hubspot,
            type_id,
            request,
            decoder: Mutex::new(RecordDecoder::new(type_id, &request.columns, request.ingested_at)),
            by_batch: is_too_long(hubspot, type_id, &properties)
                || properties.iter().any(|name| name.contains(SEPARATOR)),
            properties,
        }
    }

    /// Asks for a page, and decodes its records.
    async fn page(&self, after: Option<&str>, records: u32) -> Result<Page, PageError> {
        let mut incomplete = PageError::Incomplete { listed: 0, missing: 0 };
        for listing in 1..=LISTINGS_OF_A_PAGE {
            let last = listing == LISTINGS_OF_A_PAGE;
            let page = if self.by_batch {
                self.page_by_batch(after, records, last).await?
            } else {
                let request = list(self.hubspot, self.type_id, &self.properties, after, records);
                self.hubspot.client.decoded(&request, |body| self.decode(body, None)).await?
            };
            if page.missing == 0 && (page.gone == 0 || last) {
                if page.gone > 0 {
                    tracing::warn!(
                        stream = self.request.stream.name,
                        records = page.gone,
                        "records are listed of which HubSpot says, each time, that they are not there: left out"
                    );
                }
                return Ok(page);
            }
            let missing = page.missing + page.gone;
            tracing::warn!(stream = self.request.stream.name, missing, "not all records of a page were given");
            incomplete = PageError::Incomplete { listed: page.listed, missing };
        }
        Err(incomplete)
    }

    /// Asks for the ids of a page, then for the values. `last`: a record that is said to be gone is believed to be.
    async fn page_by_batch(&self, after: Option<&str>, records: u32, last: bool) -> Result<Page, PageError> {
        let ids = list(self.hubspot, self.type_id, &[ID_PROPERTY.to_owned()], after, records);
        let ids: api::ListPage<api::RecordId> = self.hubspot.json(&ids).await?;
        let missing = ids.missing();
        let after = Paging::after(ids.paging);
        let ids: Vec<String> = ids.results.into_iter().map(|record| record.id).collect();
        let listed = ids.len() + missing;
        let first = ids.first().cloned();
        if missing > 0 || first.is_none() {
            return Ok(Page { first, after, listed, missing, gone: 0 });
        }
        match self.values(WantedIds { ids: &ids, may_be_gone: last }).await {
            Ok(page) => Ok(Page { first, after, listed, ..page }),
            // None of them is there any more, says HubSpot; the list will say the same, if it is true.
            Err(error) => match Refused::of(error) {
                Ok(Refused { why: Unreadable::Absent, .. }) => {
                    Ok(Page { first, after, listed, missing: listed, gone: 0 })
                }
                Ok(Refused { cause, .. }) | Err(cause) => Err(cause.into()),
            },
        }
    }

    /// Asks for the values of these records, and decodes them.
    async fn values(&self, asked: WantedIds<'_>) -> Result<Page, HttpError> {
        let inputs: Vec<_> = asked.ids.iter().map(|id| serde_json::json!({ "id": id })).collect();
        let body = serde_json::json!({ "inputs": inputs, "properties": self.properties });
        let request = Request::post(&self.hubspot.general, self.hubspot.paths.batch_read(self.type_id), &body);
        let request = halvable(request, u32::try_from(asked.ids.len()).unwrap_or(u32::MAX));
        self.hubspot.client.decoded(&request, |body| self.decode(body, Some(asked))).await
    }

    fn decode(&self, body: &Bytes, asked: Option<WantedIds<'_>>) -> Result<Page, Undecodable> {
        Ok(self.locked().page(body, asked)?)
    }

    /// What was odd about the records, now that all have come.
    async fn remarks(&self) -> Result<Read, SourceError> {
        let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let (unnamed, by_some, odd) = {
            let decoder = self.locked();
            (owned(decoder.never_named()), owned(decoder.named_by_some()), decoder.odd_times())
        };
        if odd > 0 {
            tracing::warn!(stream = self.request.stream.name, records = odd, "`updatedAt` is no time");
        }
        Ok(Read { cut: self.gone(by_some).await?, unnamed, ..Read::default() })
    }

    /// Those of these properties that HubSpot does not list any more.
    async fn gone(&self, mut properties: Vec<String>) -> Result<Vec<String>, SourceError> {
        if !properties.is_empty()
            && let Ok(listed) = self.hubspot.list_properties(self.type_id).await?
        {
            properties.retain(|name| !listed.iter().any(|property| property.name == *name));
        }
        Ok(properties)
    }

    fn is_full(&self) -> bool {
        self.locked().is_full()
    }

    /// Sends what has been decoded; `false` if nobody wants it any more.
    async fn send(&self, batches: &BatchSender) -> Result<bool, SourceError> {
        let batch = self.locked().take();
        let batch = batch.map_err(|cause| SourceError::Batch { stream: self.request.stream.name.clone(), cause })?;
        match batch {
            Some(batch) => Ok(batches.send(batch).await.is_ok()),
            None => Ok(true),
        }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, RecordDecoder> {
        // A poisoned lock means that decoding panicked; the panic has been reported, and this stream is over.
        self.decoder.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
