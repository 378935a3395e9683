//! The compiled-code cache: what was compiled once is not compiled again.
//!
//! Compiling takes a second for a plugin in Rust and a quarter of a minute for one that brings an interpreter; loading what
//! was compiled takes a millisecond. So it is kept, in a folder of the user's, a file for each plugin and engine.
//!
//! What stands in that folder is run as native code, with all the rights of this program. Hence:
//! - The folder belongs to the user who runs the program, and nobody else may write to it; otherwise it is refused. It is
//!   no symbolic link, and its path is resolved once.
//! - A file counts only if it belongs to that user and nobody else may write to it, asked of the open file, so that nothing
//!   can be exchanged in between.
//! - It is sealed under a key that only this user's sluice has (`seal`), and names the plugin (by digest), the version of this
//!   program and all settings of the engine that its code depends on. So a file that is cut, damaged, misnamed, or comes from
//!   anybody else, in a repository that was cloned say, does not count.
//! - It is written under another name and then renamed, so no half of a file is ever read.
//!
//! What does not count is passed over, compiled anew and replaced. The cache is never a reason for a plugin to fail.

use std::{
    fs::{self, DirBuilder, File, Metadata},
    hash::{Hash, Hasher},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sluice_model::digest::Digest;
use tempfile::NamedTempFile;

use super::{
    code::{Code, LARGEST_CODE},
    inspect::{Facts, PluginKind},
    seal::{Key, KeyError, SEAL},
};

/// The first bytes of every file, with the version of its layout.
const MAGIC: &[u8; 8] = b"sluice 2";
/// The bytes of a SHA-256 hash.
const HASH: usize = 32;
/// Begins the name of every file in the folder that is the cache's; 64 hexadecimal digits follow.
const PREFIX: &str = "plugin-";
/// The most bytes of a file: its code, and what is noted of it.
const LARGEST_FILE: u64 = LARGEST_CODE as u64 + (1 << 20);
/// Files that are kept; the oldest are removed. A pipeline has a few plugins, an interpreter's code some 35 MB.
const MOST_FILES: usize = 32;
/// The folder's permissions: its owner's, nobody else's.
const ONLY_THE_OWNER: u32 = 0o700;
/// The permission bits by which group and others may write.
const OTHERS_MAY_WRITE: u32 = 0o022;

/// Where compiled code is kept.
#[derive(Debug, Clone)]
pub struct CachePlace {
    /// The folder for the code. It is made if it is missing, for its owner only. It is refused if another user owns it or may
    /// write to it: what stands in it is run.
    pub folder: PathBuf,
    /// The file for the key that it is sealed with, outside of that folder. It is made if it is missing.
    pub key: PathBuf,
}

/// A folder of compiled plugins, for one engine.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    key: Key,
    owner: u32,
    /// Hash of everything that code depends on beside the plugin.
    engine: [u8; HASH],
}

/// A plugin that needs no more compiling: a file of the cache, whose seal is right.
pub(super) struct Cached {
    pub(super) facts: Facts,
    file: Vec<u8>,
    /// Where in it the code begins.
    code: usize,
}

impl Cached {
    pub(super) fn code(&self) -> Code<'_> {
        Code::trusted(self.file.get(self.code..).unwrap_or_default())
    }
}

/// Why a folder cannot keep compiled code.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The folder cannot be made, or not be used.
    #[error("the folder for compiled plugins, `{}`, cannot be used", folder.display())]
    Unusable {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// Not a folder, or a symbolic link to one.
    #[error("`{}` cannot hold compiled plugins: it is a symbolic link, or no folder", folder.display())]
    NotAFolder {
        /// The path.
        folder: PathBuf,
    },
    /// A folder of somebody else.
    #[error("the folder `{}` cannot hold compiled plugins: it belongs to another user", folder.display())]
    AnotherOwner {
        /// The folder.
        folder: PathBuf,
    },
    /// A folder that somebody else may write to.
    #[error(
        "the folder `{}` cannot hold compiled plugins: others may write to it (its mode is {mode:03o})",
        folder.display()
    )]
    OthersMayWrite {
        /// The folder.
        folder: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// There is no key to seal what is kept.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl CacheError {
    /// What would mend it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unusable { .. } | Self::NotAFolder { .. } | Self::AnotherOwner { .. } => "name another folder",
            Self::OthersMayWrite { .. } => {
                "what stands in it is run: remove what is in it, then `chmod 700` it, or name another folder"
            }
            Self::Key(error) => error.hint(),
        }
    }
}

