//! The lists of the account, asked for once a run: their definitions make a table, and say whose members there are.
//!
//! They come by an offset, so one that is deleted while they are read moves the others to where nobody looks any more. HubSpot
//! says with each page how many there are: where that has changed, or fewer have come, they are all read again.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::json;

use super::{
    HubSpot, Refused, api,
    list::{self, ListError, Listing},
};
use crate::{http::Request, source::SourceError};

/// Lists a page: the most that the API allows.
const MOST_LISTS: usize = 500;

/// How often all lists are read, until as many have come as there are.
const READINGS: u32 = 4;

/// Pages of lists, at most. Accounts have thousands of lists at the most.
const MOST_PAGES: usize = 400;

/// What messages call them.
const WHAT: &str = "lists";

impl HubSpot {
    /// All lists, of whichever type; or HubSpot's word that this token may not see them.
    pub(super) async fn lists(&self) -> Result<Arc<Result<Vec<api::List>, Refused>>, SourceError> {
        let read = async { self.all_lists().await.or_refused(WHAT) };
        self.lists.get(WHAT, read).await
    }

    /// Whether they have been asked for.
    pub(super) fn knows_lists(&self) -> bool {
        self.lists.knows(WHAT)
    }

    async fn all_lists(&self) -> Result<Vec<api::List>, ListError> {
        let (mut came, mut total) = (0, 0);
        for _ in 0..READINGS {
            let (lists, totals) = self.lists_once().await?;
            let lists = list::distinct(lists);
            let (least, most) = (totals.first().copied().unwrap_or(0), totals.last().copied().unwrap_or(0));
            if least == most && lists.len() >= most {
                return Ok(lists);
            }
            (came, total) = (lists.len().min(most), most);
            tracing::warn!(
                came,
                total,
                "lists have changed while they were read, or not all were given: they are read once more"
            );
        }
        Err(ListError::Incomplete { listed: total, missing: total - came })
    }

    /// Reads all pages; the lists, and how many there are by each page.
    async fn lists_once(&self) -> Result<(Vec<api::List>, BTreeSet<usize>), ListError> {
        let mut lists: Vec<api::List> = Vec::new();
        let mut totals = BTreeSet::new();
        let mut offset = 0;
        for _ in 0..MOST_PAGES {
            let body = json!({
                "count": MOST_LISTS, "offset": offset, "processingTypes": [], "listIds": [], "additionalProperties": [],
            });
            let request = Request::post(&self.general, self.paths.lists(), &body);
            let size = |body: &bytes::Bytes, page: &api::ListsPage| body.len() + size_of_val(&*page.lists);
            let page = self.definitions(&request, MOST_LISTS, size).await.map_err(ListError::Http)?;
            let came = page.lists.len();
            lists.extend(page.lists);
            totals.extend(page.total.and_then(|total| usize::try_from(total).ok()));
            if came == 0 || page.has_more != Some(true) {
                return Ok((lists, totals));
            }
            // Where the next page begins HubSpot says itself; it must be further on.
            let next = page.offset.and_then(|offset| usize::try_from(offset).ok()).unwrap_or(offset + came);
            offset = next.max(offset + 1);
        }
        Err(ListError::Endless("there are more than any account has"))
    }
}
