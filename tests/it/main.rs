//! Tests at sluice's boundaries: the binary, the pipeline with simulated ends, and what the project promises of itself.
//!
//! One binary, so that the heavy libraries are linked once.

/// Golden pipeline files: each `tests/ui/spec/*.toml` with the errors it gets.
mod spec;
/// What the project says of itself: import rules, generated files, module stories.
mod tidy;
