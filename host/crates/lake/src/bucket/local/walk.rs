//! The files of a folder, however deep, without following a link.
//!
//! A link would lead out of the bucket, or round in a circle. What this user may not look into has another user made, and is
//! passed over as links are; but for the folder that was asked for, which would seem to be empty. One entry is looked at after
//! the other, so whoever walks on a thread of its own can stop at any of them.

use std::{
    fs::{DirEntry, Metadata, ReadDir},
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
    /// The name of the folder that was asked for.
    asked: String,
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
        let (root, asked, folders) = (root.to_owned(), folder.to_owned(), vec![folder.to_owned()]);
        Self { root, asked, deep: true, reading: None, folders, strange: Arc::clone(strange) }
    }

    /// Through what lies in a folder itself.
    pub(super) fn of_one_level(root: &Path, folder: &str, strange: &Arc<Strange>) -> Self {
        Self { deep: false, ..Self::through(root, folder, strange) }
    }

    /// Opens the next folder, unless a link leads there by now.
    fn open(&mut self, folder: &str) -> io::Result<()> {
        if let Some(link) = beneath::link_on_the_way(&self.root, folder) {
            tell_of_link(&self.strange, &link);
            return Ok(());
        }
        match std::fs::read_dir(self.root.join(folder)) {
            Ok(entries) => self.reading = Some(entries),
            // It is gone, or no folder any more.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidFilename => {
                self.strange.pass_over(folder, "which lies deeper than a name can say");
            }
            Err(error) => self.pass_over_shut(folder, folder, error)?,
        }
        Ok(())
    }

    /// What is known of an entry itself, should it be a link by now; `None` if it is gone or passed over.
    pub(super) fn look_closer(&self, found: &Found) -> io::Result<Option<Metadata>> {
        self.unless_passed_over(&found.name, found.entry.metadata())
    }

    /// What a look at an entry gave; `None` if that is gone, or in a folder of which only the names may be read.
    fn unless_passed_over<T>(&self, name: &str, look: io::Result<T>) -> io::Result<Option<T>> {
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        match look {
            Ok(seen) => return Ok(Some(seen)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.pass_over_shut(name, folder, error)?,
        }
        Ok(None)
    }

    /// Passes over what could not be looked at, if that is since this user may not and the folder is not the one that was
    /// asked for; else, fails.
    fn pass_over_shut(&self, name: &str, folder: &str, error: io::Error) -> io::Result<()> {
        if error.kind() != io::ErrorKind::PermissionDenied || folder == self.asked {
            return Err(error);
        }
        self.strange.pass_over(name, "which this process may not look at");
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
        let Some(kind) = self.unless_passed_over(name, entry.file_type())? else { return Ok(None) };
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
