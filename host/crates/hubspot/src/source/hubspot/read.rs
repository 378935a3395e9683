//! Reading the records of one type, page by page, by one reader or several.
//!
//! [`pages`] is one reader's way from a request to columns, `shared` what all readers know of the list ([`super::slices`]),
//! `end` how far it goes.

mod end;
mod pages;
mod shared;

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use futures::{StreamExt, stream::FuturesUnordered};
use jiff::Timestamp;
use sluice_model::{
    schema::attribute,
    stream::{StreamInfo, StreamKind},
};
use tokio::sync::{mpsc, oneshot};

use self::{
    pages::{PageError, Reader, out_of_order},
    shared::SharedSlices,
};
use super::{
    HubSpot,
    decode::{MOST_RECORDS, Remarks},
    ids::Ids,
    paging::Course,
    record::ID_PROPERTY,
    slices::{SMALLEST_SLICE, Slices},
};
use crate::{
    http::{PageSize, Request},
    source::{DeliverySender, Price, Read, ReadRequest, Readers, Reading, RowsSeen, Slice, SourceError},
};

/// The longest URL that is sent. HubSpot has answered `414` from about 16,200 characters on; others settle at half of that.
pub(super) const LONGEST_URL: usize = 8000;

/// Attempts at a page that is too much for the server before a smaller one is asked for.
const ATTEMPTS_BEFORE_HALVING: u32 = 3;

/// Readers that list the ids of one type: enough to fill the account's limit where an answer takes a third of a second.
const LISTERS: usize = 8;

/// What separates the names of properties in a URL. A name that holds it can only be asked for by batch read.
const SEPARATOR: &str = ",";

/// The records of one type, while they are read.
pub(super) struct Records {
    hubspot: HubSpot,
    type_id: String,
    request: ReadRequest,
    properties: Vec<String>,
    /// Whether the values have to be fetched apart from the list.
    by_batch: bool,
    slices: SharedSlices,
    /// On the slices that have been read to their ends.
    remarks: Mutex<Remarks>,
    /// The ids of their records, if these are kept.
    ids: Mutex<Ids>,
    /// Those of them that were changed since, if these are kept.
    changed: Mutex<Ids>,
}

impl Records {
    /// Prepares to read. Nothing is asked for yet.
    pub(super) fn new(hubspot: &HubSpot, type_id: &str, request: &ReadRequest) -> Self {
        let several = request.readers == Readers::Several;
        Self::with_slices(hubspot, type_id, request, Slices::new(several, SMALLEST_SLICE))
    }

    pub(super) fn with_slices(hubspot: &HubSpot, type_id: &str, request: &ReadRequest, slices: Slices) -> Self {
        let properties = wanted_properties(request);
        let mut records = Self {
            hubspot: hubspot.clone(),
            type_id: type_id.to_owned(),
            request: request.clone(),
            by_batch: properties.iter().any(|name| name.contains(SEPARATOR)),
            properties,
            slices: SharedSlices::new(slices),
            remarks: Mutex::default(),
            ids: Mutex::default(),
            changed: Mutex::default(),
        };
        records.by_batch |= records.is_too_long();
        records
    }

    /// Since when records have to be changed for their events to be read, if that is how it is said of which.
    fn changed_since(&self) -> Option<Timestamp> {
        if self.request.keeps_ids { self.hubspot.events_since_change_of(&self.type_id) } else { None }
    }

    /// Asks for one record, as it would be read.
    pub(super) async fn try_first(&self) -> Result<(), SourceError> {
        let mut reader = Reader::new(self, 0);
        reader.page(None, 1).await.map(drop).map_err(|error| error.of(&self.request))
    }

    /// What reading costs: a page of records a request, and as many again where the values are fetched apart. An empty list
    /// is a page, too, and has no values.
    pub(super) async fn price(&self) -> Option<Price> {
        let rows = self.hubspot.count_of(&self.type_id).await?;
        let pages = rows.div_ceil(MOST_RECORDS.into());
        let values = if self.by_batch { pages } else { 0 };
        Some(Price { requests: pages.max(1) + values, rows: Some(rows) })
    }

