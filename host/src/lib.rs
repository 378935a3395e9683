//! sluice moves HubSpot data to S3 and lets its owner decide, in code, what may pass.

pub mod outline;
pub mod schema;
pub mod secret;
