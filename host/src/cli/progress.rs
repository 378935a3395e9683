//! What a person sees while a run goes on: a line for each stream that is being read, and one for the whole.

use std::{sync::Arc, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::{sync::oneshot, task::JoinHandle, time};

use super::output::thousands;
use crate::{
    pipeline::{Progress, StreamProgress, StreamState},
    source::Source,
};

/// How often the display is brought up to date: often enough to look alive, seldom enough to cost nothing.
const REFRESH: Duration = Duration::from_millis(200);

/// The display of a run.
pub(super) struct Display {
    all: MultiProgress,
    stop: oneshot::Sender<()>,
    drawing: JoinHandle<()>,
}

impl Display {
    /// Begins to show the progress of a run.
    pub(super) fn start(progress: &Arc<Progress>, source: &Arc<dyn Source>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let all = MultiProgress::new();
        let drawing = tokio::spawn(draw(all.clone(), Arc::clone(progress), Arc::clone(source), stopped));
        Self { all, stop, drawing }
    }

    /// Says something in a line that stays, above the display.
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
            "{done} of {} streams, {} rows written, {} requests, API budget {:.0} % used",
            bars.len(),
            thousands(rows),
            thousands(usage.requests),
            usage.budget_share * 100.0,
        ));
        whole.tick();
    }
    drop(all.clear());
}

fn bar_of(stream: &StreamProgress) -> ProgressBar {
    const NAME_WIDTH: usize = 28;
    let name = format!("{:<NAME_WIDTH$}", stream.name);
    match stream.total() {
        Some(total) => ProgressBar::new(total)
            .with_style(style("  {prefix} {bar:24} {human_pos:>10} of {human_len} rows  {per_sec:>14}"))
            .with_prefix(name),
        None => ProgressBar::new_spinner()
            .with_style(style("  {prefix} {human_pos:>10} rows  {per_sec:>14}"))
            .with_prefix(name),
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
