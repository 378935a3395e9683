//! Files that a pipeline file names, and which of them are read.
//!
//! A pipeline file is code: it names files, and what is in them is handed to plugins or sent as a token. Where the file is
//! one's own that is its use. Where it comes from somebody else, as in a pull request, it must reach nothing but what came
//! with it ([`Reach::Folder`]): no file outside of its folder, whatever links lead there, and none that is hidden, since a
//! checkout keeps its own token in `.git`.
//!
//! Whoever's it is, nothing is read of `/proc`, `/sys` and `/dev`: what stands there is the machine, the environment of this
//! process and its open files, and no file that anybody has written.
//!
//! What is judged is the file that was opened: its path is resolved, judged, opened without following a link, and resolved
//! again. A process that exchanges whole folders in between, faster than that, is not defended against; it runs on this machine
//! already. Nor are hard links, which no checkout brings.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Component, Path, PathBuf},
};

use rustix::fs::{Mode, OFlags};

use super::Missing;

/// What is the machine's, and nobody's file.
const OF_THE_SYSTEM: [&str; 3] = ["/proc", "/sys", "/dev"];

/// How far a pipeline file reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Every file of the machine: whoever starts the program answers for the pipeline file.
    Machine,
    /// What lies in the folder of the pipeline file, and is not hidden: it may be anybody's.
    Folder,
}

/// A file that was read.
#[derive(Debug)]
pub struct Opened {
    /// Where it is, without links; from the folder of the pipeline file on, if it is in there.
    pub path: PathBuf,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// The content of a file that a pipeline file names. Relative paths start from `folder`, which is the pipeline file's.
/// `most`: the bytes that it may have; of a larger one no more are read.
pub fn file(path: &Path, folder: &Path, reach: Reach, most: u64) -> Result<Opened, Missing> {
    let file = folder.join(path);
    let failed = |reason| Missing::File { file: file.clone(), reason };
    // As it is written, too: what `/dev/stdin` leads to may be a file of somebody's.
    if is_of_the_system(&file) {
        return Err(Missing::OfTheSystem(file));
    }
    let resolved = file.canonicalize().map_err(failed)?;
    if is_of_the_system(&resolved) {
        return Err(Missing::OfTheSystem(file));
    }
    let base = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let base = base.canonicalize().map_err(failed)?;
    let within = resolved.strip_prefix(&base).ok();
    match within {
        _ if reach == Reach::Machine => {}
        None => return Err(Missing::OutOfReach { file, why: "outside of the folder of the pipeline file" }),
        Some(within) if is_hidden(within) => return Err(Missing::OutOfReach { file, why: "hidden" }),
        Some(_) => {}
    }
    // Asked before it is opened: a pipe that nobody writes to cannot even be opened.
    if !resolved.metadata().map_err(failed)?.is_file() {
        return Err(Missing::NoFile(file));
    }
    let opened = open(&resolved).map_err(failed)?;
    let metadata = opened.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(Missing::NoFile(file));
    }
    let is_the_same = |now: fs::Metadata| (now.dev(), now.ino()) == (metadata.dev(), metadata.ino());
    let is_at_its_place = resolved.canonicalize().is_ok_and(|again| again == resolved);
    if !is_at_its_place || !resolved.symlink_metadata().is_ok_and(is_the_same) {
        return Err(Missing::Exchanged(file));
    }
    let mut bytes = Vec::new();
    // What it says of its size may change while it is read.
    if metadata.len() <= most {
        opened.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    }
    if metadata.len() > most || bytes.len() as u64 > most {
        return Err(Missing::TooLarge { file, most });
    }
    let path = within.map_or_else(|| resolved.clone(), Path::to_owned);
    Ok(Opened { path, bytes })
}

/// Whether a file of the command line lies where it seems to: in a checkout, what it is a link to was chosen by whoever made
/// the link. What `/dev/stdin` and `/dev/fd` stand for was chosen by whoever began the program.
pub fn is_in_its_folder(file: &Path) -> bool {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (file.canonicalize(), folder.canonicalize()) {
        (Ok(resolved), Ok(folder)) => resolved.starts_with(folder) || file.starts_with("/dev"),
        // What is not there is told by whoever reads it.
        _ => true,
    }
}

/// A file without links in its path: opened as that, and without waiting for anybody.
fn open(resolved: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::open(resolved, flags, Mode::empty())?))
}

fn is_of_the_system(path: &Path) -> bool {
    OF_THE_SYSTEM.iter().any(|folder| path.starts_with(folder))
}

fn is_hidden(within: &Path) -> bool {
    within.components().any(|part| matches!(part, Component::Normal(name) if name.as_encoded_bytes().starts_with(b".")))
}