/// What is kept of the facts.
#[derive(Serialize, Deserialize)]
struct StoredFacts {
    kind: PluginKind,
    contract: String,
    imports: Vec<String>,
}

impl Cache {
    /// Opens a folder for the code of an engine, and makes it if it is missing.
    pub(super) fn open(place: &CachePlace, engine: &wasmtime::Engine) -> Result<Self, CacheError> {
        let folder = &place.folder;
        let unusable = |cause| CacheError::Unusable { folder: folder.clone(), cause };
        DirBuilder::new().recursive(true).mode(ONLY_THE_OWNER).create(folder).map_err(unusable)?;
        let metadata = fs::symlink_metadata(folder).map_err(unusable)?;
        if !metadata.is_dir() {
            return Err(CacheError::NotAFolder { folder: folder.clone() });
        }
        let resolved = folder.canonicalize().map_err(unusable)?;
        // Whose files this program makes is what counts, and a file tells.
        let owner = new_file(&resolved).and_then(|probe| Ok(probe.as_file().metadata()?.uid())).map_err(unusable)?;
        if metadata.uid() != owner {
            return Err(CacheError::AnotherOwner { folder: folder.clone() });
        }
        if metadata.mode() & OTHERS_MAY_WRITE != 0 {
            return Err(CacheError::OthersMayWrite { folder: folder.clone(), mode: metadata.mode() & 0o777 });
        }
        let key = Key::open(&place.key, owner, &resolved)?;
        Ok(Self { folder: resolved, key, owner, engine: engine_hash(engine) })
    }

    /// The compiled plugin of that digest, if there is one that counts.
    pub(super) fn find(&self, digest: &Digest) -> Option<Cached> {
        let name = self.name(digest);
        let file = File::open(self.path(&name)).ok()?;
        if !self.is_ours(&file.metadata().ok()?) {
            return None;
        }
        let mut bytes = Vec::new();
        file.take(LARGEST_FILE).read_to_end(&mut bytes).ok()?;
        let (facts, code) = unpack(&bytes, &self.key, &name)?;
        let code = bytes.len() - code.len();
        Some(Cached { facts, file: bytes, code })
    }

    /// Keeps a compiled plugin. If that fails, it is compiled again next time.
    pub(super) fn keep(&self, digest: &Digest, facts: &Facts, code: &[u8]) {
        if let Err(error) = self.try_keep(digest, facts, code) {
            tracing::warn!(%digest, error = %error, "a compiled plugin could not be kept");
        }
    }

    fn try_keep(&self, digest: &Digest, facts: &Facts, code: &[u8]) -> io::Result<()> {
        let name = self.name(digest);
        let head = head(&self.key, &name, facts, code)?;
        let mut file = new_file(&self.folder)?;
        file.write_all(&head)?;
        file.write_all(code)?;
        file.persist(self.path(&name)).map_err(|error| error.error)?;
        self.remove_oldest()
    }

    fn remove_oldest(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_file() && is_name(&entry.file_name().to_string_lossy()) {
                files.push((metadata.modified()?, entry.path()));
            }
        }
        files.sort();
        for (_, path) in files.iter().rev().skip(MOST_FILES) {
            fs::remove_file(path)?;
        }
        Ok(())
    }

    fn is_ours(&self, metadata: &Metadata) -> bool {
        metadata.is_file() && metadata.uid() == self.owner && metadata.mode() & OTHERS_MAY_WRITE == 0
    }

    /// What a plugin's file is called, and says of itself.
    fn name(&self, digest: &Digest) -> [u8; HASH] {
        Sha256::new().chain_update(self.engine).chain_update(digest.as_bytes()).finalize().into()
    }

    fn path(&self, name: &[u8; HASH]) -> PathBuf {
        self.folder.join(format!("{PREFIX}{}", hex::encode(name)))
    }
}

/// A file to write, under a name that nobody else has: what a process that was killed leaves behind is named as all others,
/// and goes when it is the oldest.
fn new_file(folder: &Path) -> io::Result<NamedTempFile> {
    let mut name = [0; HASH];
    getrandom::fill(&mut name).map_err(io::Error::other)?;
    tempfile::Builder::new().prefix(&format!("{PREFIX}{}", hex::encode(name))).rand_bytes(0).tempfile_in(folder)
}

