//! The account as its clients see it: the AWS SDK, `object_store`, and requests signed by hand.

mod access;
mod client;
mod faults;
mod objects;
mod sts;
mod uploads;
