//! State: what one run must know of others.
//!
//! So far that is the lease: one run at a time reads HubSpot for a bucket. (What the tables hold is the commit log's
//! business, in `table`.)
//!
//! | stopped after | found by the next run | decision |
//! |---|---|---|
//! | the lease was taken | an entry that has not ended | refuse, and name the holder, until it ends |
//! | the lease has ended | an entry past its end | take it over |
//! | the run was done | a released entry | take it |
//! | two runs at once | the other's entry, created first | refuse, and name the holder |

pub mod lease;
