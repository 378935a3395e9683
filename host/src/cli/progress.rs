//! What is told of a run while it goes on.
//!
//! A person at a terminal sees it move: a line for each stream that is being read, and one for the whole ([`Display`]).
//! Where nobody watches, in a container's log say, it is a line for the whole each half minute ([`Tell`]).

use std::{fmt, sync::Arc, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use serde_json::{Map, Value, json};
use sluice_hubspot::source::{Source, Usage};
use sluice_model::printable::printable;
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{self, Instant},
};

use super::{
    output::{Output, thousands},
    page::Page,
};
use crate::pipeline::{Progress, StreamProgress, StreamState};

/// How often the display is brought up to date: often enough to look alive, seldom enough to cost nothing.
const REFRESH: Duration = Duration::from_millis(200);

/// How a run is told of while it goes on.
pub(super) enum Tell {
    /// As a display that moves, for a person at a terminal.
    Moving,
    /// As a line each time this long has passed, in the form of the output.
    Lines(Duration, Output),
}

/// The display of a run.
pub(super) struct Display {
    all: MultiProgress,
    stop: oneshot::Sender<()>,
    drawing: JoinHandle<()>,
}

impl Display {
    /// Begins to show the progress of a run.
    pub(super) fn start(tell: Tell, progress: &Arc<Progress>, source: &Arc<dyn Source>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let all = MultiProgress::new();
        let (progress, source) = (Arc::clone(progress), Arc::clone(source));
        let drawing = match tell {
            Tell::Moving => tokio::spawn(draw(all.clone(), progress, source, stopped)),
            Tell::Lines(every, mut output) => tokio::spawn(async move {
                let say = move |so_far: &SoFar| {
                    output.say_event(&Page::of(so_far.to_string()), "progress", so_far.fields());
                };
                tokio::select! {
                    _ = stopped => {}
                    () = tell_each(every, &progress, source.as_ref(), say) => {}
                }
            }),
        };
        Self { all, stop, drawing }
    }

    /// Says something in a line that stays, above what moves.
    pub(super) fn interrupt(&self, say: impl FnOnce()) {
        self.all.suspend(say);
    }

    /// Clears the display.
    pub(super) async fn finish(self) {
        drop(self.stop);
        drop(self.drawing.await);
    }
}

async fn draw(
    all: MultiProgress,
    progress: Arc<Progress>,
    source: Arc<dyn Source>,
    mut stopped: oneshot::Receiver<()>,
) {
    let whole = all.add(ProgressBar::new_spinner().with_style(style("{spinner} {msg}")));
    let mut bars: Vec<Option<ProgressBar>> = Vec::new();
    let mut ticks = time::interval(REFRESH);
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            _ = ticks.tick() => {}
        }
        bars.resize(progress.streams().len(), None);
        for (stream, bar) in progress.streams().iter().zip(&mut bars) {
            match (stream.state(), bar.take()) {
                (StreamState::Reading, shown) => {
                    let shown = shown.unwrap_or_else(|| all.insert_before(&whole, bar_of(stream)));
                    if let (Some(total), None) = (stream.total(), shown.length()) {
                        // It has been counted since.
                        shown.set_length(total);
                        shown.set_style(style(COUNTED));
                    }
                    shown.set_position(stream.rows_in());
                    *bar = Some(shown);
                }
                (_, Some(shown)) => shown.finish_and_clear(),
                (_, None) => {}
            }
        }
        let usage = source.usage();
        let done = progress.streams().iter().filter(|stream| stream.state() == StreamState::Done).count();
        let rows: u64 = progress.streams().iter().map(|stream| stream.rows_out()).sum();
        whole.set_message(format!(
            "{done} of {} streams, {} rows written, {} requests, API budget {:.0} % used{}",
            bars.len(),
            thousands(rows),
            thousands(usage.requests),
            usage.budget_share * 100.0,
            trouble(&usage),
        ));
        whole.tick();
    }
    drop(all.clear());
}

/// The line of a stream whose records are counted.
const COUNTED: &str = "  {prefix} {bar:24} {human_pos:>10} of {human_len} rows  {rate:>14}";

/// The line of a stream of unknown length.
const UNCOUNTED: &str = "  {prefix} {human_pos:>10} rows  {rate:>14}";

fn bar_of(stream: &StreamProgress) -> ProgressBar {
    const NAME_WIDTH: usize = 28;
    let (bar, template) = match stream.total() {
        Some(total) => (ProgressBar::new(total), COUNTED),
        None => (ProgressBar::no_length(), UNCOUNTED),
    };
    bar.with_style(style(template)).with_prefix(format!("{:<NAME_WIDTH$}", printable(&stream.name, usize::MAX)))
}

