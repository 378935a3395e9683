//! What the properties of one type's records were before: asked for by the ids of the records, fifty at once, with the names of
//! the properties that are wanted, and no others.
//!
//! The versions of a property are a strand of rows: a batch has the columns that are of no property, and those of one. An
//! answer about many records makes a few rows of each of many strands, so rows are gathered over answers; what all strands
//! hold together is bounded.
//!
//! An answer counts as a whole or not at all: each record must come, or be said to be gone. Where HubSpot says that none of
//! them is there, the type must still be.
//!
//! HubSpot gives the newest versions only, so many of each property. Where as many have come, there may be older ones: these
//! are counted, since nothing else can be done about them.

mod answer;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_trait::async_trait;
use http::StatusCode;
use serde_json::json;
use sluice_model::{delivery::Delivery, schema::attribute};

use self::answer::{Decoder, Role, Said};
use super::{
    HubSpot, Refused,
    batches::{Numbered, Strands},
    ids::Ids,
    ranged::{Counted, Take, Units},
    read,
    record::ID_PROPERTY,
    types::CONTACTS,
    unread,
};
use crate::{
    http::{HttpError, PageSize, Request},
    source::{Beyond, DeliverySender, Read, ReadRequest, SourceError, Unreadable},
};

/// Records that are asked for at once: the most that the API allows where it is asked for versions.
const MOST_RECORDS: u32 = 50;

/// Attempts at an answer that is too much for the server before fewer records are asked for.
const ATTEMPTS_BEFORE_HALVING: u32 = 3;

/// Versions of one property that HubSpot gives of a contact, at most.
const MOST_VERSIONS_OF_CONTACTS: usize = 45;

/// Versions of one property that it gives of any other record, at most.
const MOST_VERSIONS: usize = 20;

/// Requests that the versions of so many records take.
pub(super) fn requests(records: u64) -> u64 {
    records.div_ceil(u64::from(MOST_RECORDS))
}

/// Whether no property is wanted, so that there is nothing to read.
pub(super) fn asks_for_nothing(request: &ReadRequest) -> bool {
    !request.columns.iter().any(|column| column.attributes.contains_key(attribute::PROPERTY))
}

/// The history of one type's records, while it is read.
pub(super) struct History {
    hubspot: HubSpot,
    request: ReadRequest,
    type_id: String,
    decoder: Decoder,
    ids: OnceLock<Arc<Ids>>,
    /// What has been odd about it, over all readers.
    said: Mutex<Said>,
}

impl History {
    pub(super) fn new(hubspot: &HubSpot, request: ReadRequest, type_id: &str) -> Self {
        let most_versions = if type_id == CONTACTS { MOST_VERSIONS_OF_CONTACTS } else { MOST_VERSIONS };
        Self {
            hubspot: hubspot.clone(),
            type_id: type_id.to_owned(),
            decoder: Decoder::new(&request, type_id, most_versions),
            request,
            ids: OnceLock::new(),
            said: Mutex::default(),
        }
    }

    /// Asks for the versions of these records, and puts them with the others. What is due to be delivered then.
    async fn ask(&self, asked: &[String], strands: &Mutex<Strands<'_, Role>>) -> Result<(Numbered, Beyond), HttpError> {
        let inputs: Vec<_> = asked.iter().map(|id| json!({ "id": id })).collect();
        // Asking for no property brings a default set.
        let body = json!({
            "inputs": inputs, "properties": [ID_PROPERTY], "propertiesWithHistory": self.decoder.properties(),
        });
        let request = Request::post(&self.hubspot.general, self.hubspot.paths.batch_read(&self.type_id), &body);
        let request = if asked.len() > 1 { request.overload_attempts(ATTEMPTS_BEFORE_HALVING) } else { request };
        let (said, due) = self
            .hubspot
            .client
            .decoded(&request, |body| {
                // Whoever panicked with it has ended the reading.
                self.decoder.decode(body, asked, &mut strands.lock().unwrap_or_else(PoisonError::into_inner))
            })
            .await?;
        self.request.seen.add(said.rows());
        let beyond = said.beyond();
        self.said.lock().unwrap_or_else(PoisonError::into_inner).add(said);
        Ok((due, beyond))
    }

