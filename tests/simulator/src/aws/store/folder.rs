//! The bucket as a folder: each object is a plain file under its key, and nothing else is in the folder.
//!
//! Whatever arrives is first written to the work folder beside the bucket, and moved in when it is complete and allowed; a
//! reader of the folder sees an object before a put or after it, never half.
//!
//! The folder is the truth. A file that somebody else puts there is an object, one that somebody removes is gone. Only what
//! a file cannot hold (the `ETag` of a multipart upload, content type, user metadata) is remembered in memory, for as long as
//! the file is the one it was learnt of.
//!
//! Two limits follow from files: keys are relative paths without empty, `.` or `..` segments, and no key can stand under
//! another one (`a` and `a/b`). Such a key is refused with `InvalidArgument`.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use http::HeaderMap;
use s3s::crypto::{Checksum, Md5};
use s3s::dto::ETag;
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::conditions::Conditions;
use super::work::{Temporary, WorkFolder};
use crate::aws::errors;

/// The longest name of a file on the usual file systems.
const LONGEST_SEGMENT: usize = 255;
/// How much is read at once where a file is hashed.
const HASH_BUFFER: usize = 64 * 1024;

/// The bucket, and beside it the place where its next objects are written.
#[derive(Debug)]
pub(super) struct Folder {
    bucket: PathBuf,
    work: Arc<WorkFolder>,
    /// What is remembered of the files, and the lock under which names in the bucket change.
    known: Mutex<HashMap<String, Known>>,
}

/// What is remembered of an object, as long as its file is unchanged.
#[derive(Debug, Clone)]
struct Known {
    size: u64,
    modified: SystemTime,
    etag: String,
    attributes: HeaderMap,
}

/// An object, opened: the file stays readable when the object is replaced or deleted.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) file: File,
    pub(super) size: u64,
    pub(super) modified: SystemTime,
    pub(super) etag: String,
    pub(super) attributes: HeaderMap,
}

impl Folder {
    /// Opens `root/bucket` and makes it if it is not there.
    ///
    /// Fails with [`io::ErrorKind::WouldBlock`] where another simulator works on the same folder.
    pub(super) fn open(root: &Path, bucket: &str) -> io::Result<Self> {
        let work = Arc::new(WorkFolder::open(root)?);
        let bucket = root.join(bucket);
        fs::create_dir_all(&bucket)?;
        Ok(Self { bucket, work, known: Mutex::default() })
    }

    /// Whether the bucket exists; somebody may have removed the folder.
    pub(super) fn exists(&self) -> bool {
        self.bucket.is_dir()
    }

    /// A new, empty file outside the bucket, open for writing.
    pub(super) fn temporary(&self) -> io::Result<(Temporary, File)> {
        WorkFolder::temporary(&self.work)
    }

    /// Makes `temporary` the object `key`, if the conditions hold. Of any number of calls for one key, each sees the outcome
    /// of the one before.
    pub(super) fn publish(
        &self,
        key: &str,
        temporary: &Temporary,
        etag: &str,
        attributes: HeaderMap,
        conditions: &Conditions,
    ) -> S3Result<()> {
        let path = self.path_of(key)?;
        let mut known = self.known();
        if !self.exists() {
            return Err(errors::no_such_bucket());
        }
        let current = match open_file(&path)? {
            Some(file) => Some(Self::describe(key, file, &mut known)?.etag),
            None => None,
        };
        conditions.allow_write(current.as_deref())?;

        let arrived = fs::metadata(temporary.path()).map_err(errors::from_disk)?;
        let modified = arrived.modified().map_err(errors::from_disk)?;
        path.parent().map_or(Ok(()), fs::create_dir_all).map_err(unplaceable)?;
        if let Err(error) = fs::rename(temporary.path(), &path) {
            self.prune(&path);
            return Err(unplaceable(error));
        }
        known.insert(key.to_owned(), Known { size: arrived.len(), modified, etag: etag.to_owned(), attributes });
        Ok(())
    }

    /// The object, or `NoSuchKey`, or `NoSuchBucket`.
    pub(super) fn object(&self, key: &str) -> S3Result<Object> {
        let path = self.path_of(key)?;
        let mut known = self.known();
        match open_file(&path)? {
            Some(file) => Self::describe(key, file, &mut known),
            None if self.exists() => Err(errors::no_such_key()),
            None => Err(errors::no_such_bucket()),
        }
    }

    /// Removes the object and the folders that only it kept. To remove what is not there is no error.
    pub(super) fn remove(&self, key: &str, conditions: &Conditions) -> S3Result<()> {
        let path = self.path_of(key)?;
        let mut known = self.known();
        if !self.exists() {
            return Err(errors::no_such_bucket());
        }
        let Some(file) = open_file(&path)? else {
            return conditions.allow_write(None);
        };
        conditions.allow_write(Some(&Self::describe(key, file, &mut known)?.etag))?;
        fs::remove_file(&path).map_err(errors::from_disk)?;
        known.remove(key);
        self.prune(&path);
        Ok(())
    }

