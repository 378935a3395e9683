//! What all of sluice's clients of the network share.
//!
//! - [`proxy`]: which addresses are asked for through a proxy, and how errors name it;
//! - [`tls`]: the cryptography of all connections.

pub mod proxy;
pub mod tls;