/// Whether a file of this name is the cache's. A user's own `plugin-mine` is not.
fn is_name(name: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    name.strip_prefix(PREFIX).is_some_and(|rest| rest.len() == 2 * HASH && rest.bytes().all(is_digit))
}

/// Everything that compiled code depends on beside the plugin: this program's version, which stands for those of the
/// encoder and of the contract, and whatever wasmtime says matters.
fn engine_hash(engine: &wasmtime::Engine) -> [u8; HASH] {
    struct Hashed(Sha256);

    impl Hasher for Hashed {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        fn finish(&self) -> u64 {
            unreachable!("the whole hash is taken, not a part of it")
        }
    }

    let mut hasher = Hashed(Sha256::new());
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.finalize().into()
}

/// What stands before the code: `MAGIC`, the seal of all that follows, the name, the length of the facts, the facts as JSON.
fn head(key: &Key, name: &[u8; HASH], facts: &Facts, code: &[u8]) -> io::Result<Vec<u8>> {
    let facts = serde_json::to_vec(&StoredFacts {
        kind: facts.kind,
        contract: facts.contract.to_string(),
        imports: facts.imports.clone(),
    })?;
    let length = u32::try_from(facts.len()).map_err(io::Error::other)?.to_le_bytes();
    let sealed = [name.as_slice(), &length, &facts].concat();
    let seal = key.seal(&[&sealed, code]);
    Ok([MAGIC.as_slice(), &seal, &sealed].concat())
}

