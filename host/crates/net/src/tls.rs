//! The cryptography of all connections: that of `ring`, which is enough for every service that sluice speaks to, and builds
//! in seconds where its alternative takes minutes.

use rustls::crypto::{CryptoProvider, ring};

/// Makes `ring` the cryptography of this process, unless there is one already. To be called before a client is built.
pub fn set_up() {
    // It fails if there is one: then that is the one.
    drop(CryptoProvider::install_default(ring::default_provider()));
}
