//! Opening a folder as a bucket, and what crashes leave in one.
//!
//! An object is written to a file with a number after its name (`key#1`) and renamed, or linked if it must be absent, when
//! it is whole; lists and gets do not show such files. A crash leaves them, and only whoever knows that no upload is under
//! way may remove them: the sweep does.
//!
//! What others may have put into the folder does not lead out of it: `beneath` says how, `walk` lists, and `store` is what
//! the object store offers, with both.

mod beneath;
mod store;
mod unfinished;
mod walk;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use object_store::local::LocalFileSystem;

use self::walk::{Found, Walk};
pub(super) use self::{beneath::InTheWay, store::FolderStore};
use super::{Unfinished, error::BucketError, location::Location, operation::Operation, strange::Strange};

/// How many entries of a folder are looked at before who asked for them can stop.
const AT_A_TIME: usize = 1024;

/// The folder of a bucket, as the operating system names it.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    root: PathBuf,
    strange: Arc<Strange>,
}

/// Creates a folder and its parents, if absent.
pub(super) async fn create(path: &Path) -> Result<(), BucketError> {
    let wanted = path.to_owned();
    let created = in_background(move || std::fs::create_dir_all(&wanted)).await;
    created.map_err(|error| Location::folder(path).judge_disk(Operation::Put, "", &error))
}

/// Opens a folder that is there.
pub(super) async fn open(path: &Path) -> Result<(FolderStore, Folder, Location), BucketError> {
    let location = Location::folder(path);
    let wanted = path.to_owned();
    let found = in_background(move || wanted.canonicalize()).await;
    let path = found.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => BucketError::NoSuchFolder { location: location.description.clone() },
        _ => location.judge_disk(Operation::Get, "", &error),
    })?;
    let location = Location::folder(&path);
    let store = LocalFileSystem::new_with_prefix(&path).map_err(|error| location.judge(Operation::Put, "", &error))?;
    // Flushed to the disk before a write returns.
    let (inner, folder) = (store.with_fsync(true), Folder { root: path, strange: Arc::default() });
    Ok((FolderStore { inner, folder: folder.clone() }, folder, location))
}

impl Folder {
    fn walk(&self, folder: &str) -> Walk {
        Walk::through(&self.root, folder, &self.strange)
    }

    pub(super) async fn list_unfinished(
        &self,
        location: &Location,
        folder: &str,
    ) -> Result<Vec<Unfinished>, BucketError> {
        let (mut walk, mut all) = (Some(self.walk(folder)), Vec::new());
        while let Some(mut rest) = walk.take() {
            let found = in_background(move || {
                let found = rest.by_ref().take(AT_A_TIME).collect::<io::Result<Vec<_>>>()?;
                let is_last = found.len() < AT_A_TIME;
                let unfinished = found.iter().filter_map(|found| unfinished(&rest, found).transpose());
                Ok((unfinished.collect::<io::Result<Vec<_>>>()?, (!is_last).then_some(rest)))
            });
            let (unfinished, rest) =
                found.await.map_err(|error| location.judge_disk(Operation::List, folder, &error))?;
            all.extend(unfinished);
            walk = rest;
        }
        all.sort_by(|left, right| (&left.key, left.upload).cmp(&(&right.key, right.upload)));
        Ok(all)
    }

    pub(super) async fn delete_unfinished(
        &self,
        location: &Location,
        unfinished: &Unfinished,
    ) -> Result<(), BucketError> {
        let (root, name) = (self.root.clone(), format!("{}#{}", unfinished.key, unfinished.upload));
        match in_background(move || beneath::remove(&root, &name)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(location.judge_disk(Operation::Delete, &unfinished.key, &error))
            }
            _ => Ok(()),
        }
    }

    #[cfg(test)]
    fn told(&self) -> Vec<String> {
        self.strange.told()
    }
}

/// What an unfinished upload left that a walk has come to, if that is one.
fn unfinished(walk: &Walk, found: &Found) -> io::Result<Option<Unfinished>> {
    let Some((key, upload)) = unfinished::parse(&found.name) else { return Ok(None) };
    // One that is gone by now has no size, and is not there to be removed.
    Ok(walk.look_closer(found)?.map(|metadata| Unfinished { key, upload, bytes: metadata.len() }))
}

/// Runs what blocks on a thread for it.
async fn in_background<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests;
