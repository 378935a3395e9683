//! How many records a type has, as HubSpot's search counts them.
//!
//! Records are never read by search: its index is some seconds late. It is the only one that counts, though, so its word is
//! taken for a word on numbers, and nothing hangs on an answer: a type that cannot be searched, and an answer that does not
//! come in time, are no number and no error.
//! Searches have a limit of their own, which all apps of the account share. So a turn may take a while to come.

use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use tokio::time::timeout;

use super::{HubSpot, api, record, types::CONTACTS};
use crate::http::{HttpError, Request};

/// How long a count may take, its wait for the limit of searches included: all types of an account that has two hundred are
/// counted in that time, four a second.
const LONGEST_COUNT: Duration = Duration::from_mins(1);

/// How long the answer may take, once the question is sent. Searches are answered in less than a second.
const LONGEST_ANSWER: Duration = Duration::from_secs(10);

impl HubSpot {
    /// How many records a type has, asked for once, whoever wants to know: for what a plan says, and not for a ledger, which
    /// is about this moment.
    pub async fn count_of(&self, type_id: &str) -> Option<u64> {
        let counted = self.counts.get(type_id, async { Ok(self.count_now(type_id).await) }).await;
        counted.ok().and_then(|count| *count)
    }

    /// How many records a type has now.
    pub(super) async fn count_now(&self, type_id: &str) -> Option<u64> {
        self.count_where(type_id, &serde_json::json!([])).await
    }

    /// How many records of a type were changed then or later, asked for once.
    pub(super) async fn count_changed(&self, type_id: &str, since: Timestamp) -> Option<u64> {
        let [of_contacts, of_others] = record::LAST_MODIFIED;
        let property = if type_id == CONTACTS { of_contacts } else { of_others };
        let since = since.as_millisecond().to_string();
        let filter = serde_json::json!({ "propertyName": property, "operator": "GTE", "value": since });
        let groups = serde_json::json!([{ "filters": [filter] }]);
        let count = async { Ok(self.count_where(type_id, &groups).await) };
        self.counts.get(&format!("{type_id} since {since}"), count).await.ok().and_then(|count| *count)
    }

    async fn count_where(&self, type_id: &str, filter_groups: &serde_json::Value) -> Option<u64> {
        let body = serde_json::json!({ "limit": 1, "properties": [], "filterGroups": filter_groups });
        let path = self.paths.search(type_id);
        let request = Request::post(&self.search, path, &body).expendable().answer_within(LONGEST_ANSWER);
        let why = match timeout(LONGEST_COUNT, self.total(&request)).await {
            Ok(Ok(Some(total))) => return Some(total),
            Ok(Ok(None)) => "the answer holds no number".to_owned(),
            // Not every type can be searched.
            Ok(Err(error)) => sluice_model::error_chain(&error),
            Err(_) => "its turn did not come in time".to_owned(),
        };
        tracing::info!(object_type = type_id, why, "records not counted");
        None
    }

    /// Asks for the total of a search until it is not one too many: others search the account, too.
    async fn total(&self, request: &Request) -> Result<Option<u64>, HttpError> {
        loop {
            match self.json::<api::Total>(request, 1).await {
                Ok(answer) => return Ok(answer.total.and_then(|total| total.try_into().ok())),
                // The budget knows, and waits before the next.
                Err(error) if error.status() == Some(StatusCode::TOO_MANY_REQUESTS) => {}
                Err(error) => return Err(error),
            }
        }
    }
}