    /// Reads a slice, page after page. `known` is told the last id so far, once it is of interest where the list ends.
    async fn walk(
        &self,
        slice: Slice,
        mut known: Option<oneshot::Sender<u64>>,
        deliveries: &DeliverySender,
    ) -> Result<(), SourceError> {
        let mut reader = Reader::new(self, slice.begins());
        let mut unread = Some(slice);
        let mut size = PageSize::new(MOST_RECORDS);
        let mut course = Course::default();
        let mut after = reader.lane().from().map(|from| from.to_string());
        loop {
            match reader.page(after.as_deref(), size.get()).await {
                Ok(None) => return Ok(()),
                Ok(Some(page)) => {
                    if let Some(slice) = unread.take() {
                        slice.keep();
                    }
                    size.good();
                    course
                        .page(page.first.as_deref(), page.after.as_deref())
                        .map_err(|why| SourceError::Endless { what: what(&self.request), why })?;
                    self.request.seen.add(page.records);
                    if let Some(last) =
                        reader.lane().position().filter(|_| self.slices.with(|all| all.is_end_of_interest()))
                        && let Some(known) = known.take()
                    {
                        // Whoever is told waits beside this.
                        known.send(last).ok();
                    }
                    let is_last = page.after.is_none();
                    if (is_last || reader.is_full()) && !reader.deliver(deliveries).await? {
                        return Ok(());
                    }
                    if is_last {
                        self.remarks.lock().unwrap_or_else(PoisonError::into_inner).add(reader.remarks());
                        if let Some(ids) = reader.take_ids() {
                            self.ids.lock().unwrap_or_else(PoisonError::into_inner).add(ids);
                        }
                        if let Some(changed) = reader.take_changed() {
                            self.changed.lock().unwrap_or_else(PoisonError::into_inner).add(changed);
                        }
                        self.slices.with(|slices| slices.finish(reader.lane()));
                        return Ok(());
                    }
                    after = page.after;
                }
                Err(PageError::Http(error)) if error.asks_too_much() && size.halve() => {
                    tracing::warn!(
                        stream = self.request.stream.name,
                        records = size.get(),
                        "pages are too large, asking for less"
                    );
                }
                Err(error) => return Err(error.of(&self.request)),
            }
        }
    }

    /// Whether listing would need a URL that is too long.
    fn is_too_long(&self) -> bool {
        // Room for the position behind the first page's URL.
        const POSITION: usize = 64;
        let request = self.list(&self.properties, None, MOST_RECORDS);
        self.hubspot.client.url_length(&request) + POSITION > LONGEST_URL
    }

    fn list(&self, properties: &[String], after: Option<&str>, records: u32) -> Request {
        let request = self
            .hubspot
            .get(self.hubspot.paths.records(&self.type_id))
            .parameter("limit", records.to_string())
            .parameter("properties", properties.join(SEPARATOR))
            .parameter("archived", "false");
        let request = halvable(request, records);
        match after {
            Some(after) => request.parameter("after", after),
            None => request,
        }
    }
}

#[async_trait]
impl Reading for Records {
    fn slice(&self) -> Option<Slice> {
        self.slices.slice()
    }

    fn worth(&self) -> u64 {
        self.slices.with(|slices| slices.worth())
    }

    async fn changed(&self) {
        self.slices.more().await;
    }

    async fn read(&self, slice: Slice, deliveries: DeliverySender) -> Result<(), SourceError> {
        if slice.begins() > 0 {
            return self.walk(slice, None, &deliveries).await;
        }
        let (tell, told) = oneshot::channel();
        tokio::select! {
            biased;
            read = self.walk(slice, Some(tell), &deliveries) => read,
            () = self.find_end(told) => unreachable!("it never ends"),
        }
    }