    /// None of these records is there, says HubSpot. Is the type?
    async fn are_gone(&self, asked: &[String]) -> Result<(), SourceError> {
        let first = self.hubspot.get(self.hubspot.paths.records(&self.type_id)).parameter("limit", "1");
        self.hubspot.json::<serde::de::IgnoredAny>(&first, 1).await.map_err(|error| self.error(error))?;
        tracing::info!(
            stream = self.request.stream.name,
            records = asked.len(),
            "records are gone since their ids were listed"
        );
        Ok(())
    }

    async fn deliver(&self, batches: Numbered, deliveries: &DeliverySender) -> bool {
        for (strand, batch) in batches {
            if deliveries.send(Delivery::of_whole(batch).of_strand(strand)).await.is_err() {
                return false;
            }
        }
        true
    }

    fn error(&self, error: HttpError) -> SourceError {
        unread(&self.request.stream, &format!("versions of stream `{}`", self.request.stream.name), error)
    }
}

#[async_trait]
impl Units for History {
    async fn count(&self) -> Result<Counted, SourceError> {
        let ids =
            if asks_for_nothing(&self.request) { Arc::default() } else { self.hubspot.ids(&self.type_id).await? };
        Ok(Counted { units: self.ids.get_or_init(|| ids).len(), a_request: u64::from(MOST_RECORDS) })
    }

    fn ids(&self) -> Option<Arc<Ids>> {
        self.ids.get().cloned()
    }

    async fn read(&self, take: &Take, deliveries: &DeliverySender) -> Result<Beyond, SourceError> {
        let mut beyond = Beyond::default();
        let Some(ids) = self.ids.get() else { return Ok(beyond) };
        let strands = Mutex::new(Strands::new(self.decoder.layouts()));
        let unbuildable = |cause| SourceError::Batch { stream: self.request.stream.name.clone(), cause };
        let mut size = PageSize::new(MOST_RECORDS);
        let mut next: Vec<String> = Vec::new();
        loop {
            let most = size.get() as usize;
            if next.is_empty() {
                next.extend(ids.range(take.some(most as u64)).map(std::borrow::Cow::into_owned));
            }
            if next.is_empty() {
                let rest = strands.lock().unwrap_or_else(PoisonError::into_inner).rest();
                self.deliver(rest.map_err(unbuildable)?, deliveries).await;
                return Ok(beyond);
            }
            let asked: Vec<String> = next.drain(..next.len().min(most)).collect();
            match self.ask(&asked, &strands).await {
                Ok((due, of_these)) => {
                    size.good();
                    beyond.add(of_these);
                    if !self.deliver(due, deliveries).await {
                        return Ok(beyond);
                    }
                }
                Err(error) if error.asks_too_much() && size.halve() => {
                    let records = size.get();
                    tracing::warn!(
                        stream = self.request.stream.name,
                        records,
                        "answers are too large, asking for less"
                    );
                    next.splice(0..0, asked);
                }
                // That something is wrong with the question is no word on the records.
                Err(error)
                    if Refused::why(&error) == Some(Unreadable::Absent)
                        && error.status() != Some(StatusCode::BAD_REQUEST) =>
                {
                    self.are_gone(&asked).await?;
                }
                Err(error) => return Err(self.error(error)),
            }
        }
    }

    async fn remarks(&self) -> Result<Read, SourceError> {
        let said = std::mem::take(&mut *self.said.lock().unwrap_or_else(PoisonError::into_inner));
        if said.untimed() > 0 {
            tracing::warn!(
                stream = self.request.stream.name,
                versions = said.untimed(),
                "`timestamp` is no time: left out"
            );
        }
        let cut = read::gone(&self.hubspot, &self.type_id, self.decoder.named_by_some(&said)).await?;
        Ok(Read { cut, unnamed: self.decoder.never_named(&said), ..Read::default() })
    }
}
