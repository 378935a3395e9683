//! The seal of the compiled-code cache: who has kept what stands there.
//!
//! A hash would say that a file is whole, and anybody can make one: a repository that is cloned, an archive that is unpacked
//! bring files that belong to the user, as sound as can be. So a file is sealed under a key (HMAC-SHA256), 32 random bytes
//! that this program makes once for each user and keeps in a file that only the user may read. It stands outside the cache,
//! so that what is copied, restored or mounted as a cache brings no key with it.
//!
//! The key is made under a name of its own and put in its place only where none is (so two processes that begin at once have
//! one key), and is asked of the open file whose it is. One that is not as it should be is refused, and nothing is cached.

use std::{
    fmt,
    fs::{DirBuilder, File, Metadata},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The bytes of a seal, and of a key.
pub(super) const SEAL: usize = 32;
/// The permissions of the key's folder: its owner's, nobody else's.
const ONLY_THE_OWNER: u32 = 0o700;
/// The permission bits by which group and others may do anything.
const OTHERS_MAY: u32 = 0o077;
/// Those by which they may write.
const OTHERS_MAY_WRITE: u32 = 0o022;

/// What files are sealed with.
pub(super) struct Key(Hmac<Sha256>);

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key")
    }
}

/// Why there is no key for the cache.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key cannot be made, or not be read.
    #[error("the key of the compiled plugins, `{}`, cannot be used", file.display())]
    Unusable {
        /// The key's file.
        file: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// A file or folder of somebody else, or that somebody else may read or write.
    #[error("the key of the compiled plugins, `{}`, is no secret: {why}", file.display())]
    NoSecret {
        /// The key's file.
        file: PathBuf,
        /// What is wrong with it, or with its folder.
        why: &'static str,
    },
    /// A file that is cut off, or something else altogether.
    #[error("`{}` is not the key of the compiled plugins: it has {found} bytes, not {SEAL}", file.display())]
    NotAKey {
        /// The key's file.
        file: PathBuf,
        /// The bytes it has.
        found: usize,
    },
    /// A key in the folder that it is for.
    #[error("the key of the compiled plugins, `{}`, would be among them", file.display())]
    Within {
        /// The key's file.
        file: PathBuf,
    },
}

impl KeyError {
    /// What would mend it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unusable { .. } => "the key is kept where XDG_STATE_HOME says, or else in the user's home",
            Self::NoSecret { .. } | Self::NotAKey { .. } => {
                "remove that file, or its folder; a new key is made, and plugins are compiled once more"
            }
            Self::Within { .. } => "name another folder for compiled plugins, or for XDG_STATE_HOME",
        }
    }
}

impl Key {
    /// The key in that file, which must belong to `owner`; made if there is none. `cache`: the folder that it is for.
    pub(super) fn open(file: &Path, owner: u32, cache: &Path) -> Result<Self, KeyError> {
        let unusable = |cause| KeyError::Unusable { file: file.to_owned(), cause };
        let no_secret = |why| KeyError::NoSecret { file: file.to_owned(), why };
        let folder = file.parent().unwrap_or(Path::new(""));
        DirBuilder::new().recursive(true).mode(ONLY_THE_OWNER).create(folder).map_err(unusable)?;
        let folder = folder.canonicalize().map_err(unusable)?;
        if folder.starts_with(cache) {
            return Err(KeyError::Within { file: file.to_owned() });
        }
        let of_folder = folder.metadata().map_err(unusable)?;
        if of_folder.uid() != owner || of_folder.mode() & OTHERS_MAY_WRITE != 0 {
            return Err(no_secret("its folder is another user's, or others may write to it"));
        }
        let path = folder.join(file.file_name().unwrap_or_default());
        let open = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make(&folder, &path).and_then(|()| File::open(&path))
            }
            open => open,
        };
        let mut open = open.map_err(unusable)?;
        if let Some(why) = flaw(&open.metadata().map_err(unusable)?, owner) {
            return Err(no_secret(why));
        }
        let mut bytes = Vec::new();
        (&mut open).take(SEAL as u64 + 1).read_to_end(&mut bytes).map_err(unusable)?;
        let Ok(bytes) = <[u8; SEAL]>::try_from(bytes.as_slice()) else {
            return Err(KeyError::NotAKey { file: file.to_owned(), found: bytes.len() });
        };
        Ok(Self::of(bytes))
    }

    pub(super) fn of(bytes: [u8; SEAL]) -> Self {
        Self(Hmac::new_from_slice(&bytes).unwrap_or_else(|_| unreachable!("HMAC takes a key of any length")))
    }

    /// The seal for these bytes, one part after the other.
    pub(super) fn seal(&self, parts: &[&[u8]]) -> [u8; SEAL] {
        self.over(parts).finalize().into_bytes().into()
    }

    /// Whether it is the seal for these bytes. How long that takes says nothing of it.
    pub(super) fn is_seal(&self, seal: &[u8; SEAL], bytes: &[u8]) -> bool {
        self.over(&[bytes]).verify_slice(seal).is_ok()
    }

    fn over(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        parts.iter().fold(self.0.clone(), Mac::chain_update)
    }
}

