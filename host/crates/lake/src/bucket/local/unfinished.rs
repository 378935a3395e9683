//! The names of the files in which uploads are written that are not finished: those of their keys, with a number.

/// Whether a name ends in a number, so that its file is none of an object.
pub(super) fn has_number(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    // As the object store has it: by the first such sign, and any digits.
    file.split_once('#').is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit()))
}

/// The key and the number in the name of an unfinished upload's file.
pub(super) fn parse(name: &str) -> Option<(String, u32)> {
    let (key, number) = name.rsplit_once('#')?;
    let upload = number.parse().ok().filter(|upload: &u32| upload.to_string() == number)?;
    Some((key.to_owned(), upload))
}
