//! The work folder, `.sluice-simulator` beside the bucket: where objects are while they are not objects yet.
//!
//! It is emptied at the start and removed at the end, and locked in between: a second simulator on the same folder is
//! refused.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The name of the work folder.
const WORK_FOLDER: &str = ".sluice-simulator";
/// The file whose lock says that a simulator is at work here.
const LOCK_FILE: &str = "lock";

/// A file outside the bucket, not held open; it is removed when this is dropped, unless it has become an object.
#[derive(Debug)]
pub(super) struct Temporary {
    path: PathBuf,
    _work: Arc<WorkFolder>,
}

impl Temporary {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file for reading.
    pub(super) fn open(&self) -> io::Result<File> {
        File::open(&self.path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Fails where the file has become an object; if it fails otherwise, the work folder is emptied at the next start.
        fs::remove_file(&self.path).ok();
    }
}

/// The folder of temporary files, locked while this lives and then removed.
#[derive(Debug)]
pub(super) struct WorkFolder {
    path: PathBuf,
    files: AtomicU64,
    _lock: File,
}

impl WorkFolder {
    /// Fails with [`io::ErrorKind::WouldBlock`] where another simulator is at work in `root`.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let path = root.join(WORK_FOLDER);
        fs::create_dir_all(&path)?;
        let lock = File::options().write(true).create(true).truncate(false).open(path.join(LOCK_FILE))?;
        lock.try_lock().map_err(|refused| match refused {
            fs::TryLockError::WouldBlock => io::Error::new(
                io::ErrorKind::WouldBlock,
                format!("another simulator is at work in `{}`", path.display()),
            ),
            fs::TryLockError::Error(error) => error,
        })?;
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            if entry.file_name() != LOCK_FILE {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(Self { path, files: AtomicU64::new(0), _lock: lock })
    }

    /// A new, empty file, open for writing.
    pub(super) fn temporary(work: &Arc<Self>) -> io::Result<(Temporary, File)> {
        let number = work.files.fetch_add(1, Ordering::Relaxed);
        let path = work.path.join(number.to_string());
        let file = File::create_new(&path)?;
        Ok((Temporary { path, _work: Arc::clone(work) }, file))
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.path).ok(); // what stays is removed at the next start
    }
}
