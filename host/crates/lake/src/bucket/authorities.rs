//! Certificate authorities beside those of the system: the file that `AWS_CA_BUNDLE` names, as the AWS command line takes it.
//!
//! A store inside of a company often has a certificate of the company's own. STS and S3 trust the same authorities. (HubSpot
//! is trusted by those of the system alone.)

use std::{env, fs, path::Path};

use super::{cause::Cause, error::BucketError};

/// The variable that names the file.
const VARIABLE: &str = "AWS_CA_BUNDLE";

/// Certificates that are trusted beside the system's own: PEM, of which each can be read.
#[derive(Debug, Clone)]
pub(super) struct Authorities(Vec<u8>);

impl Authorities {
    /// Those that the environment names; `None` if it names none.
    pub(super) fn of_environment() -> Result<Option<Self>, BucketError> {
        match env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
            Some(path) => Self::read(Path::new(&path)).map(Some),
            None => Ok(None),
        }
    }

    fn read(file: &Path) -> Result<Self, BucketError> {
        let name = file.display().to_string();
        let unusable = |source| BucketError::Authorities { variable: VARIABLE, file: name.clone(), source };
        let pem = fs::read(file).map_err(|error| unusable(Cause::of(&error)))?;
        sluice_net::tls::check_authorities(&pem).map_err(|why| unusable(Cause::new(why)))?;
        Ok(Self(pem))
    }

    pub(super) fn pem(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_used_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("authorities.pem");
        let refusal = |content: &[u8]| {
            fs::write(&file, content).unwrap();
            sluice_model::error_chain(&Authorities::read(&file).unwrap_err())
        };
        for (content, why) in [
            (b"".as_slice(), "no certificate is in it"),
            (b"no PEM at all", "no certificate is in it"),
            (b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n", "cannot be read"),
            (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"),
        ] {
            let told = refusal(content);
            assert!(told.contains(VARIABLE) && told.contains("authorities.pem") && told.contains(why), "{told}");
        }
        let told = sluice_model::error_chain(&Authorities::read(&folder.path().join("none")).unwrap_err());
        assert!(told.contains("none"), "{told}");
    }
}
