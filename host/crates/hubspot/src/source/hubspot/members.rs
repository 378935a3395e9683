//! Members of lists: which records of one type are in which lists.
//!
//! HubSpot tells the members of a list, and the lists of a hundred records. Where lists are many and large the second takes
//! fewer requests, so which way is gone is decided by what each would cost, from the sizes of the lists and the number of
//! records. Both give the same rows.
//!
//! A list that is deleted while its members are read has none any more: it is named, and what has come of it stays.

mod answer;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use arrow_array::RecordBatch;
use async_trait::async_trait;
use serde_json::json;
use sluice_model::delivery::Delivery;

use self::answer::{Decoder, Members, OfRecords};
use super::{
    HubSpot, Refused, api,
    ids::Ids,
    not_readable,
    paging::Course,
    ranged::{Counted, Take, Units},
    unread,
};
use crate::{
    http::{HttpError, Request},
    source::{Beyond, DeliverySender, Lacking, Read, ReadRequest, SourceError, Unreadable},
};

/// Members a page: the most that the API allows.
pub(super) const MOST_MEMBERS: usize = 250;

/// Records that are asked for their lists at once. HubSpot says no number for this batch; most of its others take a hundred.
const MOST_RECORDS: u64 = 100;

/// The type that there is always a stream of, so that the table has columns where the account has no list, and something says
/// what there is to say of all.
pub(super) const ALWAYS: &str = "0-1";

/// The memberships of one type's records, while they are read.
pub(super) struct Memberships {
    hubspot: HubSpot,
    request: ReadRequest,
    type_id: String,
    decoder: Decoder,
    way: OnceLock<Way>,
    /// What there is to say of it all: lists that were deleted while they were read, and types whose lists nobody reads.
    remarks: Mutex<Read>,
}

/// How the members are asked for.
enum Way {
    /// Those of each of these lists.
    ByList(Vec<String>),
    /// The lists of each of these records.
    ByRecord(Arc<Ids>),
}

/// Members of a list. HubSpot does not say the size of an empty one.
pub(super) fn size(list: &api::List) -> u64 {
    list.additional_properties.size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0)
}

/// Requests that the members of these lists take, list by list.
pub(super) fn requests_by_list<'l>(lists: impl Iterator<Item = &'l api::List>) -> u64 {
    lists.map(|list| size(list).div_ceil(MOST_MEMBERS as u64).max(1)).sum()
}

/// Requests that the lists of so many records take.
pub(super) fn requests_by_record(records: u64) -> u64 {
    records.div_ceil(MOST_RECORDS)
}

impl Memberships {
    pub(super) fn new(hubspot: &HubSpot, request: ReadRequest, type_id: &str) -> Self {
        Self {
            hubspot: hubspot.clone(),
            type_id: type_id.to_owned(),
            decoder: Decoder::new(&request, type_id),
            request,
            way: OnceLock::new(),
            remarks: Mutex::default(),
        }
    }

    fn what(&self) -> String {
        format!("members of lists of stream `{}`", self.request.stream.name)
    }

    /// The way that takes fewer requests. Ids that nobody has listed would have to be, a hundred a request.
    async fn choose_way(&self) -> Result<Way, SourceError> {
        let lists = self.hubspot.lists().await?;
        let lists = match lists.as_ref() {
            Ok(all) => {
                self.note_types(all).await?;
                all.iter().filter(|list| list.object_type_id == self.type_id)
            }
            Err(Refused { why, cause }) => return Err(not_readable(&self.request.stream, *why, cause)),
        };
        let by_list = requests_by_list(lists.clone());
        if let Some(ids) = self.hubspot.known_ids(&self.type_id)
            && requests_by_record(ids.len()) < by_list
        {
            return Ok(Way::ByRecord(ids));
        }
        let mut lists: Vec<String> = lists.map(|list| list.id.clone()).collect();
        lists.sort_unstable();
        Ok(Way::ByList(lists))
    }

    /// Notes of which types there are lists, and which of them this token may not see, so that no stream is of them: once for
    /// all streams, with the type that there is always a stream of.
    async fn note_types(&self, lists: &[api::List]) -> Result<(), SourceError> {
        if self.type_id != ALWAYS {
            return Ok(());
        }
        let types = self.hubspot.object_types().await?;
        let is_seen = |id: &str| types.iter().any(|stream| stream.kind.type_id() == Some(id));
        let of_types: BTreeSet<&str> = lists.iter().map(|list| list.object_type_id.as_str()).collect();
        let (seen, hidden): (Vec<&str>, Vec<&str>) = of_types.into_iter().partition(|id| is_seen(id));
        let lacking = |id: &str| Lacking { part: Some(id.to_owned()), name: id.to_owned(), why: Unreadable::Forbidden };
        let mut remarks = self.remarks.lock().unwrap_or_else(PoisonError::into_inner);
        remarks.present = seen.into_iter().map(str::to_owned).collect();
        remarks.lacking = hidden.into_iter().map(lacking).collect();
        Ok(())
    }

