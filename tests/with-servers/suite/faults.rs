//! Runs under each fault.
