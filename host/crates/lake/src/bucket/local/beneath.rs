//! What lies beneath the root of a bucket, and not behind a link.
//!
//! The root itself may be a link: whoever names it chooses it. What is beneath it may have been put there by others, so a
//! link on the way to a key is never followed. To *remove* something, each folder on the way is opened from within the one
//! above it, without following links: what is removed lies where it was looked for, whatever is moved in between.

use std::{
    fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, CWD, FileType, Mode, OFlags, openat, statat, unlinkat},
    io::Errno,
};

/// Something that is on the way to a key, or in its place, and that sluice has not made.
#[derive(Debug, thiserror::Error)]
#[error("it is {what}")]
pub(in crate::bucket) struct InTheWay {
    pub(in crate::bucket) what: &'static str,
}

const LINK: InTheWay = InTheWay { what: "a symbolic link, or lies behind one" };
const NO_FILE: InTheWay = InTheWay { what: "neither a file nor a folder" };

impl From<InTheWay> for io::Error {
    fn from(found: InTheWay) -> Self {
        Self::other(found)
    }
}

/// The name of the first link on the way to a name, itself included; `None` if there is none as far as anything is there.
pub(super) fn link_on_the_way(root: &Path, name: &str) -> Option<String> {
    let mut path = PathBuf::new();
    Path::new(name).components().find_map(|part| {
        path.push(part);
        let is_link = fs::symlink_metadata(root.join(&path)).is_ok_and(|found| found.is_symlink());
        is_link.then(|| path.to_string_lossy().into_owned())
    })
}

/// Fails if a link is on the way to a name, or what is there can be no object.
pub(super) fn check(root: &Path, name: &str) -> Result<(), InTheWay> {
    if link_on_the_way(root, name).is_some() {
        return Err(LINK);
    }
    match fs::symlink_metadata(root.join(name)) {
        Ok(found) if !found.is_file() && !found.is_dir() => Err(NO_FILE),
        // What fails here fails where it is used, too, and is told there.
        _ => Ok(()),
    }
}

/// Removes a file, and the folders above it that are empty then, up to the root. That there is none is told as such, and the
/// folders go all the same.
pub(super) fn remove(root: &Path, name: &str) -> io::Result<()> {
    let mut parts: Vec<&str> = name.split('/').collect();
    let Some(file) = parts.pop() else { return Err(Errno::INVAL.into()) };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut opened: Vec<(OwnedFd, &str)> = Vec::with_capacity(parts.len());
    let mut folder = openat(CWD, root, flags, Mode::empty())?;
    let mut removed = Ok(());
    for part in parts {
        match openat(&folder, part, flags | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(within) => opened.push((std::mem::replace(&mut folder, within), part)),
            Err(Errno::NOENT) => {
                removed = Err(Errno::NOENT.into());
                break;
            }
            Err(Errno::LOOP | Errno::NOTDIR) if is_link(&folder, part) => return Err(LINK.into()),
            Err(other) => return Err(other.into()),
        }
    }
    if removed.is_ok() {
        if is_link(&folder, file) {
            return Err(LINK.into());
        }
        removed = unlinkat(&folder, file, AtFlags::empty()).map_err(io::Error::from);
    }
    let is_gone = removed.as_ref().err().is_none_or(|error| error.kind() == io::ErrorKind::NotFound);
    if is_gone {
        for (above, part) in opened.iter().rev() {
            // One that is not empty, or is gone, ends it.
            if unlinkat(above, *part, AtFlags::REMOVEDIR).is_err() {
                break;
            }
        }
    }
    removed
}

fn is_link(folder: &OwnedFd, name: &str) -> bool {
    let found = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW);
    found.is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Symlink)
}