fn unpack<'a>(bytes: &'a [u8], key: &Key, expected_name: &[u8; HASH]) -> Option<(Facts, &'a [u8])> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (seal, rest) = rest.split_first_chunk::<SEAL>()?;
    // Nothing of what follows is looked at before.
    if !key.is_seal(seal, rest) {
        return None;
    }
    let (name, rest) = rest.split_first_chunk::<HASH>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (facts, code) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    if name != expected_name {
        return None;
    }
    let stored: StoredFacts = serde_json::from_slice(facts).ok()?;
    let facts = Facts { kind: stored.kind, contract: stored.contract.parse().ok()?, imports: stored.imports };
    Some((facts, code))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::CONTRACT_VERSION;

    fn engine() -> wasmtime::Engine {
        wasmtime::Engine::default()
    }

    fn facts() -> Facts {
        Facts { kind: PluginKind::CoreModule, contract: CONTRACT_VERSION, imports: vec!["a:b/c@0.1.0".to_owned()] }
    }

    /// A user with one key, whatever the folder.
    struct User(tempfile::TempDir);

    impl User {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn try_open(&self, folder: &Path) -> Result<Cache, CacheError> {
            let place = CachePlace { folder: folder.to_owned(), key: self.0.path().join("key") };
            Cache::open(&place, &engine())
        }

        fn open(&self, folder: &Path) -> Cache {
            self.try_open(folder).unwrap()
        }
    }

    const CODE: &[u8] = &[0x90; 1000];

    fn only_file(folder: &Path) -> PathBuf {
        let files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        files[0].clone()
    }

    #[test]
    fn what_is_kept_is_found_by_its_digest_and_engine_alone() {
        let (user, folder) = (User::new(), tempfile::tempdir().unwrap());
        let cache = user.open(&folder.path().join("made/here"));
        let digest = Digest::of(b"plugin");
        assert!(cache.find(&digest).is_none());
        cache.keep(&digest, &facts(), CODE);
        let found = cache.find(&digest).unwrap();
        assert_eq!((&found.facts, &found.file[found.code..]), (&facts(), CODE));
        assert!(cache.find(&Digest::of(b"other")).is_none());

        let other = wasmtime::Engine::new(wasmtime::Config::new().consume_fuel(true)).unwrap();
        let place = CachePlace { folder: cache.folder.clone(), key: user.0.path().join("key") };
        assert!(Cache::open(&place, &other).unwrap().find(&digest).is_none());
        assert!(user.open(&cache.folder).find(&digest).is_some());
    }

    #[test]
    fn what_another_user_has_kept_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let digest = Digest::of(b"plugin");
        User::new().open(folder.path()).keep(&digest, &facts(), CODE);
        let cache = User::new().open(folder.path());
        assert!(cache.find(&digest).is_none());
        cache.keep(&digest, &facts(), CODE);
        assert!(cache.find(&digest).is_some(), "it is replaced");
        only_file(folder.path());
    }

    #[test]
    fn a_file_that_was_touched_anywhere_does_not_count_and_is_replaced() {
        let (user, folder) = (User::new(), tempfile::tempdir().unwrap());
        let cache = user.open(folder.path());
        let digest = Digest::of(b"plugin");
        cache.keep(&digest, &facts(), CODE);
        let file = only_file(folder.path());
        let good = fs::read(&file).unwrap();
        for position in (0..good.len()).step_by(good.len() / 50) {
            let mut bytes = good.clone();
            bytes[position] ^= 1;
            fs::write(&file, &bytes).unwrap();
            assert!(cache.find(&digest).is_none(), "byte {position}");
            fs::write(&file, &good[..position]).unwrap();
            assert!(cache.find(&digest).is_none(), "cut at {position}");
        }
        cache.keep(&digest, &facts(), CODE);
        assert!(cache.find(&digest).is_some());
    }

    #[test]
    fn a_sound_file_under_another_name_does_not_count() {
        let (user, folder) = (User::new(), tempfile::tempdir().unwrap());
        let cache = user.open(folder.path());
        cache.keep(&Digest::of(b"one"), &facts(), CODE);
        let two = Digest::of(b"two");
        fs::rename(only_file(folder.path()), cache.path(&cache.name(&two))).unwrap();
        assert!(cache.find(&two).is_none());
    }

    #[test]
    fn a_file_that_others_may_write_does_not_count() {
        let (user, folder) = (User::new(), tempfile::tempdir().unwrap());
        let cache = user.open(folder.path());
        let digest = Digest::of(b"plugin");
        cache.keep(&digest, &facts(), CODE);
        let file = only_file(folder.path());
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o620)).unwrap();
        assert!(cache.find(&digest).is_none());
    }

    #[test]
    fn a_folder_is_made_for_its_owner_and_others_are_refused() {
        let (user, outer) = (User::new(), tempfile::tempdir().unwrap());
        let folder = outer.path().join("cache");
        user.open(&folder);
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "the probe is gone");

        fs::set_permissions(&folder, fs::Permissions::from_mode(0o770)).unwrap();
        let error = user.try_open(&folder).unwrap_err();
        assert!(matches!(error, CacheError::OthersMayWrite { mode: 0o770, .. }), "{error}");

        let link = outer.path().join("link");
        symlink(&folder, &link).unwrap();
        assert!(matches!(user.try_open(&link), Err(CacheError::NotAFolder { .. })));

        let file = outer.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(user.try_open(&file), Err(CacheError::Unusable { .. })));
    }

    #[test]
    fn a_folder_that_holds_the_key_is_refused() {
        let user = User::new();
        let error = user.try_open(user.0.path()).unwrap_err();
        assert!(matches!(error, CacheError::Key(KeyError::Within { .. })), "{error}");
    }

    #[test]
    fn the_oldest_files_go_and_nobody_elses() {
        let (user, folder) = (User::new(), tempfile::tempdir().unwrap());
        let cache = user.open(folder.path());
        let digits = "0".repeat(2 * HASH);
        let others = [
            "thesis.txt",
            "plugin-",
            "plugin-mine",
            "plugin-mine.wasm",
            "plugin-0123abcd",
            &format!("plugin-{digits}0"),
            &format!("plugin-{}g", &digits[1..]),
            &format!("plugin-{}A", &digits[1..]),
            &format!("plugin-{}.wasm", &digits[5..]),
            &format!("my-plugin-{digits}"),
        ];
        for name in others {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        }
        // A folder of that name is nobody's code.
        let looks_alike = folder.path().join(format!("plugin-{digits}"));
        fs::create_dir(&looks_alike).unwrap();
        // What a process that was killed has left.
        let (left, path) = new_file(folder.path()).unwrap().keep().unwrap();
        left.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        let digests: Vec<Digest> = (0..=MOST_FILES).map(|n| Digest::of(&n.to_le_bytes())).collect();
        for (age, digest) in digests.iter().rev().enumerate() {
            cache.keep(digest, &facts(), CODE);
            if let Ok(file) = File::open(cache.path(&cache.name(digest))) {
                let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000 - age as u64);
                file.set_modified(time).unwrap();
            }
        }
        assert!(others.iter().all(|name| folder.path().join(name).exists()) && looks_alike.exists());
        assert!(!path.exists(), "what was left behind is the oldest");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), MOST_FILES + others.len() + 1);
    }
}
