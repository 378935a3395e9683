//! What the names in a bucket have in common that are sluice's.

/// The folder of every bucket in which sluice keeps what is not a table. No table has such a name: theirs never start
/// with `_`.
pub const OWN_FOLDER: &str = "_sluice";

/// Characters of the name of a pipeline, at most: what a pipeline file allows.
const LONGEST_PIPELINE: usize = 64;

/// Whether a pipeline can have this name. What has another in its place is nobody's of ours.
pub fn is_pipeline_name(name: &str) -> bool {
    let legal = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
    legal && name.len() <= LONGEST_PIPELINE && name.starts_with(|first: char| first.is_ascii_lowercase())
}
