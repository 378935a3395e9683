//! The object store's own store for folders, but for what it does with links: that follows them.
//!
//! It lists what lies behind them and fails where they go in a circle, or where a name is no key. So lists are walks of ours,
//! and before anything is read, written or removed, what is on the way to it is looked at. It also makes objects appear
//! whole, and flushes them; all that is its own.

use std::{fmt, io, path::Path};

use async_trait::async_trait;
use futures::{
    FutureExt, StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, local::LocalFileSystem, path::Path as ObjectPath,
};

use super::{
    AT_A_TIME, Folder, beneath, in_background, unfinished,
    walk::{Found, Walk},
};

/// A folder as a store.
#[derive(Debug)]
pub(in crate::bucket) struct FolderStore {
    pub(super) inner: LocalFileSystem,
    pub(super) folder: Folder,
}

impl FolderStore {
    /// Fails if a link is on the way to a path, or what is there can be no object.
    async fn check(&self, path: &ObjectPath) -> Result<()> {
        let (root, name) = (self.folder.root.clone(), path.as_ref().to_owned());
        in_background(move || Ok(beneath::check(&root, &name)?)).await.map_err(told)
    }

    fn walk(&self, prefix: Option<&ObjectPath>) -> Walk {
        self.folder.walk(prefix.map(ObjectPath::as_ref).unwrap_or_default())
    }

    fn list_from(walk: Walk, after: Option<ObjectPath>) -> BoxStream<'static, Result<ObjectMeta>> {
        let pages = stream::try_unfold(Some(walk), move |walk| {
            let after = after.clone();
            async move {
                let Some(mut walk) = walk else { return Ok(None) };
                let page = in_background(move || {
                    let found = walk.by_ref().take(AT_A_TIME).collect::<io::Result<Vec<_>>>()?;
                    let is_last = found.len() < AT_A_TIME;
                    let objects = found.iter().map(|found| object(&walk, found, after.as_ref()));
                    let objects = objects.filter_map(io::Result::transpose).collect::<io::Result<Vec<_>>>()?;
                    Ok((objects, (!is_last).then_some(walk)))
                });
                page.await.map(Some).map_err(told)
            }
        });
        pages.map_ok(|objects: Vec<ObjectMeta>| stream::iter(objects.into_iter().map(Ok))).try_flatten().boxed()
    }
}

/// The object that a file is, if it is whole and comes after a path.
fn object(walk: &Walk, found: &Found, after: Option<&ObjectPath>) -> io::Result<Option<ObjectMeta>> {
    let Ok(location) = ObjectPath::parse(&found.name) else { return Ok(None) };
    if unfinished::has_number(&found.name) || after.is_some_and(|after| location <= *after) {
        return Ok(None);
    }
    let Some(metadata) = walk.look_closer(found)? else { return Ok(None) };
    let last_modified = metadata.modified()?.into();
    Ok(Some(ObjectMeta { location, last_modified, size: metadata.len(), e_tag: None, version: None }))
}

/// A failure of the file system, as the object store tells its own.
fn told(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::NotFound { path: String::new(), source: Box::new(error) },
        _ => Error::Generic { store: "folder", source: Box::new(error) },
    }
}

#[async_trait]
impl ObjectStore for FolderStore {
    async fn put_opts(&self, path: &ObjectPath, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.check(path).await?;
        self.inner.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        path: &ObjectPath,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.check(path).await?;
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &ObjectPath, options: GetOptions) -> Result<GetResult> {
        self.check(path).await?;
        self.inner.get_opts(path, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<ObjectPath>>) -> BoxStream<'static, Result<ObjectPath>> {
        let root = self.folder.root.clone();
        let removed = paths.and_then(move |path| {
            let (root, name) = (root.clone(), path.as_ref().to_owned());
            in_background(move || beneath::remove(&root, &name)).map(|removed| removed.map(|()| path).map_err(told))
        });
        removed.boxed()
    }

    fn list(&self, prefix: Option<&ObjectPath>) -> BoxStream<'static, Result<ObjectMeta>> {
        Self::list_from(self.walk(prefix), None)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&ObjectPath>,
        offset: &ObjectPath,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        Self::list_from(self.walk(prefix), Some(offset.clone()))
    }

    async fn list_with_delimiter(&self, prefix: Option<&ObjectPath>) -> Result<ListResult> {
        let folder = prefix.map(ObjectPath::as_ref).unwrap_or_default().to_owned();
        let within = self.folder.clone();
        let found = in_background(move || {
            let mut walk = Walk::of_one_level(&within.root, &folder, &within.strange);
            let found = walk.by_ref().collect::<io::Result<Vec<_>>>()?;
            let (mut folders, mut objects) = (Vec::new(), Vec::new());
            for found in &found {
                match ObjectPath::parse(&found.name) {
                    Ok(path) if found.is_folder => folders.push(path),
                    _ => objects.extend(object(&walk, found, None)?),
                }
            }
            folders.sort();
            Ok((folders, objects))
        });
        let (common_prefixes, objects) = found.await.map_err(told)?;
        Ok(ListResult { common_prefixes, objects, extensions: http::Extensions::new() })
    }

    async fn copy_opts(&self, from: &ObjectPath, to: &ObjectPath, options: CopyOptions) -> Result<()> {
        self.check(from).await?;
        self.check(to).await?;
        self.inner.copy_opts(from, to, options).await
    }
}

impl fmt::Display for FolderStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root: &Path = &self.folder.root;
        write!(formatter, "folder {}", root.display())
    }
}
