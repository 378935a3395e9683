//! One reader's pages: asked for, judged, and decoded.
//!
//! Where the values come with the list, a page is decoded first and cut to what is the reader's; where they are fetched by
//! batch read, the ids are cut, and nothing else is fetched. A page that turns out to be incomplete is listed anew, and
//! claimed anew.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use sluice_model::delivery::Delivery;

use super::{Records, halvable, what};
use crate::{
    http::{HttpError, Request, Undecodable},
    source::{
        DeliverySender, ReadRequest, SourceError, Unreadable,
        hubspot::{
            Refused, api,
            decode::{Page, RecordDecoder, Remarks, Wanted, WantedIds},
            ids::{Ids, number},
            paging::Paging,
            record::ID_PROPERTY,
            slices::{Claim, Lane, Listed, Next, OutOfOrder, Slices},
            unread,
        },
    },
};

/// How often a page is listed anew when values are not given for all its records: one may have been archived in between,
/// and is not listed any more.
const LISTINGS_OF_A_PAGE: u32 = 4;

/// One reader, and what it has decoded.
pub(super) struct Reader<'r> {
    records: &'r Records,
    /// Locked for the time it takes to decode a page or finish a batch; never contended.
    decoder: Mutex<RecordDecoder>,
    lane: Lane,
}

/// A page that has come.
pub(super) struct Taken {
    /// The id of the first record that it lists.
    pub(super) first: Option<String>,
    /// Where the next page begins; absent if the slice is over.
    pub(super) after: Option<String>,
    /// Records that have come and are the reader's.
    pub(super) records: usize,
}

/// Why there is no page.
pub(super) enum PageError {
    Http(HttpError),
    /// Values were not given for all records that are listed.
    Incomplete {
        listed: usize,
        missing: usize,
    },
    OutOfOrder(OutOfOrder),
}

impl PageError {
    /// The error that ends the reading.
    pub(super) fn of(self, request: &ReadRequest) -> SourceError {
        match self {
            Self::Http(error) => unread(&request.stream, &what(request), error),
            Self::Incomplete { listed, missing } => SourceError::Incomplete { what: what(request), listed, missing },
            Self::OutOfOrder(why) => out_of_order(request, why),
        }
    }
}

/// The error of a stream that cannot be divided after all.
pub(super) fn out_of_order(request: &ReadRequest, OutOfOrder(why): OutOfOrder) -> SourceError {
    SourceError::OutOfOrder { stream: request.stream.name.clone(), why }
}

impl From<HttpError> for PageError {
    fn from(error: HttpError) -> Self {
        Self::Http(error)
    }
}

impl From<OutOfOrder> for PageError {
    fn from(out_of_order: OutOfOrder) -> Self {
        Self::OutOfOrder(out_of_order)
    }
}

impl<'r> Reader<'r> {
    /// A reader that begins there.
    pub(super) fn new(records: &'r Records, begins: u64) -> Self {
        let request = &records.request;
        let decoder = RecordDecoder::new(&records.type_id, &request.columns, request.ingested_at);
        let decoder = if request.keeps_ids { decoder.keeping_ids() } else { decoder };
        let decoder = match records.changed_since() {
            Some(since) => decoder.keeping_changed(since),
            None => decoder,
        };
        Self { records, decoder: Mutex::new(decoder), lane: Slices::lane(begins) }
    }

    /// Where it is.
    pub(super) fn lane(&self) -> &Lane {
        &self.lane
    }

    /// Asks for a page, and decodes what is this reader's of it. `None` if there is nothing left for it here.
    pub(super) async fn page(&mut self, after: Option<&str>, records: u32) -> Result<Option<Taken>, PageError> {
        let mut incomplete = PageError::Incomplete { listed: 0, missing: 0 };
        for listing in 1..=LISTINGS_OF_A_PAGE {
            let last = listing == LISTINGS_OF_A_PAGE;
            let (page, claim) = if self.records.by_batch {
                let Some(claimed) = self.page_by_batch(after, records, last).await? else { return Ok(None) };
                claimed
            } else {
                let before = self.locked().rows();
                let request = self.records.list(&self.records.properties, after, records);
                let page = self
                    .records
                    .hubspot
                    .client
                    .decoded(&request, |body| self.decode(body, Wanted::Any(records as usize)))
                    .await?;
                let mut claim = Claim::default();
                if page.missing == 0 {
                    let Some(claimed) = self.claim(page.listed, page.ids.as_deref(), page.after.as_deref())? else {
                        return Ok(None);
                    };
                    claim = claimed;
                    self.locked().truncate(before + claim.kept.end);
                }
                (page, claim)
            };
            if page.missing == 0 && (page.gone == 0 || last) {
                if page.gone > 0 {
                    tracing::warn!(
                        stream = self.records.request.stream.name,
                        records = page.gone,
                        "records are listed of which HubSpot says, each time, that they are not there: left out"
                    );
                }
                self.records.slices.with(|slices| slices.came(&mut self.lane, &claim));
                let after = page.after.filter(|_| !claim.is_last);
                return Ok(Some(Taken { first: page.first, after, records: claim.kept.len() - page.gone }));
            }
            let missing = page.missing + page.gone;
            tracing::warn!(stream = self.records.request.stream.name, missing, "not all records of a page were given");
            incomplete = PageError::Incomplete { listed: page.listed, missing };
        }
        Err(incomplete)
    }

