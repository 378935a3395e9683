//! Where the tables are: a bucket, files in it, and the commits that make them count.
//!
//! - [`bucket`]: S3, a folder, or memory: one contract, with credentials, role and place found out beneath it.
//! - [`table`]: commits, the keys of files, and the sweep of what no commit lists.
//! - [`sink`]: the Parquet files of one table.
//! - [`state`]: the lease, by which one run at a time writes.
//! - [`iam`]: what AWS must be told so that all this is allowed, and nothing else.

pub mod sink;
pub mod table;

pub mod state;

pub mod bucket;

mod policy;

pub mod iam;