    async fn finish(&self) -> Result<Read, SourceError> {
        let (finished, records, undivided) =
            self.slices.with(|slices| (slices.are_finished(), slices.records(), slices.why_one()));
        let finished = finished.map_err(|why| out_of_order(&self.request, why))?;
        if finished && self.request.keeps_ids {
            let ids = std::mem::take(&mut *self.ids.lock().unwrap_or_else(PoisonError::into_inner));
            self.hubspot.ids.put(&self.type_id, ids);
            if self.changed_since().is_some() {
                let changed = std::mem::take(&mut *self.changed.lock().unwrap_or_else(PoisonError::into_inner));
                self.hubspot.changed.put(&self.type_id, changed);
            }
        }
        if !finished || records == 0 {
            return Ok(Read { undivided, ..Read::default() });
        }
        let (unnamed, by_some, odd) = {
            let remarks = self.remarks.lock().unwrap_or_else(PoisonError::into_inner);
            (remarks.never_named(), remarks.named_by_some(), remarks.odd_times())
        };
        if odd > 0 {
            tracing::warn!(stream = self.request.stream.name, records = odd, "`updatedAt` is no time");
        }
        Ok(Read { cut: gone(&self.hubspot, &self.type_id, by_some).await?, unnamed, undivided, ..Read::default() })
    }
}

/// Those of these properties of a type that HubSpot does not list any more.
pub(super) async fn gone(
    hubspot: &HubSpot,
    type_id: &str,
    mut properties: Vec<String>,
) -> Result<Vec<String>, SourceError> {
    if !properties.is_empty()
        && let Ok(listed) = hubspot.list_properties(type_id).await?
    {
        properties.retain(|name| !listed.iter().any(|property| property.name == *name));
    }
    Ok(properties)
}

/// Requests that listing the ids of so many records takes.
pub(super) fn requests_for_ids(records: u64) -> u64 {
    records.div_ceil(u64::from(MOST_RECORDS)).max(1)
}

/// Lists the ids of those records of a type that were changed since the time that events are asked for by.
pub(super) async fn list_changed(hubspot: &HubSpot, type_id: &str) -> Result<Ids, SourceError> {
    list_all(hubspot, type_id).await.map(|(_, changed)| changed)
}

/// Lists the ids of all records of a type, by several readers where the list can be divided.
pub(super) async fn list_ids(hubspot: &HubSpot, type_id: &str) -> Result<Ids, SourceError> {
    let (all, changed) = list_all(hubspot, type_id).await?;
    if hubspot.events_since_change_of(type_id).is_some() {
        hubspot.changed.put(type_id, changed);
    }
    Ok(all)
}

/// The ids of all records, and of those that were changed since, if anybody asks by them.
async fn list_all(hubspot: &HubSpot, type_id: &str) -> Result<(Ids, Ids), SourceError> {
    match list_ids_by(hubspot, type_id, Readers::Several).await {
        Err(SourceError::OutOfOrder { why, .. }) => {
            tracing::warn!(object_type = type_id, why, "ids cannot be listed by several readers: one lists them all");
            list_ids_by(hubspot, type_id, Readers::One).await
        }
        listed => listed,
    }
}

async fn list_ids_by(hubspot: &HubSpot, type_id: &str, readers: Readers) -> Result<(Ids, Ids), SourceError> {
    let request = ReadRequest {
        stream: StreamInfo::new(type_id, StreamKind::objects(type_id)),
        columns: Vec::new(),
        ingested_at: Timestamp::UNIX_EPOCH,
        readers,
        keeps_ids: true,
        resumes: None,
        seen: RowsSeen::default(),
    };
    let records = Records::new(hubspot, type_id, &request);
    // Without columns there are no rows to deliver.
    let (nowhere, _open) = mpsc::channel(1);
    let mut at_work = FuturesUnordered::new();
    loop {
        while at_work.len() < LISTERS
            && let Some(slice) = records.slice()
        {
            at_work.push(records.read(slice, nowhere.clone()));
        }
        tokio::select! {
            ended = at_work.next() => match ended {
                Some(outcome) => outcome?,
                None => break,
            },
            () = records.changed(), if at_work.len() < LISTERS => {}
        }
    }
    drop(at_work);
    records.slices.with(|slices| slices.are_finished()).map_err(|why| out_of_order(&request, why))?;
    let inner = |ids: Mutex<Ids>| ids.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok((inner(records.ids), inner(records.changed)))
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

/// A request for so many records, which is given up early where fewer can be asked for.
fn halvable(request: Request, records: u32) -> Request {
    if records > 1 { request.overload_attempts(ATTEMPTS_BEFORE_HALVING) } else { request }
}
