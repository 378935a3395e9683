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
const MAGIC: &[u8; 8] = b"sluice 3";
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
    held: u64,
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
        held: facts.held,
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
    let StoredFacts { kind, contract, imports, held } = stored;
    Some((Facts { kind, contract: contract.parse().ok()?, imports, held }, code))
}

#[cfg(test)]
mod tests;
