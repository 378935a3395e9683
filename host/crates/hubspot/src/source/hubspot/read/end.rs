//! Where a list ends, about: to know where its middle is.
//!
//! One search tells, for the record of the highest id; where there is none to be had (not every type can be searched, and
//! the index forgets), pages of one record are asked for at growing distance, until one is empty. Nothing is read by it:
//! what is wrong or late in it costs a request or two, since the list's last slice ends where the list does.

use std::time::Duration;

use tokio::{sync::oneshot, time::timeout};

use super::Records;
use crate::{
    http::Request,
    source::hubspot::{api, ids::number, paging::Paging, record::ID_PROPERTY},
};

/// How long the search may take, its wait for the limit of searches included.
const LONGEST_SEARCH: Duration = Duration::from_secs(10);

/// How far beyond the last id that is known the first page is asked for: what accounts of some age have between two
/// records is a small part of it.
const FIRST_DISTANCE: u64 = 1 << 16;

impl Records {
    /// Finds out where the list ends, once its reader has told the last id that it knows, and then does nothing more.
    pub(super) async fn find_end(&self, known: oneshot::Receiver<u64>) {
        if let Ok(known) = known.await {
            match timeout(LONGEST_SEARCH, self.last_by_search(known)).await {
                Ok(Some((last, total))) => self.slices.with(|slices| slices.reaches_to(last, Some(total))),
                Ok(None) | Err(_) => self.last_by_doubling(known).await,
            }
        }
        std::future::pending::<()>().await;
    }

    /// The highest id, and how many records there are.
    async fn last_by_search(&self, known: u64) -> Option<(u64, u64)> {
        let body = serde_json::json!({
            "limit": 1,
            "properties": [],
            "filterGroups": [],
            "sorts": [{ "propertyName": ID_PROPERTY, "direction": "DESCENDING" }],
        });
        let request = Request::post(&self.hubspot.search, self.hubspot.paths.search(&self.type_id), &body).expendable();
        let found: api::Found = self.hubspot.json(&request, 1).await.inspect_err(|error| self.note(error)).ok()?;
        let last = number(&found.results.first()?.id)?;
        // There is a next page: an index that knows of no more is not up to date.
        (last > known).then_some((last, found.total as u64))
    }

    /// Asks further and further out, until there is nothing.
    async fn last_by_doubling(&self, known: u64) {
        let mut distance = FIRST_DISTANCE;
        while let Some(from) = known.checked_add(distance) {
            let request = self.list(&[ID_PROPERTY.to_owned()], Some(&from.to_string()), 1).expendable();
            let answer = self.hubspot.json::<api::ListPage<api::RecordId>>(&request, 1).await;
            let Ok(page) = answer.inspect_err(|error| self.note(error)) else { return };
            let is_end = Paging::after(page.paging).is_none();
            match page.results.first().map(|record| number(&record.id)) {
                Some(Some(id)) if id >= from => {
                    self.slices.with(|slices| slices.reaches_to(id, None));
                    distance = (id - known).saturating_mul(2);
                }
                None if is_end => return self.slices.with(|slices| slices.reaches_to(from, None)),
                // Numbers are not understood here.
                _ => return,
            }
        }
    }

    fn note(&self, error: &crate::http::HttpError) {
        let error = sluice_model::error_chain(error);
        tracing::debug!(stream = self.request.stream.name, error, "where the list ends was not told");
    }
}
