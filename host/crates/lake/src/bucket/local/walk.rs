//! The files of a folder, however deep, without following a link.
//!
//! A link would lead out of the bucket, or round in a circle. One entry is looked at after the other, so whoever walks on a
//! thread of its own can stop at any of them.

use std::{
    fs::{DirEntry, ReadDir},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use object_store::path::Path as ObjectPath;

use super::beneath;
use crate::bucket::strange::Strange;

/// What a walk comes to.
#[derive(Debug)]
pub(super) struct Found {
    /// Its name from the root of the bucket.
    pub(super) name: String,
    pub(super) is_folder: bool,
    pub(super) entry: DirEntry,
}

/// A walk through a folder.
#[derive(Debug)]
pub(super) struct Walk {
    root: PathBuf,
    /// Whether what lies in the folders that are found is walked through, too, instead of giving these.
    deep: bool,
    reading: Option<ReadDir>,
    /// Folders that are still to be read, by their names.
    folders: Vec<String>,
    strange: Arc<Strange>,
}

impl Walk {
    /// Through all that lies in a folder of the bucket. In one that is not there, or behind a link, nothing lies.
    pub(super) fn through(root: &Path, folder: &str, strange: &Arc<Strange>) -> Self {
        let folders = match beneath::link_on_the_way(root, folder) {
            Some(link) => {
                tell_of_link(strange, &link);
                Vec::new()
            }
            None => vec![folder.to_owned()],
        };
        Self { root: root.to_owned(), deep: true, reading: None, folders, strange: Arc::clone(strange) }
    }

    /// Through what lies in a folder itself.
    pub(super) fn of_one_level(root: &Path, folder: &str, strange: &Arc<Strange>) -> Self {
        Self { deep: false, ..Self::through(root, folder, strange) }
    }

    /// Opens the next folder.
    fn open(&mut self, folder: &str) -> io::Result<()> {
        match std::fs::read_dir(self.root.join(folder)) {
            Ok(entries) => self.reading = Some(entries),
            // It is gone, or no folder any more.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidFilename => {
                self.strange.pass_over(folder, "which lies deeper than a name can say");
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// What an entry is, unless it is passed over.
    fn look_at(&self, entry: DirEntry) -> io::Result<Option<Found>> {
        let path = entry.path();
        let Ok(path) = path.strip_prefix(&self.root) else { return Ok(None) };
        let Some(name) = path.to_str().filter(|name| ObjectPath::parse(name).is_ok()) else {
            self.strange.pass_over(&path.to_string_lossy(), "whose name no key can have");
            return Ok(None);
        };
        let kind = match entry.file_type() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            kind => kind?,
        };
        if kind.is_symlink() {
            tell_of_link(&self.strange, name);
        }
        let is_ours = kind.is_dir() || kind.is_file();
        Ok(is_ours.then(|| Found { name: name.to_owned(), is_folder: kind.is_dir(), entry }))
    }
}

impl Iterator for Walk {
    type Item = io::Result<Found>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some(reading) = &mut self.reading else {
                let folder = self.folders.pop()?;
                match self.open(&folder) {
                    Ok(()) => continue,
                    Err(error) => return Some(Err(error)),
                }
            };
            let Some(entry) = reading.next() else {
                self.reading = None;
                continue;
            };
            match entry.and_then(|entry| self.look_at(entry)) {
                Ok(Some(found)) if found.is_folder && self.deep => self.folders.push(found.name),
                Ok(Some(found)) => return Some(Ok(found)),
                Ok(None) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

fn tell_of_link(strange: &Strange, name: &str) {
    strange.pass_over(name, "a symbolic link, which is not followed");
}