/// Puts a key in its place, unless there is one by then.
fn make(folder: &Path, path: &Path) -> io::Result<()> {
    let mut bytes = [0; SEAL];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&bytes)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(error.error),
        _ => Ok(()),
    }
}

/// What is wrong with the file of a key, if anything is.
fn flaw(metadata: &Metadata, owner: u32) -> Option<&'static str> {
    match metadata {
        metadata if !metadata.is_file() => Some("it is no regular file"),
        metadata if metadata.uid() != owner => Some("it belongs to another user"),
        metadata if metadata.mode() & OTHERS_MAY != 0 => Some("others may read it"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::PermissionsExt,
        sync::{Arc, Barrier},
        thread,
    };

    use super::*;

    fn open(file: &Path) -> Result<Key, KeyError> {
        Key::open(file, rustix::process::geteuid().as_raw(), Path::new("/the/cache"))
    }

    #[test]
    fn a_key_is_made_once_for_its_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("made/here/key");
        let seal = open(&file).unwrap().seal(&[b"some", b" code"]);
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(file.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
        assert!(open(&file).unwrap().is_seal(&seal, b"some code"));
        assert!(!open(&file).unwrap().is_seal(&seal, b"some cod3"));
        assert!(!open(&folder.path().join("another")).unwrap().is_seal(&seal, b"some code"));
    }

    #[test]
    fn those_who_begin_at_once_have_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let all = Arc::new(Barrier::new(16));
        let seals: Vec<_> = (0..16)
            .map(|_| {
                let (all, file) = (Arc::clone(&all), file.clone());
                thread::spawn(move || {
                    all.wait();
                    open(&file).unwrap().seal(&[b"code"])
                })
            })
            .collect();
        let seals: Vec<_> = seals.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert!(seals.iter().all(|seal| *seal == seals[0]));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "what was made in vain is gone");
    }

    #[test]
    fn a_key_that_is_no_secret_or_no_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        open(&file).unwrap();
        for mode in [0o640, 0o604, 0o620] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(open(&file), Err(KeyError::NoSecret { .. })), "{mode:o}");
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let owner = rustix::process::geteuid().as_raw() + 1;
        assert!(matches!(Key::open(&file, owner, Path::new("/cache")), Err(KeyError::NoSecret { .. })));
        for length in [0, SEAL - 1, SEAL + 1] {
            fs::write(&file, vec![7; length]).unwrap();
            assert!(matches!(open(&file), Err(KeyError::NotAKey { .. })), "{length}");
        }
        fs::remove_file(&file).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(open(&file), Err(KeyError::NoSecret { .. })));
    }

    #[test]
    fn a_key_is_never_within_the_cache() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().canonicalize().unwrap();
        let owner = rustix::process::geteuid().as_raw();
        for file in [
            cache.join("key"),
            cache.join("deep/er/key"),
            cache.join("../").join(cache.file_name().unwrap()).join("key"),
        ] {
            assert!(matches!(Key::open(&file, owner, &cache), Err(KeyError::Within { .. })), "{}", file.display());
        }
    }
}
