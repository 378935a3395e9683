//! The digest of a stream's plan: what would be written of the same records by two plans of one digest is the same.

use std::fmt::Write as _;

use sluice_model::{digest::Digest, stream::StreamKind};

use super::{Plan, StreamPlan, rules::EventRule};

impl Plan {
    /// The digest of all that decides what becomes of a stream's rows: columns and their marks, transforms with plugins,
    /// settings and attachments, tables, and of events which are read. `None` where that cannot be told: of an attachment with
    /// marks no digest is ever made, since whoever can guess a short secret could check the guess.
    ///
    /// Two versions of the program make different digests: they may write a value in different ways.
    pub fn digest(&self, stream: &StreamPlan) -> Option<Digest> {
        let version = env!("CARGO_PKG_VERSION");
        let mut all = format!("{version}\n{:?}\n{:?}\n", stream.stream, stream.requested().collect::<Vec<_>>());
        for step in &stream.steps {
            let transform = &step.transform;
            for attached in &transform.attachments {
                let digest = attached.digest?;
                writeln!(all, "{} {:?} {digest}", attached.name, attached.marks).expect("a String takes every text");
            }
            let told = (&transform.name, &transform.digest, &transform.settings, transform.on_reject);
            writeln!(all, "{told:?} {:?} {:?}", step.outline, step.cleared).expect("a String takes every text");
        }
        writeln!(all, "{:?}\n{:?}", stream.strands, stream.tables).expect("a String takes every text");
        if let (StreamKind::Events { .. }, Some(EventRule { of, records, since, .. })) =
            (&stream.stream.kind, &self.rules.events)
        {
            writeln!(all, "{of} {records:?} {since:?}").expect("a String takes every text");
        }
        Some(Digest::of(all.as_bytes()))
    }
}