    /// Asks for the ids of a page, then for the values of those that are this reader's. `last`: a record that is said to be
    /// gone is believed to be.
    async fn page_by_batch(
        &mut self,
        after: Option<&str>,
        records: u32,
        last: bool,
    ) -> Result<Option<(Page, Claim)>, PageError> {
        let ids = self.records.list(&[ID_PROPERTY.to_owned()], after, records);
        let ids: api::ListPage<api::RecordId> = self.records.hubspot.json(&ids, records as usize).await?;
        let missing = ids.missing();
        let after = Paging::after(ids.paging);
        let ids: Vec<String> = ids.results.into_iter().map(|record| record.id).collect();
        let listed = ids.len() + missing;
        let listing = Page { first: ids.first().cloned(), after, listed, missing, ..Page::default() };
        if missing > 0 {
            return Ok(Some((listing, Claim::default())));
        }
        let numbers: Option<Vec<u64>> = ids.iter().map(|id| number(id)).collect();
        let Some(claim) = self.claim(listed, numbers.as_deref(), listing.after.as_deref())? else { return Ok(None) };
        let ids = ids.get(claim.kept.clone()).unwrap_or_default();
        if ids.is_empty() {
            return Ok(Some((listing, claim)));
        }
        match self.values(WantedIds { ids, may_be_gone: last }).await {
            Ok(Page { missing, gone, .. }) => Ok(Some((Page { missing, gone, ..listing }, claim))),
            // None of them is there any more, says HubSpot; the list will say the same, if it is true.
            Err(error) => match Refused::of(error) {
                Ok(Refused { why: Unreadable::Absent, .. }) => {
                    Ok(Some((Page { missing: ids.len(), ..listing }, claim)))
                }
                Ok(Refused { cause, .. }) | Err(cause) => Err(cause.into()),
            },
        }
    }

    /// What of a page is this reader's.
    fn claim(&mut self, records: usize, ids: Option<&[u64]>, after: Option<&str>) -> Result<Option<Claim>, OutOfOrder> {
        let next = match after {
            None => Next::End,
            Some(after) => number(after).map_or(Next::Opaque, Next::Number),
        };
        let (claim, are_several) = self.records.slices.with(|slices| {
            let claim = slices.claim(&mut self.lane, Listed { records, ids, next });
            (claim, slices.are_several())
        });
        if are_several {
            self.locked().trust_order();
        }
        claim
    }

    /// Asks for the values of these records, and decodes them.
    async fn values(&self, asked: WantedIds<'_>) -> Result<Page, HttpError> {
        let Records { hubspot, type_id, properties, .. } = self.records;
        let inputs: Vec<_> = asked.ids.iter().map(|id| serde_json::json!({ "id": id })).collect();
        let body = serde_json::json!({ "inputs": inputs, "properties": properties });
        let request = Request::post(&hubspot.general, hubspot.paths.batch_read(type_id), &body);
        let request = halvable(request, u32::try_from(asked.ids.len()).unwrap_or(u32::MAX));
        hubspot.client.decoded(&request, |body| self.decode(body, Wanted::These(asked))).await
    }

    fn decode(&self, body: &Bytes, wanted: Wanted<'_>) -> Result<Page, Undecodable> {
        self.locked().page(body, wanted)
    }

    /// What was odd about its records.
    pub(super) fn remarks(&self) -> Remarks {
        self.locked().remarks()
    }

    /// The ids of its records, if they are kept.
    pub(super) fn take_ids(&self) -> Option<Ids> {
        self.locked().take_ids()
    }

    /// Those of them that were changed since, if they are kept.
    pub(super) fn take_changed(&self) -> Option<Ids> {
        self.locked().take_changed()
    }

    /// Whether there is enough for a batch.
    pub(super) fn is_full(&self) -> bool {
        self.locked().is_full()
    }

    /// Delivers what has been decoded; `false` if nobody wants it any more.
    pub(super) async fn deliver(&self, deliveries: &DeliverySender) -> Result<bool, SourceError> {
        let batches = self.locked().take();
        let stream = &self.records.request.stream.name;
        for batch in batches.map_err(|cause| SourceError::Batch { stream: stream.clone(), cause })? {
            if deliveries.send(Delivery::of_whole(batch)).await.is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn locked(&self) -> MutexGuard<'_, RecordDecoder> {
        // A poisoned lock means that decoding panicked; the panic has been reported, and this stream is over.
        self.decoder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
