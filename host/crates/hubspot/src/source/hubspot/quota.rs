//! Which account it is, and what it may still ask today, as HubSpot tells private apps. Other tokens may not ask for the second,
//! and nothing hangs on it.

use std::time::Duration;

use super::{HubSpot, api, json};
use crate::source::{Day, Quota};

/// How long the answer may take, once the question is sent.
const LONGEST_ANSWER: Duration = Duration::from_secs(10);

impl HubSpot {
    pub(super) async fn quota_now(&self) -> Quota {
        let request = self.get(self.paths.daily_usage()).expendable().answer_within(LONGEST_ANSWER);
        let day = match self.json::<api::ListPage<api::DailyUsage>>(&request, json::LONGEST_LIST).await {
            Ok(page) => page.results.into_iter().find_map(day),
            Err(error) => {
                tracing::debug!(error = sluice_model::error_chain(&error), "the day's requests are not told");
                None
            }
        };
        // The answer has told the rate, too.
        Quota { rate: self.general.usage().rate, day }
    }

    /// The id of the account, where HubSpot says it.
    pub(super) async fn account_id(&self) -> Option<String> {
        let request = self.get(self.paths.account()).expendable().answer_within(LONGEST_ANSWER);
        match self.json::<api::Account>(&request, json::LONGEST_LIST).await {
            Ok(account) => Some(account.portal_id),
            Err(error) => {
                tracing::debug!(error = sluice_model::error_chain(&error), "which account it is is not told");
                None
            }
        }
    }
}

fn day(usage: api::DailyUsage) -> Option<Day> {
    let limit = u64::try_from(usage.usage_limit?).ok().filter(|limit| *limit > 0)?;
    let used = u64::try_from(usage.current_usage?).ok()?;
    Some(Day { limit, used, resets: usage.resets_at.and_then(|time| time.parse().ok()) })
}