    /// Reads the members of a list, page after page. `false`: nobody wants them.
    async fn read_list(&self, list: &str, deliveries: &DeliverySender) -> Result<bool, SourceError> {
        let first = self.hubspot.get(self.hubspot.paths.members(list)).parameter("limit", MOST_MEMBERS.to_string());
        let (mut request, mut seen, mut course) = (first.clone(), Ids::default(), Course::default());
        loop {
            let page = self.hubspot.client.decoded(&request, |body| self.decoder.members(body, list, &seen)).await;
            let Members { batches, rows, first_new, new, after } = match page {
                Ok(page) => page,
                Err(error) if Refused::why(&error) == Some(Unreadable::Absent) => {
                    tracing::warn!(list, "a list was deleted while its members were read");
                    self.remarks.lock().unwrap_or_else(PoisonError::into_inner).deleted.push(list.to_owned());
                    return Ok(true);
                }
                Err(error) => return Err(self.error(error)),
            };
            course
                .page(first_new.as_deref(), after.as_deref())
                .map_err(|why| SourceError::Endless { what: self.what(), why })?;
            seen.add(new);
            if !self.deliver(batches, rows, deliveries).await {
                return Ok(false);
            }
            match after {
                Some(after) => request = first.clone().parameter("after", after),
                None => return Ok(true),
            }
        }
    }

    /// Reads the lists of some records. `false`: nobody wants them.
    async fn read_records(&self, ids: Vec<String>, deliveries: &DeliverySender) -> Result<bool, SourceError> {
        let inputs: Vec<_> = ids.iter().map(|id| json!({ "objectTypeId": self.type_id, "recordId": id })).collect();
        let request =
            Request::post(&self.hubspot.general, self.hubspot.paths.memberships(), &json!({ "inputs": inputs }));
        let asked = self.hubspot.client.decoded(&request, |body| self.decoder.of_records(body, &ids)).await;
        let OfRecords { batches, rows } = asked.map_err(|error| self.error(error))?;
        Ok(self.deliver(batches, rows, deliveries).await)
    }

    async fn deliver(&self, batches: Vec<RecordBatch>, rows: usize, deliveries: &DeliverySender) -> bool {
        self.request.seen.add(rows);
        for batch in batches {
            if deliveries.send(Delivery::of_whole(batch)).await.is_err() {
                return false;
            }
        }
        true
    }

    fn error(&self, error: HttpError) -> SourceError {
        unread(&self.request.stream, &self.what(), error)
    }
}

#[async_trait]
impl Units for Memberships {
    async fn count(&self) -> Result<Counted, SourceError> {
        let way = self.choose_way().await?;
        Ok(match self.way.get_or_init(|| way) {
            Way::ByList(lists) => Counted { units: lists.len() as u64, a_request: 1 },
            Way::ByRecord(ids) => Counted { units: ids.len(), a_request: MOST_RECORDS },
        })
    }

    async fn read(&self, take: &Take, deliveries: &DeliverySender) -> Result<Beyond, SourceError> {
        match self.way.get() {
            Some(Way::ByList(lists)) => {
                while let Some(list) = take.some(1).next() {
                    let list = lists.get(usize::try_from(list).unwrap_or(usize::MAX));
                    let Some(list) = list else { return Ok(Beyond::default()) };
                    if !self.read_list(list, deliveries).await? {
                        return Ok(Beyond::default());
                    }
                }
            }
            Some(Way::ByRecord(ids)) => loop {
                let some: Vec<String> = ids.range(take.some(MOST_RECORDS)).map(std::borrow::Cow::into_owned).collect();
                if some.is_empty() || !self.read_records(some, deliveries).await? {
                    return Ok(Beyond::default());
                }
            },
            None => {}
        }
        Ok(Beyond::default())
    }

    async fn remarks(&self) -> Result<Read, SourceError> {
        let mut remarks = std::mem::take(&mut *self.remarks.lock().unwrap_or_else(PoisonError::into_inner));
        remarks.deleted.sort_unstable();
        Ok(remarks)
    }
}
