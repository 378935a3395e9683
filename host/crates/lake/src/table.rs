//! Tables: what a commit is, and how a reader finds the files that count.
//!
//! A table is a set of Parquet files. Files are written under the names of pipeline and run, where no reader looks:
//!
//! ```text
//! objects_contacts/pipeline=crm/run=20261123T201500Z-1a2b3c4d/part-00000.parquet
//! objects_contacts/pipeline=crm/run=20261123T201500Z-1a2b3c4d/part-00001.parquet
//! _sluice/commits/00000000000000000042.json
//! ```
//!
//! They become the table by one write: the entry of the next number in the commit log, created only if it is absent. An
//! entry lists the files of *all* tables, those that the run did not write carried over from the entry before, so tables
//! move together and a reader needs the newest entry and nothing else. A recursive listing of a table's folder is wrong: it
//! finds the files of earlier runs, and of runs that were killed.
//!
//! - `commit`: what a commit says; `change`: what a run changes, and how the next commit follows from the last (pure);
//! - `commits`: what makes tables visible, a trait; `log`: the one that does so far, the entries in a bucket, and the race for
//!   the next;
//! - `kept`: what a run that died had finished already, noted so that the next can take it over;
//! - `sweep`: removing what runs that crashed have left, but for that; `expire`: removing old commits, with what only they list;
//! - `key`: the names of data files; `range`: between which keys their rows lie; `wire`: the entries as stored; `audit`: the
//!   audit records in them; `weight`: how large an entry may be.
//!
//! Nothing here encodes Parquet (`sink` does) or knows of plugins beyond their names and digests.

mod audit;
mod change;
mod commit;
mod commits;
mod error;
pub mod expire;
pub mod kept;
pub mod key;
mod log;
pub mod range;
pub mod sweep;
mod weight;
mod wire;

pub use self::{
    audit::{AuditRecord, NotAnAudit, audit_json},
    change::{Change, next},
    commit::{Author, Commit, DataFile, FedBy, Table},
    commits::Commits,
    error::LogError,
    log::CommitLog,
    weight::TooLarge,
};

#[cfg(test)]
mod tests;
