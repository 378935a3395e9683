//! State: what one run must know of others.
//!
//! So far that is the lease: one run of a pipeline at a time, and no two pipelines with one table. (What the tables hold is the commit log's
//! business, in `table`.)
//!
//! | stopped after | found by the next run | decision |
//! |---|---|---|
//! | the lease was taken | an entry that has not ended | refuse, and name the holder, until it ends |
//! | the lease has ended | an entry past its end | take it over |
//! | the run was done | a released entry | take it |
//! | two runs of a pipeline at once | the other's entry, created first | refuse, and name the holder |
//! | two pipelines with one table | the other's entry, and its claim to that table | refuse, and name both |

pub mod lease;
