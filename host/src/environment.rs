//! The environment: the only place that reads variables and files named in a pipeline file.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use sluice_model::secret::{Flaw, Secret};
use sluice_plan::spec::SecretRef;

/// The folder for compiled plugins.
pub const CACHE_DIR: &str = "SLUICE_CACHE_DIR";

/// Bytes of a file that are read: far more than the memory of any plugin that is handed one.
const LARGEST_FILE: u64 = 1 << 30;

/// Why something that the pipeline file refers to is not there. The values of secrets never stand in it.
#[derive(Debug, thiserror::Error)]
pub enum Missing {
    /// A variable that is not set, or empty.
    #[error("the environment variable `{0}` is not set, or empty")]
    Variable(String),
    /// A variable that is no text.
    #[error("the environment variable `{0}` is no UTF-8 text")]
    VariableNoText(String),
    /// A token or a key that cannot be one.
    #[error("{place} {flaw}")]
    Flawed {
        /// Where it stands.
        place: String,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// A file that cannot be read.
    #[error("`{file}` cannot be read: {reason}", file = .file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system says.
        reason: std::io::Error,
    },
    /// A folder, a pipe or a device: what might have no end.
    #[error("`{file}` is no regular file", file = .0.display())]
    NoFile(PathBuf),
    /// A file of more bytes than anything here has.
    #[error("`{file}` is larger than {} MiB", LARGEST_FILE >> 20, file = .0.display())]
    TooLarge(PathBuf),
    /// A secret that is no text.
    #[error("`{file}` is no UTF-8 text", file = .0.display())]
    NoText(PathBuf),
    /// A file with nothing in it.
    #[error("`{file}` is empty", file = .0.display())]
    Empty(PathBuf),
}

impl Missing {
    /// What would mend a secret.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Flawed { flaw, .. } => flaw.hint(),
            _ => "the pipeline file only says where the secret is; put it there",
        }
    }
}

/// The value of a secret that is a token or an access key: refused here if it cannot be one, before it is sent anywhere.
pub fn credential(reference: &SecretRef, folder: &Path) -> Result<Secret, Missing> {
    let secret = secret(reference, folder)?;
    let Some(flaw) = secret.flaw() else { return Ok(secret) };
    let place = match reference {
        SecretRef::Env(name) => format!("the environment variable `{name}`"),
        SecretRef::File(path) => format!("`{}`", folder.join(path).display()),
    };
    Err(Missing::Flawed { place, flaw })
}

/// The value of a secret. Relative paths start from `folder`.
pub fn secret(reference: &SecretRef, folder: &Path) -> Result<Secret, Missing> {
    match reference {
        SecretRef::Env(name) => {
            let value = match env::var(name) {
                Ok(value) => value,
                Err(env::VarError::NotPresent) => String::new(),
                Err(env::VarError::NotUnicode(_)) => return Err(Missing::VariableNoText(name.clone())),
            };
            let secret = Secret::new(&value);
            if secret.is_empty() { Err(Missing::Variable(name.clone())) } else { Ok(secret) }
        }
        SecretRef::File(path) => {
            let bytes = file(path, folder)?;
            let file = folder.join(path);
            let text = String::from_utf8(bytes).map_err(|_| Missing::NoText(file.clone()))?;
            let secret = Secret::new(&text);
            if secret.is_empty() { Err(Missing::Empty(file)) } else { Ok(secret) }
        }
    }
}

/// The content of a file. Relative paths start from `folder`.
pub fn file(path: &Path, folder: &Path) -> Result<Vec<u8>, Missing> {
    let file = folder.join(path);
    let failed = |reason| Missing::File { file: file.clone(), reason };
    // Asked before it is opened: a pipe that nobody writes to cannot even be opened.
    let metadata = fs::metadata(&file).map_err(failed)?;
    if !metadata.is_file() {
        return Err(Missing::NoFile(file));
    }
    if metadata.len() > LARGEST_FILE {
        return Err(Missing::TooLarge(file));
    }
    fs::read(&file).map_err(failed)
}

/// Where [`CACHE_DIR`] says that compiled plugins are kept.
pub fn chosen_cache_folder() -> Option<PathBuf> {
    path(CACHE_DIR)
}

/// Where compiled plugins are kept unless anybody says otherwise: `sluice` in the user's cache folder. `None` where the user
/// has none.
pub fn usual_cache_folder() -> Option<PathBuf> {
    of_user("XDG_CACHE_HOME", ".cache").map(|folder| folder.join("sluice"))
}

/// Where the key is kept that compiled plugins are sealed with: under `sluice` in the user's folder for what programs keep of
/// their own. `None` where the user has none.
pub fn cache_key() -> Option<PathBuf> {
    of_user("XDG_STATE_HOME", ".local/state").map(|folder| folder.join("sluice/plugin-cache.key"))
}

/// A folder of the user's: what the variable says, or its usual place at home. A relative path means nothing there: it would
/// be another folder in each folder that sluice is started in.
fn of_user(variable: &str, usual: &str) -> Option<PathBuf> {
    let named = path(variable).filter(|folder| folder.is_absolute());
    named.or_else(|| env::home_dir().filter(|home| home.is_absolute()).map(|home| home.join(usual)))
}

fn path(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}
