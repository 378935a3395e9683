//! Where a bucket is: how its objects are called in messages, and what its keys start with.

use std::path::Path;

/// Where a bucket is, for messages and for reading its errors.
#[derive(Debug)]
pub(super) struct Location {
    pub(super) description: String,
    pub(super) kind: Kind,
}

/// What a place is, as far as its errors differ.
#[derive(Debug)]
pub(super) enum Kind {
    S3 { bucket: String, prefix: String, region: String, proxy: Option<String> },
    Folder,
    Memory,
}

impl Location {
    pub(super) fn s3(bucket: &str, prefix: &str, region: &str) -> Self {
        let prefix = prefix.trim_matches('/').to_owned();
        let description = if prefix.is_empty() { format!("s3://{bucket}") } else { format!("s3://{bucket}/{prefix}") };
        Self {
            description,
            kind: Kind::S3 { bucket: bucket.to_owned(), prefix, region: region.to_owned(), proxy: None },
        }
    }

    /// The same place, reached through a proxy: its host and port.
    pub(super) fn behind(mut self, name: Option<String>) -> Self {
        if let Kind::S3 { proxy, .. } = &mut self.kind {
            *proxy = name;
        }
        self
    }

    pub(super) fn proxy(&self) -> Option<&str> {
        match &self.kind {
            Kind::S3 { proxy, .. } => proxy.as_deref(),
            Kind::Folder | Kind::Memory => None,
        }
    }

    pub(super) fn folder(path: &Path) -> Self {
        Self { description: format!("file://{}", path.display()), kind: Kind::Folder }
    }

    pub(super) fn memory() -> Self {
        Self { description: "memory://".to_owned(), kind: Kind::Memory }
    }

    /// What all keys in the store start with.
    pub(super) fn prefix(&self) -> &str {
        match &self.kind {
            Kind::S3 { prefix, .. } => prefix,
            Kind::Folder | Kind::Memory => "",
        }
    }

    /// The key of a path of the store.
    pub(super) fn key_of<'a>(&self, path: &'a str) -> &'a str {
        path.strip_prefix(self.prefix()).unwrap_or(path).trim_start_matches('/')
    }

    pub(super) fn location(&self, key: &str) -> String {
        if key.is_empty() { self.description.clone() } else { format!("{}/{key}", self.description) }
    }
}
