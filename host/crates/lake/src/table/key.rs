//! Keys: the one place that knows what the objects of a bucket are called.

use sluice_model::run_id::RunId;

use crate::bucket::OWN_FOLDER;

/// The key of one data file of a table: `<table>/run=<run id>/part-<5 digits>.parquet`.
///
/// The form `run=…` is what readers of partitioned folders know, so a tool that lists a folder all the same shows the run
/// as a column, and the mistake with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataKey {
    /// The table: `[A-Za-z0-9_]+`, not starting with `_`.
    pub table: String,
    /// The run that wrote it.
    pub run: RunId,
    /// The number of the file in its table and run, from 0.
    pub part: u32,
}

impl DataKey {
    /// The key as text.
    pub fn format(&self) -> String {
        format!("{}/run={}/part-{:05}.parquet", self.table, self.run, self.part)
    }

    /// Reads a key back; `None` for anything that [`DataKey::format`] would not have made, to the letter.
    pub fn parse(key: &str) -> Option<Self> {
        let (table, rest) = key.split_once("/run=")?;
        let (run, rest) = rest.split_once("/part-")?;
        let part = rest.strip_suffix(".parquet")?;
        let parsed = Self { table: table.to_owned(), run: run.parse().ok()?, part: part.parse().ok()? };
        (is_table_name(table) && parsed.format() == key).then_some(parsed)
    }
}

/// Whether a table can have this name. Whatever else lies at the top of a bucket is not ours to touch.
pub fn is_table_name(name: &str) -> bool {
    let legal = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    legal && !name.is_empty() && !name.starts_with('_')
}

/// The folder of the commit log.
pub(super) fn commits() -> String {
    format!("{OWN_FOLDER}/commits")
}

/// Where a sweep notes how far it came.
pub(super) fn swept() -> String {
    format!("{OWN_FOLDER}/swept.json")
}

/// What the keys of a table's files start with from runs of a time on, as [`RunId::time_part`] has it.
pub(super) fn runs_from(table: &str, time_part: &str) -> String {
    format!("{table}/run={time_part}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "objects_contacts/run=20261123T201500Z-1a2b3c4d/part-00007.parquet";

    #[test]
    fn a_key_reads_back() {
        let key = DataKey::parse(KEY).unwrap();
        assert_eq!((key.table.as_str(), key.part), ("objects_contacts", 7));
        assert_eq!(key.format(), KEY);
    }

    #[test]
    fn keys_of_other_shapes_are_not_ours() {
        for other in [
            "run=20261123T201500Z-1a2b3c4d/part-00007.parquet",
            "_sluice/run=20261123T201500Z-1a2b3c4d/part-00007.parquet",
            "a/b/run=20261123T201500Z-1a2b3c4d/part-00007.parquet",
            "objects_contacts/run=today/part-00007.parquet",
            "objects_contacts/run=20261123T201500Z-1a2b3c4d/part-7.parquet",
            "objects_contacts/run=20261123T201500Z-1a2b3c4d/part-000007.parquet",
            "objects_contacts/run=20261123T201500Z-1a2b3c4d/part-+0007.parquet",
            "objects_contacts/run=20261123T201500Z-1a2b3c4d/part-00007.parquet.bak",
            "objects_contacts/run=20261123T201500Z-1a2b3c4d/x/part-00007.parquet",
            "objects_contacts/run=20261123T201500Z-1a2b3c4d/part-00007.csv",
            "objects_contacts/part-00007.parquet",
            "",
        ] {
            assert_eq!(DataKey::parse(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn every_key_reads_back(table in "[A-Za-z0-9][A-Za-z0-9_]{0,40}", random in "[0-9a-f]{8}", part: u32) {
            let run = format!("20261123T201500Z-{random}").parse().unwrap();
            let key = DataKey { table, run, part };
            prop_assert_eq!(DataKey::parse(&key.format()), Some(key));
        }
    }
}
