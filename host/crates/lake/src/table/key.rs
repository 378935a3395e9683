//! Keys: the one place that knows what the objects of a bucket are called.

use sluice_model::run_id::RunId;

use crate::bucket::{OWN_FOLDER, is_pipeline_name, numbered};

/// The key of one data file of a table: `<table>/pipeline=<pipeline>/run=<run id>/part-<5 digits>.parquet`.
///
/// A sweep must know whose a file is without reading it, and lists the files of its own pipeline alone: so the pipeline
/// stands before the run. The form `run=…` is what readers of partitioned folders know, so a tool that lists a folder all
/// the same shows pipeline and run as columns, and the mistake with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataKey {
    /// The table: `[A-Za-z0-9_]+`, not starting with `_`.
    pub table: String,
    /// The pipeline whose run wrote it: 1 to 64 of `[a-z0-9_-]`, starting with a letter.
    pub pipeline: String,
    /// The run that wrote it.
    pub run: RunId,
    /// The number of the file in its table and run, from 0.
    pub part: u32,
}

impl DataKey {
    /// The key as text.
    pub fn format(&self) -> String {
        format!("{}/part-{:05}.parquet", of_run(&self.table, &self.pipeline, &self.run), self.part)
    }

    /// Reads a key back; `None` for anything that [`DataKey::format`] would not have made, to the letter.
    pub fn parse(key: &str) -> Option<Self> {
        let (table, rest) = key.split_once("/pipeline=")?;
        let (pipeline, rest) = rest.split_once("/run=")?;
        let (run, rest) = rest.split_once("/part-")?;
        let (run, part) = (run.parse().ok()?, rest.strip_suffix(".parquet")?.parse().ok()?);
        let parsed = Self { table: table.to_owned(), pipeline: pipeline.to_owned(), run, part };
        (is_table_name(table) && is_pipeline_name(pipeline) && parsed.format() == key).then_some(parsed)
    }
}

/// The key of the note of one slice that a run has kept: `_sluice/kept/<pipeline>/<run id>/<16 hexadecimal digits>.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoteKey {
    /// The pipeline whose run has kept it.
    pub(super) pipeline: String,
    /// That run.
    pub(super) run: RunId,
    /// Which of the run's it is.
    pub(super) number: u64,
}

impl NoteKey {
    /// The key as text.
    pub(super) fn format(&self) -> String {
        format!("{}/{}/{:016x}.json", kept(&self.pipeline), self.run, self.number)
    }

    /// Reads a key back; `None` for anything that [`NoteKey::format`] would not have made, to the letter.
    pub(super) fn parse(key: &str) -> Option<Self> {
        let (folder, number) = key.rsplit_once('/')?;
        let (folder, run) = folder.rsplit_once('/')?;
        let (_, pipeline) = folder.rsplit_once('/')?;
        let number = u64::from_str_radix(number.strip_suffix(".json")?, 16).ok()?;
        let parsed = Self { pipeline: pipeline.to_owned(), run: run.parse().ok()?, number };
        (is_pipeline_name(pipeline) && parsed.format() == key).then_some(parsed)
    }
}

/// Whether a key is one that runs of a pipeline write: of its data files and notes, or of the log that all pipelines share.
pub fn is_of(pipeline: &str, key: &str) -> bool {
    DataKey::parse(key).is_some_and(|parsed| parsed.pipeline == pipeline)
        || NoteKey::parse(key).is_some_and(|parsed| parsed.pipeline == pipeline)
        || key == swept(pipeline)
        || numbered::number(&commits(), key).is_some()
}

/// Whether a table can have this name. Whatever else lies at the top of a bucket is not ours to touch.
pub fn is_table_name(name: &str) -> bool {
    let legal = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    legal && !name.is_empty() && !name.starts_with('_')
}

/// The folder of the files that runs of a pipeline write for a table.
pub(super) fn of_pipeline(table: &str, pipeline: &str) -> String {
    format!("{table}/pipeline={pipeline}")
}

/// The folder of the files that one run writes for a table.
pub(super) fn of_run(table: &str, pipeline: &str, run: &RunId) -> String {
    format!("{}/run={run}", of_pipeline(table, pipeline))
}

/// The folder of the notes of what runs of a pipeline have kept.
pub(super) fn kept(pipeline: &str) -> String {
    format!("{OWN_FOLDER}/kept/{pipeline}")
}

/// The folder of the commit log.
pub(super) fn commits() -> String {
    format!("{OWN_FOLDER}/commits")
}

/// Where a sweep notes how far it came with the files of its pipeline.
pub(super) fn swept(pipeline: &str) -> String {
    format!("{OWN_FOLDER}/swept/{pipeline}.json")
}

