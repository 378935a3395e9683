//! What a run of a plan will cost, before anything is read: requests, minutes at the account's limit, a share of its day.
//!
//! The source says what each stream costs and what may be asked of it; this joins both. What is counted is what brings rows
//! ([`Price::requests`]); what a run asks besides, to find out what there is, is not.

use std::fmt;

use sluice_hubspot::source::{Day, Price, Quota, Source};
use sluice_model::{printable::some, problem::Problem};
use sluice_plan::{Plan, StreamPlan};

use super::{Error, Pipeline, at_once::concurrently, trial::a_look};

/// Streams that are priced at once.
const AT_ONCE: usize = 8;

const SECONDS_OF_A_MINUTE: f64 = 60.0;

/// What a run costs.
#[derive(Debug, Clone)]
pub struct Prices {
    /// What each stream costs, in the order of the plan.
    pub streams: Vec<Priced>,
    /// What may be asked of the source.
    pub quota: Quota,
    /// The most that streams which are asked for record by record may take of a day, as a share.
    pub at_most: f64,
}

/// What a stream costs.
#[derive(Debug, Clone)]
pub struct Priced {
    /// The stream.
    pub stream: String,
    /// What it costs; `None` where that is not known.
    pub price: Option<Price>,
    /// Whether it is asked for record by record.
    pub by_record: bool,
}

/// A number of requests, and what it means to an account.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Requests.
    pub requests: u64,
    /// Minutes in which the account allows so many, after the reserve.
    pub minutes: f64,
    /// The share (1 is all) of what the account allows in a day; `None` where that is not told.
    pub share_of_day: Option<f64>,
}

impl Prices {
    /// What the streams cost together, as far as it is known.
    pub fn total(&self) -> Cost {
        self.cost(self.requests(|_| true))
    }

    /// What so many requests mean.
    pub fn cost(&self, requests: u64) -> Cost {
        let Quota { rate, day } = self.quota;
        let intervals = requests as f64 / f64::from(rate.requests.get());
        Cost {
            requests,
            minutes: intervals * rate.interval.as_secs_f64() / SECONDS_OF_A_MINUTE,
            share_of_day: day.map(|day| requests as f64 / day.limit as f64),
        }
    }

    fn requests(&self, which: impl Fn(&Priced) -> bool) -> u64 {
        self.streams.iter().filter(|it| which(it)).filter_map(|it| it.price).map(|price| price.requests).sum()
    }

    /// The streams whose price is not known.
    pub fn unknown(&self) -> impl Iterator<Item = &str> {
        self.streams.iter().filter(|it| it.price.is_none()).map(|it| it.stream.as_str())
    }

    /// Refuses what takes more of a day than the file lets streams that are asked for record by record. `file`: its name.
    pub fn judge(&self, file: &str) -> Result<(), Error> {
        self.refusal().map_or(Ok(()), |problem| Err(Error::refused(file, vec![problem])))
    }

    fn refusal(&self) -> Option<Problem> {
        let cost = self.cost(self.requests(|it| it.by_record));
        let share = cost.share_of_day.filter(|share| *share > self.at_most)?;
        // Rounded up, so that the line which is shown would do.
        let allowed = (share * 100.0).ceil() / 100.0;
        let streams: Vec<String> = self.streams.iter().filter(|it| it.by_record).map(|it| it.stream.clone()).collect();
        Some(
            Problem::new(format!(
                "{} would take {} requests, {:.0} % of what the account allows in a day, and {} % is the most that they may",
                some(&streams),
                cost.requests,
                (share * 100.0).ceil(),
                // Two digits behind the point at most.
                (self.at_most * 10_000.0).round() / 100.0
            ))
            .hint(format!("read less of them, or allow it under [source]: at_most = {allowed}")),
        )
    }

    /// The day, if it has less left than the run takes.
    pub fn too_much_for(&self) -> Option<Day> {
        self.quota.day.filter(|day| self.total().requests > day.left())
    }
}

/// What a run of these streams costs; `None` where nobody may be asked.
pub async fn price(pipeline: &Pipeline, source: &dyn Source, plan: &Plan) -> Option<Prices> {
    let one = async |(index, stream): (usize, &StreamPlan)| {
        let is_read =
            |type_id: &String| plan.streams.iter().any(|it| it.stream.kind.type_id() == Some(type_id.as_str()));
        // Ids that nobody reads are listed once, for whoever needs them first.
        let are_listed =
            |type_id: &String| plan.streams.iter().take(index).any(|it| source.needs(&it.stream).contains(type_id));
        let ids_are_kept = source.needs(&stream.stream).iter().all(|type_id| is_read(type_id) || are_listed(type_id));
        let price = source.price(&a_look(stream), ids_are_kept).await;
        Priced { stream: stream.stream.name.clone(), price, by_record: stream.stream.kind.is_by_record() }
    };
    let (quota, streams) = (source.quota().await?, concurrently(plan.streams.iter().enumerate(), AT_ONCE, one).await);
    Some(Prices { streams, quota, at_most: pipeline.at_most() })
}

