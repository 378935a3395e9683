//! The environment: the only place that reads variables and files named in a pipeline file.
//!
//! [`files`] says which files those may be, [`hosts`] which hosts.

mod files;
mod hosts;

use std::{
    env,
    path::{Path, PathBuf},
};

use sluice_model::secret::{Flaw, Secret};
use sluice_plan::spec::SecretRef;

pub use self::{
    files::{Opened, Reach, file, is_in_its_folder},
    hosts::{ALLOWED_HOSTS, AllowedHosts, NoHosts},
};

/// Bytes of the file of a token or a key: far more than either has.
const LARGEST_CREDENTIAL: u64 = 64 << 10;

/// The folder for compiled plugins.
pub const CACHE_DIR: &str = "SLUICE_CACHE_DIR";

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
    /// What is the machine's, and nobody's file.
    #[error("`{file}` is of `/proc`, `/sys` or `/dev`, which are no files to read", file = .0.display())]
    OfTheSystem(PathBuf),
    /// A file that did not come with the pipeline file.
    #[error("`{file}` is {why}, and is not read offline", file = .file.display())]
    OutOfReach {
        /// The file.
        file: PathBuf,
        /// Where it is instead.
        why: &'static str,
    },
    /// Another file was there when it had been opened.
    #[error("`{file}` was exchanged while it was opened", file = .0.display())]
    Exchanged(PathBuf),
    /// A file of more bytes than it may have.
    #[error("`{file}` is larger than {most} bytes", file = .file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// What it may have.
        most: u64,
    },
    /// A secret that is no text.
    #[error("`{file}` is no UTF-8 text", file = .0.display())]
    NoText(PathBuf),
    /// A file with nothing in it.
    #[error("`{file}` is empty", file = .0.display())]
    Empty(PathBuf),
}

impl Missing {
    /// What would mend a file of any use; `None` where that depends on what it is for.
    pub fn hint_of_file(&self) -> Option<&'static str> {
        match self {
            Self::OfTheSystem(_) => Some(
                "write what is to be read into a file of its own; the standard input and `<(…)` are none, and variables are named by `{ env = \"NAME\" }`",
            ),
            Self::OutOfReach { .. } => Some(
                "`--offline` takes a pipeline file for somebody else's: run without it, or copy the file to the pipeline file, under a name without a dot in front",
            ),
            Self::Exchanged(_) => Some("run again when nobody changes it"),
            _ => None,
        }
    }

    /// What would mend a secret.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Flawed { flaw, .. } => flaw.hint(),
            Self::OfTheSystem(_) | Self::OutOfReach { .. } | Self::Exchanged(_) => {
                self.hint_of_file().unwrap_or_default()
            }
            _ => "the pipeline file only says where the secret is; put it there",
        }
    }
}

/// The value of a secret that is a token or an access key: refused here if it cannot be one, before it is sent anywhere.
pub fn credential(reference: &SecretRef, folder: &Path) -> Result<Secret, Missing> {
    let (secret, _) = secret(reference, folder, LARGEST_CREDENTIAL)?;
    let Some(flaw) = secret.flaw() else { return Ok(secret) };
    let place = match reference {
        SecretRef::Env(name) => format!("the environment variable `{name}`"),
        SecretRef::File(path) => format!("`{}`", folder.join(path).display()),
    };
    Err(Missing::Flawed { place, flaw })
}

/// The value of a secret, and where its file is, if it is in one. Relative paths start from `folder`. `most`: the bytes that the
/// file may have.
pub fn secret(reference: &SecretRef, folder: &Path, most: u64) -> Result<(Secret, Option<PathBuf>), Missing> {
    match reference {
        SecretRef::Env(name) => {
            let value = match env::var(name) {
                Ok(value) => value,
                Err(env::VarError::NotPresent) => String::new(),
                Err(env::VarError::NotUnicode(_)) => return Err(Missing::VariableNoText(name.clone())),
            };
            let secret = Secret::new(&value);
            if secret.is_empty() { Err(Missing::Variable(name.clone())) } else { Ok((secret, None)) }
        }
        SecretRef::File(path) => {
            let Opened { path: resolved, bytes } = file(path, folder, Reach::Machine, most)?;
            let file = folder.join(path);
            let text = String::from_utf8(bytes).map_err(|_| Missing::NoText(file.clone()))?;
            let secret = Secret::new(&text);
            if secret.is_empty() { Err(Missing::Empty(file)) } else { Ok((secret, Some(resolved))) }
        }
    }
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
