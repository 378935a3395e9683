//! Opening a folder as a bucket, and what crashes leave in one.
//!
//! An object is written to a file with a number after its name (`key#1`) and renamed, or linked if it must be absent, when
//! it is whole; lists and gets do not show such files. A crash leaves them, and only whoever knows that no upload is under
//! way may remove them: the sweep does.

use std::{
    io,
    path::{Path, PathBuf},
};

use object_store::local::LocalFileSystem;

use super::{Unfinished, error::BucketError, location::Location, operation::Operation};

/// The folder of a bucket, as the operating system names it.
#[derive(Debug, Clone)]
pub(super) struct Folder(PathBuf);

/// Creates a folder and its parents, if absent.
pub(super) async fn create(path: &Path) -> Result<(), BucketError> {
    let wanted = path.to_owned();
    let created = in_background(move || std::fs::create_dir_all(&wanted)).await;
    created.map_err(|error| Location::folder(path).judge_disk(Operation::Put, "", &error))
}

/// Opens a folder that is there.
pub(super) async fn open(path: &Path) -> Result<(LocalFileSystem, Folder, Location), BucketError> {
    let location = Location::folder(path);
    let wanted = path.to_owned();
    let found = in_background(move || wanted.canonicalize()).await;
    let path = found.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => BucketError::NoSuchFolder { location: location.description.clone() },
        _ => location.judge_disk(Operation::Get, "", &error),
    })?;
    let location = Location::folder(&path);
    let store = LocalFileSystem::new_with_prefix(&path).map_err(|error| location.judge(Operation::Put, "", &error))?;
    // Flushed to the disk before a write returns; folders that a delete leaves empty are removed.
    Ok((store.with_fsync(true).with_automatic_cleanup(true), Folder(path), location))
}

impl Folder {
    pub(super) async fn list_unfinished(
        &self,
        location: &Location,
        folder: &str,
    ) -> Result<Vec<Unfinished>, BucketError> {
        let (root, start) = (self.0.clone(), self.0.join(folder));
        let found = in_background(move || {
            let mut found = Vec::new();
            walk(&root, &start, &mut found)?;
            found.sort_by(|left, right| (&left.key, left.upload).cmp(&(&right.key, right.upload)));
            Ok(found)
        });
        found.await.map_err(|error| location.judge_disk(Operation::List, folder, &error))
    }

    pub(super) async fn delete_unfinished(
        &self,
        location: &Location,
        unfinished: &Unfinished,
    ) -> Result<(), BucketError> {
        let path = self.0.join(format!("{}#{}", unfinished.key, unfinished.upload));
        let deleted = in_background(move || std::fs::remove_file(&path)).await;
        self.remove_empty_folders_above(&unfinished.key).await;
        match deleted {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(location.judge_disk(Operation::Delete, &unfinished.key, &error))
            }
            _ => Ok(()),
        }
    }

    /// Removes the folders on the way to an object that is not there, from the innermost on, while they are empty.
    pub(super) async fn remove_empty_folders_above(&self, key: &str) {
        let (root, path) = (self.0.clone(), self.0.join(key));
        let removed = in_background(move || {
            let above = path.ancestors().skip(1).take_while(|folder| *folder != root);
            for folder in above {
                std::fs::remove_dir(folder)?;
            }
            Ok(())
        });
        // One that is not empty, or is gone, ends it.
        drop(removed.await);
    }
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<Unfinished>) -> io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(root, &entry.path(), found)?;
        } else if kind.is_file()
            && let Some((key, upload)) = parse(root, &entry.path())
        {
            found.push(Unfinished { key, upload, bytes: entry.metadata()?.len() });
        }
    }
    Ok(())
}

/// The key and the number in the name of an unfinished upload's file.
fn parse(root: &Path, path: &Path) -> Option<(String, u32)> {
    let (key, number) = path.strip_prefix(root).ok()?.to_str()?.rsplit_once('#')?;
    let upload = number.parse().ok().filter(|upload: &u32| upload.to_string() == number)?;
    Some((key.to_owned(), upload))
}

/// Runs what blocks on a thread for it.
async fn in_background<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests;
