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
//! - It holds the key it was made for (digest of the plugin, version of this program, all settings of the engine that code
//!   depends on) and a hash over all the rest, so a file that is cut, damaged, misnamed or foreign does not count.
//! - It is written under another name and then renamed, so no half of a file is ever read.
//!
//! What does not count is passed over, compiled anew and replaced. The cache is never a reason for a plugin to fail.
//! The hash finds damage; it is no signature: who can write as the user can run code as the user anyway.

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
use wasmtime::component::Component;

use super::inspect::{Facts, PluginKind};

/// The first bytes of every file, with the version of its layout.
const MAGIC: &[u8; 8] = b"sluice 1";
/// The bytes of a SHA-256 hash.
const HASH: usize = 32;
/// Begins the name of every file in the folder that is the cache's.
const PREFIX: &str = "plugin-";
/// Files that are kept; the oldest are removed. A pipeline has a few plugins, an interpreter's code some 35 MB.
const MOST_FILES: usize = 32;
/// The folder's permissions: its owner's, nobody else's.
const ONLY_THE_OWNER: u32 = 0o700;
/// The permission bits by which group and others may write.
const OTHERS_MAY_WRITE: u32 = 0o022;

/// A folder of compiled plugins, for one engine.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    owner: u32,
    /// Hash of everything that code depends on beside the plugin.
    engine: [u8; HASH],
}

/// A plugin that needs no more compiling.
pub(super) struct Cached {
    pub(super) facts: Facts,
    pub(super) component: Component,
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
}

impl CacheError {
    /// What would mend it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unusable { .. } | Self::NotAFolder { .. } | Self::AnotherOwner { .. } => "name another folder",
            Self::OthersMayWrite { .. } => {
                "what stands in it is run: remove what is in it, then `chmod 700` it, or name another folder"
            }
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
    pub(super) fn open(folder: &Path, engine: &wasmtime::Engine) -> Result<Self, CacheError> {
        let unusable = |cause| CacheError::Unusable { folder: folder.to_owned(), cause };
        DirBuilder::new().recursive(true).mode(ONLY_THE_OWNER).create(folder).map_err(unusable)?;
        let metadata = fs::symlink_metadata(folder).map_err(unusable)?;
        if !metadata.is_dir() {
            return Err(CacheError::NotAFolder { folder: folder.to_owned() });
        }
        let resolved = folder.canonicalize().map_err(unusable)?;
        // Whose files this program makes is what counts, and a file tells.
        let owner = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempfile_in(&resolved)
            .and_then(|probe| Ok(probe.as_file().metadata()?.uid()))
            .map_err(unusable)?;
        if metadata.uid() != owner {
            return Err(CacheError::AnotherOwner { folder: folder.to_owned() });
        }
        if metadata.mode() & OTHERS_MAY_WRITE != 0 {
            return Err(CacheError::OthersMayWrite { folder: folder.to_owned(), mode: metadata.mode() & 0o777 });
        }
        Ok(Self { folder: resolved, owner, engine: engine_hash(engine) })
    }