fn style(template: &str) -> ProgressStyle {
    let rate =
        |state: &ProgressState, line: &mut dyn fmt::Write| line.write_str(&rate(state.per_sec())).unwrap_or_default();
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).with_key("rate", rate)
}

/// A rate, for people: whole rows, but for the slowest.
fn rate(rows_per_second: f64) -> String {
    if rows_per_second > 0.0 && rows_per_second < 10.0 {
        format!("{rows_per_second:.1} rows/s")
    } else {
        format!("{} rows/s", thousands(rows_per_second.round() as u64))
    }
}

/// Tells how far a run is, each time that `every` has passed, without an end.
async fn tell_each(every: Duration, progress: &Progress, source: &dyn Source, mut tell: impl FnMut(&SoFar)) {
    let began = Instant::now();
    let mut last = (began, 0);
    let mut ticks = time::interval_at(began + every, every);
    ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    loop {
        let now = ticks.tick().await.max(last.0);
        let so_far = SoFar::of(progress.streams(), source.usage(), now - began, now - last.0, last.1);
        last = (now, so_far.rows_read);
        tell(&so_far);
    }
}

/// How far a run is.
#[derive(Debug, PartialEq)]
struct SoFar {
    elapsed: Duration,
    /// Streams of the plan; none before there is one.
    streams: usize,
    done: usize,
    rows_read: u64,
    rows_written: u64,
    /// Rows read in a second, since this was last told.
    rate: f64,
    usage: Usage,
    /// How long it goes on at this rate. Known once every stream is either done or counted.
    left: Option<Duration>,
}

impl SoFar {
    /// What is so `elapsed` after the beginning and `since` after it was last told, of `rows_before` rows.
    fn of(streams: &[Arc<StreamProgress>], usage: Usage, elapsed: Duration, since: Duration, rows_before: u64) -> Self {
        let rows_read = streams.iter().map(|stream| stream.rows_in()).sum();
        // Fewer than before are those of a stream that is read once more.
        let rate = u64::saturating_sub(rows_read, rows_before) as f64 / since.as_secs_f64();
        let to_come: Option<u64> = streams.iter().map(|stream| to_come(stream)).sum();
        let left = to_come
            .filter(|_| rate > 0.0 && !streams.is_empty())
            .and_then(|rows| Duration::try_from_secs_f64(rows as f64 / rate).ok());
        Self {
            elapsed,
            streams: streams.len(),
            done: streams.iter().filter(|stream| stream.state() == StreamState::Done).count(),
            rows_read,
            rows_written: streams.iter().map(|stream| stream.rows_out()).sum(),
            rate,
            usage,
            left,
        }
    }

    /// For programs. What is not known is left out.
    fn fields(&self) -> Map<String, Value> {
        let fields = json!({
            "elapsed_seconds": self.elapsed.as_secs_f64(),
            "streams": self.streams,
            "streams_done": self.done,
            "rows_read": self.rows_read,
            "rows_written": self.rows_written,
            "rows_per_second": self.rate,
            "requests": self.usage.requests,
            "budget_share": self.usage.budget_share,
            "trouble_seconds": self.usage.trouble_seconds,
            "seconds_left": self.left.map(|left| left.as_secs_f64()),
        });
        let Value::Object(fields) = fields else { return Map::new() };
        fields.into_iter().filter(|(_, value)| !value.is_null()).collect()
    }
}

/// Records of a stream that are still to come, where that is known.
fn to_come(stream: &StreamProgress) -> Option<u64> {
    match stream.state() {
        StreamState::Done => Some(0),
        // More may come than were counted.
        StreamState::Waiting | StreamState::Reading => Some(stream.total()?.saturating_sub(stream.rows_in())),
    }
}

impl fmt::Display for SoFar {
    /// For people: one line.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ", span(self.elapsed))?;
        if self.streams == 0 {
            write!(formatter, "preparing, {} requests", thousands(self.usage.requests))?;
        } else {
            write!(
                formatter,
                "{} of {} streams, {} rows read, {}",
                self.done,
                self.streams,
                thousands(self.rows_read),
                rate(self.rate)
            )?;
        }
        write!(formatter, ", API budget {:.0} % used", self.usage.budget_share * 100.0)?;
        formatter.write_str(&trouble(&self.usage))?;
        match self.left {
            Some(left) => write!(formatter, ", about {} left", span(left)),
            None => Ok(()),
        }
    }
}

