//! The cryptography of all connections: that of `ring`, which is enough for every service that sluice speaks to, and builds
//! in seconds where its alternative takes minutes.

use rustls::{
    RootCertStore,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, pem::PemObject},
};

/// Makes `ring` the cryptography of this process, unless there is one already. To be called before a client is built.
pub fn set_up() {
    // It fails if there is one: then that is the one.
    drop(CryptoProvider::install_default(ring::default_provider()));
}

/// Checks that certificates of authorities, as PEM, can be read and used, each of them; says what is wrong otherwise.
pub fn check_authorities(pem: &[u8]) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| format!("a certificate in it cannot be read: {error}"))?;
        roots.add(certificate).map_err(|error| format!("a certificate in it cannot be read: {error}"))?;
    }
    if roots.is_empty() { Err("no certificate is in it: it must be PEM".to_owned()) } else { Ok(()) }
}