    /// The compiled plugin of that digest, if there is one that counts.
    pub(super) fn find(&self, engine: &wasmtime::Engine, digest: &Digest) -> Option<Cached> {
        let key = self.key(digest);
        let mut file = File::open(self.path(&key)).ok()?;
        if !self.is_ours(&file.metadata().ok()?) {
            return None;
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        let (facts, code) = unpack(&bytes, &key)?;
        // SAFETY: `deserialize` must be given what this version of wasmtime compiled with these settings, unchanged. The
        // file was written by `keep`, as its owner and mode say, and holds what was written, as its hash says; the key in
        // it covers this program's version and `precompile_compatibility_hash`.
        #[expect(unsafe_code, reason = "compiled code can only be loaded on trust, which the checks above earn")]
        let component = unsafe { Component::deserialize(engine, code) }.ok()?;
        Some(Cached { facts, component })
    }

    /// Keeps a compiled plugin. If that fails, it is compiled again next time.
    pub(super) fn keep(&self, digest: &Digest, compiled: &Cached) {
        if let Err(error) = self.try_keep(digest, compiled) {
            tracing::warn!(%digest, error = %error, "a compiled plugin could not be kept");
        }
    }

    fn try_keep(&self, digest: &Digest, compiled: &Cached) -> io::Result<()> {
        let key = self.key(digest);
        let code = compiled.component.serialize().map_err(io::Error::other)?;
        let mut file = tempfile::Builder::new().prefix(PREFIX).tempfile_in(&self.folder)?;
        file.write_all(&pack(&key, &compiled.facts, &code)?)?;
        file.persist(self.path(&key)).map_err(|error| error.error)?;
        self.remove_oldest()
    }

    fn remove_oldest(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if is_name(&entry.file_name().to_string_lossy()) {
                files.push((entry.metadata()?.modified()?, entry.path()));
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

    fn key(&self, digest: &Digest) -> [u8; HASH] {
        Sha256::new().chain_update(self.engine).chain_update(digest.as_bytes()).finalize().into()
    }

    fn path(&self, key: &[u8; HASH]) -> PathBuf {
        self.folder.join(format!("{PREFIX}{}", hex::encode(key)))
    }
}

/// Whether a file of this name is the cache's: compiled code, or what a process that was killed began to write. A user's own
/// `plugin-mine.wasm` is not.
fn is_name(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_alphanumeric()))
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

/// `MAGIC`, a hash of the rest, the key, the length of the facts, the facts as JSON, the code.
fn pack(key: &[u8; HASH], facts: &Facts, code: &[u8]) -> io::Result<Vec<u8>> {
    let facts = serde_json::to_vec(&StoredFacts {
        kind: facts.kind,
        contract: facts.contract.to_string(),
        imports: facts.imports.clone(),
    })?;
    let length = u32::try_from(facts.len()).map_err(io::Error::other)?.to_le_bytes();
    let rest = [key, length.as_slice(), &facts, code].concat();
    Ok([MAGIC.as_slice(), &Sha256::digest(&rest), &rest].concat())
}

fn unpack<'a>(bytes: &'a [u8], expected_key: &[u8; HASH]) -> Option<(Facts, &'a [u8])> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (hash, rest) = rest.split_first_chunk::<HASH>()?;
    if Sha256::digest(rest).as_slice() != hash {
        return None;
    }
    let (key, rest) = rest.split_first_chunk::<HASH>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (facts, code) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    if key != expected_key {
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

    fn compiled(engine: &wasmtime::Engine) -> Cached {
        let component = Component::new(engine, wat::parse_str("(component)").unwrap()).unwrap();
        let facts =
            Facts { kind: PluginKind::CoreModule, contract: CONTRACT_VERSION, imports: vec!["a:b/c@0.1.0".to_owned()] };
        Cached { facts, component }
    }

    fn open(folder: &Path, engine: &wasmtime::Engine) -> Cache {
        Cache::open(folder, engine).unwrap()
    }

    fn only_file(folder: &Path) -> PathBuf {
        let files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        files[0].clone()
    }

    #[test]
    fn what_is_kept_is_found_by_its_digest_and_engine_alone() {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine();
        let cache = open(&folder.path().join("made/here"), &engine);
        let digest = Digest::of(b"plugin");
        assert!(cache.find(&engine, &digest).is_none());
        cache.keep(&digest, &compiled(&engine));
        assert_eq!(cache.find(&engine, &digest).unwrap().facts, compiled(&engine).facts);
        assert!(cache.find(&engine, &Digest::of(b"other")).is_none());

        let other = wasmtime::Engine::new(wasmtime::Config::new().consume_fuel(true)).unwrap();
        assert!(open(&cache.folder, &other).find(&other, &digest).is_none());
        assert!(open(&cache.folder, &engine).find(&engine, &digest).is_some());
    }

    #[test]
    fn a_file_that_was_touched_anywhere_does_not_count_and_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine();
        let cache = open(folder.path(), &engine);
        let digest = Digest::of(b"plugin");
        cache.keep(&digest, &compiled(&engine));
        let file = only_file(folder.path());
        let good = fs::read(&file).unwrap();
        for position in (0..good.len()).step_by(good.len() / 50) {
            let mut bytes = good.clone();
            bytes[position] ^= 1;
            fs::write(&file, &bytes).unwrap();
            assert!(cache.find(&engine, &digest).is_none(), "byte {position}");
            fs::write(&file, &good[..position]).unwrap();
            assert!(cache.find(&engine, &digest).is_none(), "cut at {position}");
        }
        cache.keep(&digest, &compiled(&engine));
        assert!(cache.find(&engine, &digest).is_some());
    }

    #[test]
    fn a_sound_file_under_another_name_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine();
        let cache = open(folder.path(), &engine);
        cache.keep(&Digest::of(b"one"), &compiled(&engine));
        let two = Digest::of(b"two");
        fs::rename(only_file(folder.path()), cache.path(&cache.key(&two))).unwrap();
        assert!(cache.find(&engine, &two).is_none());
    }

    #[test]
    fn a_file_that_others_may_write_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine();
        let cache = open(folder.path(), &engine);
        let digest = Digest::of(b"plugin");
        cache.keep(&digest, &compiled(&engine));
        let file = only_file(folder.path());
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o620)).unwrap();
        assert!(cache.find(&engine, &digest).is_none());
    }

    #[test]
    fn a_folder_is_made_for_its_owner_and_others_are_refused() {
        let outer = tempfile::tempdir().unwrap();
        let engine = engine();
        let folder = outer.path().join("cache");
        open(&folder, &engine);
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "the probe is gone");

        fs::set_permissions(&folder, fs::Permissions::from_mode(0o770)).unwrap();
        let error = Cache::open(&folder, &engine).unwrap_err();
        assert!(matches!(error, CacheError::OthersMayWrite { mode: 0o770, .. }), "{error}");

        let link = outer.path().join("link");
        symlink(&folder, &link).unwrap();
        assert!(matches!(Cache::open(&link, &engine), Err(CacheError::NotAFolder { .. })));

        let file = outer.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(Cache::open(&file, &engine), Err(CacheError::Unusable { .. })));
    }

    #[test]
    fn the_oldest_files_go_and_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine();
        let cache = open(folder.path(), &engine);
        let precious = folder.path().join("thesis.txt");
        fs::write(&precious, "").unwrap();
        let compiled = compiled(&engine);
        let digests: Vec<Digest> = (0..=MOST_FILES).map(|n| Digest::of(&n.to_le_bytes())).collect();
        for (age, digest) in digests.iter().rev().enumerate() {
            cache.keep(digest, &compiled);
            if let Ok(file) = File::open(cache.path(&cache.key(digest))) {
                let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000 - age as u64);
                file.set_modified(time).unwrap();
            }
        }
        assert!(precious.exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), MOST_FILES + 1);
    }
}
