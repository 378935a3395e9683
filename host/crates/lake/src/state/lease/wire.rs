//! A lease entry as it is stored.

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
        released: entry.released,
    };
    serde_json::to_string_pretty(&stored).unwrap_or_else(|_| unreachable!("texts and numbers are always JSON"))
}

pub(super) fn read(number: u64, content: &[u8]) -> Result<LeaseEntry, serde_json::Error> {
    let stored: Stored = serde_json::from_slice(content)?;
    if stored.format != FORMAT {
        return Err(serde_json::Error::custom(format!("its format is {}, not {FORMAT}", stored.format)));
    }
    if number == u64::MAX {
        return Err(serde_json::Error::custom("no entry could follow it"));
    }
    let time = |text: &str| text.parse::<Timestamp>().map_err(serde_json::Error::custom);
    Ok(LeaseEntry {
        number,
        taken: time(&stored.taken)?,
        ends: time(&stored.ends)?,
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
                pipeline: "crm \"to\" s3".to_owned(),
                host: "worker-1".to_owned(),
                pid: 7,
            },
            taken: "2026-11-23T20:15:00Z".parse().unwrap(),
            ends: "2026-11-23T20:16:00.5Z".parse().unwrap(),
            released: true,
        };
        assert_eq!(read(12, write(&entry).as_bytes()).unwrap(), entry);
    }

    #[test]
    fn what_is_no_entry_of_this_format_is_refused() {
        let newer = r#"{"format":2,"run":"","pipeline":"","host":"","pid":1,"taken":"","ends":"","released":false}"#;
        assert_eq!(read(1, newer.as_bytes()).unwrap_err().to_string(), "its format is 2, not 1");
        assert!(read(1, b"{\"format\":").is_err());
    }
}