/// What the keys in a folder of [`of_pipeline`] start with from runs of a time on, as [`RunId::time_part`] has it.
pub(super) fn runs_from(folder: &str, time_part: &str) -> String {
    format!("{folder}/run={time_part}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "objects_contacts/pipeline=crm/run=20261123T201500Z-1a2b3c4d/part-00007.parquet";

    #[test]
    fn a_key_reads_back() {
        let key = DataKey::parse(KEY).unwrap();
        assert_eq!((key.table.as_str(), key.pipeline.as_str(), key.part), ("objects_contacts", "crm", 7));
        assert_eq!(key.format(), KEY);
    }

    #[test]
    fn keys_of_other_shapes_are_not_ours() {
        for other in [
            "pipeline=crm/run=20261123T201500Z-1a2b3c4d/part-00007.parquet",
            "_sluice/pipeline=crm/run=20261123T201500Z-1a2b3c4d/part-00007.parquet",
            "a/b/pipeline=crm/run=20261123T201500Z-1a2b3c4d/part-00007.parquet",
            "objects_contacts/pipeline=crm/run=today/part-00007.parquet",
            "objects_contacts/pipeline=crm/run=20261123T201500Z-1a2b3c4d/part-7.parquet",
            "objects_contacts/pipeline=crm/run=20261123T201500Z-1a2b3c4d/part-000007.parquet",
            "objects_contacts/pipeline=crm/run=20261123T201500Z-1a2b3c4d/part-+0007.parquet",
            "objects_contacts/pipeline=crm/run=20261123T201500Z-1a2b3c4d/part-00007.parquet.bak",
            "objects_contacts/pipeline=crm/run=20261123T201500Z-1a2b3c4d/x/part-00007.parquet",
            "objects_contacts/pipeline=crm/run=20261123T201500Z-1a2b3c4d/part-00007.csv",
            "objects_contacts/run=20261123T201500Z-1a2b3c4d/part-00007.parquet",
            "objects_contacts/pipeline=/run=20261123T201500Z-1a2b3c4d/part-00007.parquet",
            "objects_contacts/pipeline=CRM/run=20261123T201500Z-1a2b3c4d/part-00007.parquet",
            "objects_contacts/pipeline=a/b/run=20261123T201500Z-1a2b3c4d/part-00007.parquet",
            "objects_contacts/part-00007.parquet",
            "",
        ] {
            assert_eq!(DataKey::parse(other), None, "{other}");
        }
    }

    #[test]
    fn the_key_of_a_note_reads_back_and_no_other_does() {
        let key = "_sluice/kept/crm/20261123T201500Z-1a2b3c4d/00f86d081884c7d6.json";
        let parsed = NoteKey::parse(key).unwrap();
        assert_eq!((parsed.pipeline.as_str(), parsed.number), ("crm", 0x00f8_6d08_1884_c7d6));
        assert_eq!(parsed.format(), key);
        for (from, to) in [
            ("_sluice/", ""),
            ("_sluice/", "_other/"),
            ("kept/", "swept/"),
            ("crm/", "CRM/"),
            ("crm/", "a/crm/"),
            ("crm/", ""),
            ("20261123T201500Z-1a2b3c4d", "today"),
            ("00f8", "f8"),
            ("00f8", "000f8"),
            ("00f8", "+0f8"),
            ("00f8", "00F8"),
            (".json", ""),
            (".json", ".json.bak"),
        ] {
            let other = key.replacen(from, to, 1);
            assert!(other != key && NoteKey::parse(&other).is_none(), "{other}");
        }
    }

    #[test]
    fn what_a_pipeline_writes_is_told_from_what_others_do() {
        for (key, ours) in [
            (KEY, true),
            ("_sluice/commits/00000000000000000001.json", true),
            ("_sluice/swept/crm.json", true),
            ("_sluice/kept/crm/20261123T201500Z-1a2b3c4d/00f86d081884c7d6.json", true),
            ("_sluice/swept/sales.json", false),
            ("_sluice/kept/sales/20261123T201500Z-1a2b3c4d/00f86d081884c7d6.json", false),
            ("objects_contacts/pipeline=sales/run=20261123T201500Z-1a2b3c4d/part-00007.parquet", false),
            ("_sluice/commits/readme.md", false),
            ("readme.md", false),
        ] {
            assert_eq!(is_of("crm", key), ours, "{key}");
        }
    }

    proptest! {
        #[test]
        fn every_key_reads_back(
            table in "[A-Za-z0-9][A-Za-z0-9_]{0,40}",
            pipeline in "[a-z][a-z0-9_-]{0,63}",
            random in "[0-9a-f]{8}",
            part: u32,
        ) {
            let run = format!("20261123T201500Z-{random}").parse().unwrap();
            let key = DataKey { table, pipeline, run, part };
            prop_assert_eq!(DataKey::parse(&key.format()), Some(key));
        }
    }
}
