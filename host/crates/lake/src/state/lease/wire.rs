//! A lease entry as it is stored.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::Error};
use sluice_model::printable::printable;

use super::{Holder, LeaseEntry};

/// The form that this version writes, and the only one it reads.
const FORMAT: u32 = 1;

/// Characters that are shown of the name of a pipeline or a machine.
const LONGEST_NAME: usize = 255;

#[derive(Serialize, Deserialize)]
struct Stored {
    format: u32,
    run: String,
    pipeline: String,
    host: String,
    pid: u32,
    taken: String,
    ends: String,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    tables: BTreeSet<String>,
    released: bool,
}

pub(super) fn write(entry: &LeaseEntry) -> String {
    let stored = Stored {
        format: FORMAT,
        run: entry.holder.run.to_string(),
        pipeline: entry.holder.pipeline.clone(),
        host: entry.holder.host.clone(),
        pid: entry.holder.pid,
        taken: entry.taken.to_string(),
        ends: entry.ends.to_string(),
        tables: entry.tables.clone(),
        released: entry.released,
    };
    serde_json::to_string_pretty(&stored).unwrap_or_else(|_| unreachable!("texts and numbers are always JSON"))
}

/// Reads the entry of this pipeline and number.
pub(super) fn read(pipeline: &str, number: u64, content: &[u8]) -> Result<LeaseEntry, serde_json::Error> {
    let stored: Stored = serde_json::from_slice(content)?;
    if stored.format != FORMAT {
        return Err(serde_json::Error::custom(format!("its format is {}, not {FORMAT}", stored.format)));
    }
    if number == u64::MAX {
        return Err(serde_json::Error::custom("no entry could follow it"));
    }
    if stored.pipeline != pipeline {
        let said = printable(&stored.pipeline, LONGEST_NAME);
        return Err(serde_json::Error::custom(format!(
            "it is pipeline `{pipeline}`'s by its key, and `{said}`'s by what it says"
        )));
    }
    let time = |text: &str| text.parse::<Timestamp>().map_err(serde_json::Error::custom);
    Ok(LeaseEntry {
        number,
        taken: time(&stored.taken)?,
        ends: time(&stored.ends)?,
        tables: stored.tables,
        released: stored.released,
        holder: Holder {
            run: stored.run.parse().map_err(serde_json::Error::custom)?,
            pipeline: printable(&stored.pipeline, LONGEST_NAME),
            host: printable(&stored.host, LONGEST_NAME),
            pid: stored.pid,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_back() {
        let entry = LeaseEntry {
            number: 12,
            holder: Holder {
                run: "20261123T201500Z-1a2b3c4d".parse().unwrap(),
                pipeline: "crm".to_owned(),
                host: "worker \"1\"".to_owned(),
                pid: 7,
            },
            taken: "2026-11-23T20:15:00Z".parse().unwrap(),
            ends: "2026-11-23T20:16:00.5Z".parse().unwrap(),
            tables: BTreeSet::from(["contacts".to_owned(), "deals".to_owned()]),
            released: true,
        };
        assert_eq!(read("crm", 12, write(&entry).as_bytes()).unwrap(), entry);
    }

    #[test]
    fn what_is_no_entry_of_this_format_is_refused() {
        let newer = r#"{"format":2,"run":"","pipeline":"","host":"","pid":1,"taken":"","ends":"","released":false}"#;
        assert_eq!(read("", 1, newer.as_bytes()).unwrap_err().to_string(), "its format is 2, not 1");
        assert!(read("crm", 1, b"{\"format\":").is_err());
        let of_another = read("crm", 1, newer.replace("2,", "1,").as_bytes()).unwrap_err();
        assert_eq!(of_another.to_string(), "it is pipeline `crm`'s by its key, and ``'s by what it says");
    }
}