    /// All keys that begin with `prefix`, ascending.
    pub(super) fn keys(&self, prefix: &str) -> S3Result<Vec<String>> {
        if !self.exists() {
            return Err(errors::no_such_bucket());
        }
        let mut keys = Vec::new();
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            let entries = match fs::read_dir(self.bucket.join(&folder)) {
                Ok(entries) => entries,
                Err(error) if is_absent(&error) => continue, // a delete removed its last object
                Err(error) => return Err(errors::from_disk(error)),
            };
            for entry in entries {
                let entry = entry.map_err(errors::from_disk)?;
                let Ok(name) = entry.file_name().into_string() else { continue }; // no key has such a name
                let key = format!("{folder}{name}");
                if entry.file_type().map_err(errors::from_disk)?.is_dir() {
                    let inner = key + "/";
                    if inner.starts_with(prefix) || prefix.starts_with(&inner) {
                        folders.push(inner);
                    }
                } else if key.starts_with(prefix) {
                    keys.push(key);
                }
            }
        }
        keys.sort_unstable();
        Ok(keys)
    }

    /// What is known of the file, which is hashed if nothing is.
    fn describe(key: &str, mut file: File, known: &mut HashMap<String, Known>) -> S3Result<Object> {
        let metadata = file.metadata().map_err(errors::from_disk)?;
        let (size, modified) = (metadata.len(), metadata.modified().map_err(errors::from_disk)?);
        let remembered = known.get(key).filter(|known| known.size == size && known.modified == modified).cloned();
        let remembered = if let Some(remembered) = remembered {
            remembered
        } else {
            let etag = hex::encode(md5_of(&mut file).map_err(errors::from_disk)?);
            let learnt = Known { size, modified, etag, attributes: HeaderMap::new() };
            known.insert(key.to_owned(), learnt.clone());
            learnt
        };
        Ok(Object { file, size, modified, etag: remembered.etag, attributes: remembered.attributes })
    }

    /// Where the object is, which is never outside the bucket's folder.
    fn path_of(&self, key: &str) -> S3Result<PathBuf> {
        let plain = |segment: &str| !matches!(segment, "" | "." | "..") && !segment.contains(['\\', '\0']);
        if !key.split('/').all(plain) {
            return Err(S3Error::with_message(
                S3ErrorCode::InvalidArgument,
                "The simulator keeps objects as files: a key has no empty segment, no `.` or `..`, and no backslash.",
            ));
        }
        if key.split('/').any(|segment| segment.len() > LONGEST_SEGMENT) {
            return Err(S3Error::with_message(S3ErrorCode::KeyTooLongError, "Your key is too long"));
        }
        Ok(self.bucket.join(key))
    }

    /// Removes the folders above `path` that are empty, for S3 has no folders.
    fn prune(&self, path: &Path) {
        let inside = path.ancestors().skip(1).take_while(|folder| *folder != self.bucket);
        for folder in inside {
            if fs::remove_dir(folder).is_err() {
                return; // not empty
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The file, if there is one; a folder is none.
fn open_file(path: &Path) -> S3Result<Option<File>> {
    match File::open(path) {
        Ok(file) => {
            let is_file = file.metadata().map_err(errors::from_disk)?.is_file();
            Ok(is_file.then_some(file))
        }
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(errors::from_disk(error)),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Why a file could not be moved to its key.
fn unplaceable(error: io::Error) -> S3Error {
    use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, IsADirectory, NotADirectory};
    match error.kind() {
        AlreadyExists | DirectoryNotEmpty | IsADirectory | NotADirectory => S3Error::with_message(
            S3ErrorCode::InvalidArgument,
            "The simulator keeps objects as files: no key can stand under another one.",
        ),
        _ => errors::from_disk(error),
    }
}

/// The digest of the whole file, which is read from the start and left there.
fn md5_of(file: &mut File) -> io::Result<[u8; 16]> {
    let mut hash = Md5::new();
    let mut buffer = vec![0; HASH_BUFFER];
    file.rewind()?;
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => hash.update(&buffer[..read]),
        }
    }
    file.rewind()?;
    Ok(hash.finalize())
}

/// The text of an `ETag` as s3s takes it.
pub(super) fn etag(text: &str) -> ETag {
    ETag::Strong(text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use s3s::dto::ETagCondition;

    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let root = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(root.path(), "bucket").expect("a bucket");
        (root, folder)
    }

    fn put(folder: &Folder, key: &str, text: &str, conditions: &Conditions) -> S3Result<()> {
        let (temporary, mut file) = folder.temporary().expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        folder.publish(key, &temporary, text, HeaderMap::new(), conditions)
    }

    fn code(result: S3Result<impl Sized>) -> Option<String> {
        result.err().map(|error| error.code().as_str().to_owned())
    }

    fn files(path: &Path) -> usize {
        fs::read_dir(path).expect("a folder").count()
    }

    #[test]
    fn keys_do_not_leave_the_folder() {
        let (_root, folder) = folder();
        for key in ["../x", "a/../../x", "/etc/passwd", "a//b", "a/", "", ".", "a/./b", "a\\..\\b", "a\0"] {
            assert_eq!(code(folder.path_of(key)).as_deref(), Some("InvalidArgument"), "{key:?}");
        }
        for key in ["a", "a/b.c", "..a/b..", "run=1/ü +%", "_sluice/lease"] {
            let path = folder.path_of(key).expect(key);
            assert!(path.starts_with(&folder.bucket) && path.ends_with(key), "{key:?}");
        }
        assert_eq!(code(folder.path_of(&"x".repeat(256))).as_deref(), Some("KeyTooLongError"));
    }

    #[test]
    fn conditions_are_those_of_the_headers() {
        let (_root, folder) = folder();
        let absent = Conditions { if_none_match: Some(ETagCondition::Any), ..Conditions::default() };
        let is = |text| Conditions { if_match: Some(ETagCondition::ETag(etag(text))), ..Conditions::default() };

        assert_eq!(code(put(&folder, "a/key", "one", &is("one"))).as_deref(), Some("NoSuchKey"));
        assert!(!folder.bucket.join("a").exists());
        assert_eq!(code(put(&folder, "a/key", "one", &absent)), None);
        assert_eq!(code(put(&folder, "a/key", "two", &absent)).as_deref(), Some("PreconditionFailed"));
        assert_eq!(code(put(&folder, "a/key", "two", &is("other"))).as_deref(), Some("PreconditionFailed"));
        assert_eq!(code(put(&folder, "a/key", "two", &is("one"))), None);
        assert_eq!(code(folder.remove("a/key", &is("one"))).as_deref(), Some("PreconditionFailed"));
        assert_eq!(code(folder.remove("a/key", &is("two"))), None);
        assert_eq!(files(&folder.bucket), 0);
    }

    #[test]
    fn a_key_under_another_one_is_refused_and_leaves_nothing() {
        let (_root, folder) = folder();
        let any = Conditions::default();
        put(&folder, "a/b", "text", &any).expect("put");
        assert_eq!(code(put(&folder, "a", "text", &any)).as_deref(), Some("InvalidArgument"));
        assert_eq!(code(put(&folder, "a/b/c/d", "text", &any)).as_deref(), Some("InvalidArgument"));
        assert_eq!(code(folder.object("a")).as_deref(), Some("NoSuchKey"));
        assert_eq!(code(folder.object("a/b/c")).as_deref(), Some("NoSuchKey"));
        assert_eq!(folder.keys("").expect("listed"), ["a/b"]);
    }

    #[test]
    fn files_of_others_are_objects() {
        let (_root, folder) = folder();
        fs::write(folder.bucket.join("by-hand"), "hello").expect("written");
        assert_eq!(folder.object("by-hand").expect("found").etag, "5d41402abc4b2a76b9719d911017c592");
        fs::write(folder.bucket.join("by-hand"), "hello, again").expect("written");
        assert_eq!(folder.object("by-hand").expect("found").size, 12);
        assert_ne!(folder.object("by-hand").expect("found").etag, "5d41402abc4b2a76b9719d911017c592");
        fs::remove_dir_all(&folder.bucket).expect("removed");
        assert_eq!(code(folder.object("by-hand")).as_deref(), Some("NoSuchBucket"));
        assert_eq!(code(put(&folder, "by-hand", "x", &Conditions::default())).as_deref(), Some("NoSuchBucket"));
    }

    #[test]
    fn a_second_simulator_is_refused_until_the_first_ends() {
        let (root, folder) = folder();
        let refused = Folder::open(root.path(), "bucket").expect_err("one too many");
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        drop(folder);
        assert_eq!(files(root.path()), 1, "the work folder is gone");
        Folder::open(root.path(), "bucket").expect("free again");
    }

    /// The promise that commits rest on, without the slower network in between: many writers, one winner, each time.
    #[test]
    fn one_of_many_writers_wins() {
        const WRITERS: usize = 16;
        const ROUNDS: usize = 200;
        let (_root, folder) = folder();
        let absent = Conditions { if_none_match: Some(ETagCondition::Any), ..Conditions::default() };
        let won = AtomicUsize::new(0);
        let barrier = std::sync::Barrier::new(WRITERS);
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (folder, absent, won, barrier) = (&folder, &absent, &won, &barrier);
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        barrier.wait();
                        if put(folder, &format!("commits/{round}"), &writer.to_string(), absent).is_ok() {
                            won.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(won.into_inner(), ROUNDS);
        assert_eq!(folder.keys("commits/").expect("listed").len(), ROUNDS);
    }
}