/// That the source does not answer, if it does not.
fn trouble(usage: &Usage) -> String {
    usage.trouble_seconds.map_or_else(String::new, |seconds| {
        format!(
            ", waiting for HubSpot, which has not answered as it should for {}",
            span(Duration::from_secs_f64(seconds))
        )
    })
}

/// A span of time, for people: `45 s`, `12 min 30 s`, `3 h 5 min`.
fn span(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use sluice_hubspot::source::recorded::RecordedSource;

    use super::*;

    const HALF_A_MINUTE: Duration = Duration::from_secs(30);

    /// What is told of a run of `story`, which ends by itself.
    async fn told(progress: &Progress, story: impl Future<Output = ()>) -> Vec<String> {
        let source = RecordedSource::of(Vec::new());
        let mut told = Vec::new();
        tokio::select! {
            biased;
            () = tell_each(HALF_A_MINUTE, progress, &source, |so_far| told.push(so_far.to_string())) => {}
            () = story => {}
        }
        told
    }

    async fn seconds(seconds: u64) {
        time::sleep(Duration::from_secs(seconds)).await;
    }

    /// Reads this many rows a second, evenly.
    async fn read(stream: &StreamProgress, rows: usize, length: u64) {
        for _ in 0..length {
            seconds(1).await;
            stream.seen().add(rows);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_each_half_minute_with_rows_rate_budget_and_what_is_left_once_that_is_known() {
        let progress = Progress::default();
        let story = async {
            seconds(31).await;
            progress.begin(["owners", "contacts", "deals"].map(str::to_owned).into_iter());
            let [owners, contacts, deals] = progress.streams() else { unreachable!() };
            for stream in [owners, contacts, deals] {
                stream.begin();
            }
            contacts.expect(20_000);
            read(owners, 10, 28).await;
            owners.done();
            read(contacts, 100, 31).await;
            deals.expect(0);
            read(contacts, 100, 31).await;
        };
        let lines = told(&progress, story).await;
        assert_eq!(
            lines,
            [
                "30 s: preparing, 0 requests, API budget 0 % used",
                // `deals` is not counted yet.
                "1 min 0 s: 1 of 3 streams, 280 rows read, 9.3 rows/s, API budget 0 % used",
                "1 min 30 s: 1 of 3 streams, 3 280 rows read, 100 rows/s, API budget 0 % used",
                "2 min 0 s: 1 of 3 streams, 6 280 rows read, 100 rows/s, API budget 0 % used, about 2 min 20 s left",
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_stands_still_has_no_end_and_one_of_seconds_says_nothing() {
        let progress = Progress::default();
        assert!(told(&progress, seconds(29)).await.is_empty());
        progress.begin(std::iter::once("contacts".to_owned()));
        progress.streams()[0].begin();
        progress.streams()[0].expect(1000);
        let still = "30 s: 0 of 1 streams, 0 rows read, 0 rows/s, API budget 0 % used";
        assert_eq!(told(&progress, seconds(31)).await, [still]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_is_read_once_more_is_told_from_its_beginning() {
        let progress = Progress::default();
        let story = async {
            progress.begin(std::iter::once("contacts".to_owned()));
            let contacts = &progress.streams()[0];
            contacts.begin();
            // So that no row comes in at the moment of a line.
            time::sleep(Duration::from_millis(500)).await;
            read(contacts, 100, 45).await;
            contacts.begin();
            read(contacts, 10, 16).await;
        };
        let again = "1 min 0 s: 0 of 1 streams, 140 rows read, 0 rows/s, API budget 0 % used";
        assert_eq!(told(&progress, story).await[1], again);
    }

    #[test]
    fn a_source_that_does_not_answer_is_told() {
        let usage = Usage { trouble_seconds: Some(72.4), ..Usage::default() };
        assert_eq!(trouble(&usage), ", waiting for HubSpot, which has not answered as it should for 1 min 12 s");
        assert_eq!(trouble(&Usage::default()), "");
    }

    #[test]
    fn rates_and_spans_are_for_people() {
        assert_eq!(
            [0.0, 0.26, 9.96, 245.768_532_613, 12_345.6].map(rate),
            ["0 rows/s", "0.3 rows/s", "10.0 rows/s", "246 rows/s", "12 346 rows/s"]
        );
        assert_eq!(
            [44, 3599, 3600, 90_000].map(|seconds| span(Duration::from_secs(seconds))),
            ["44 s", "59 min 59 s", "1 h 0 min", "25 h 0 min"]
        );
    }
}