impl fmt::Display for Cost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let requests = if self.requests == 1 { "request" } else { "requests" };
        write!(formatter, "{} {requests}, {:.1} min", self.requests, self.minutes)?;
        match self.share_of_day {
            Some(share) => write!(formatter, ", {:.2} % of the day", share * 100.0),
            None => Ok(()),
        }
    }
}

impl Prices {
    /// What is said where there is no price.
    pub const UNKNOWN: &str = "not known, since nobody is asked";

    /// For people: a line for each stream, then the whole.
    pub fn lines(&self) -> Vec<String> {
        let priced = self.streams.iter().filter_map(|it| Some((&it.stream, it.price?)));
        let mut lines: Vec<String> = priced
            .map(|(stream, Price { requests, rows })| {
                let rows = rows.map_or_else(String::new, |rows| format!("{rows} rows, "));
                format!("{stream}: {rows}{}", self.cost(requests))
            })
            .collect();
        let unknown: Vec<&str> = self.unknown().collect();
        if !unknown.is_empty() {
            lines.push(format!("not known, since HubSpot does not count them: {}", unknown.join(", ")));
        }
        let rate = self.quota.rate;
        let limit = format!("{} requests in {} s, after the reserve", rate.requests, rate.interval.as_secs());
        lines.push(format!("together: {}; the limit is {limit}", self.total()));
        match self.quota.day {
            None => lines.push("how much of the day that is, HubSpot does not tell this token".to_owned()),
            Some(day) => lines.extend(self.too_much_for().map(|_| {
                let until = day.resets.map_or_else(String::new, |resets| format!(", until {resets:.0}"));
                format!("a run needs more than is left today: {} of {} requests{until}", day.left(), day.limit)
            })),
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sluice_hubspot::http::Rate;

    use super::*;

    fn prices(day: Option<Day>) -> Prices {
        let rate = Rate { requests: 171.try_into().unwrap(), interval: Duration::from_secs(10) };
        let price = |requests| Some(Price { requests, rows: None });
        let streams = [("contacts", price(1_000)), ("carts", None), ("deals", price(26))];
        let priced =
            |(stream, price): (&str, _)| Priced { stream: stream.to_owned(), price, by_record: stream == "deals" };
        Prices { streams: streams.map(priced).to_vec(), quota: Quota { rate, day }, at_most: 0.5 }
    }

    #[test]
    fn requests_are_minutes_and_a_share_of_the_day() {
        let prices = prices(Some(Day { limit: 10_260, used: 9_000, resets: None }));
        let total = prices.total();
        assert_eq!((total.requests, total.share_of_day), (1_026, Some(0.1)));
        assert!((total.minutes - 1.0).abs() < 1e-9, "{total:?}");
        assert_eq!(prices.unknown().collect::<Vec<_>>(), ["carts"]);
        assert_eq!(prices.too_much_for(), None);
    }

    #[test]
    fn what_is_asked_record_by_record_may_take_a_share_of_the_day_and_no_more() {
        let day = |limit| prices(Some(Day { limit, used: 0, resets: None }));
        assert!(day(52).refusal().is_none(), "26 of 52 are a half");
        assert!(prices(None).refusal().is_none(), "nobody knows");
        let refused = day(51).refusal().unwrap();
        assert_eq!(
            refused.message,
            "`deals` would take 26 requests, 51 % of what the account allows in a day, and 50 % is the most that they may"
        );
        assert!(refused.hint.as_ref().unwrap().ends_with("at_most = 0.51"), "{refused:?}");
        assert!(Prices { at_most: 0.51, ..day(51) }.refusal().is_none(), "the line that is shown allows it");
    }

    #[test]
    fn more_than_the_day_has_left_is_told() {
        let day = Day { limit: 10_260, used: 9_235, resets: None };
        let told = prices(Some(day)).lines();
        assert_eq!(prices(Some(day)).too_much_for(), Some(day));
        assert!(told.contains(&"a run needs more than is left today: 1025 of 10260 requests".to_owned()), "{told:?}");
        let told = prices(None).lines();
        assert!(told.last().unwrap().contains("does not tell this token"), "{told:?}");
    }
}
