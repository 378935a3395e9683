//! For tests of folders that a user may not look into: root may look everywhere.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use rustix::{
    process::{Uid, geteuid},
    thread::set_thread_res_uid,
};

/// Does something of which all files are looked at by a user that is not root.
pub(crate) fn as_nobody(work: impl Future<Output = ()>) {
    let become_nobody = || {
        if geteuid().is_root() {
            let nobody = Uid::from_raw(65534);
            set_thread_res_uid(nobody, nobody, nobody).unwrap();
        }
    };
    // Files are looked at on threads of their own, and this is for each of them.
    let runtime = tokio::runtime::Builder::new_current_thread().on_thread_start(become_nobody).build().unwrap();
    runtime.block_on(work);
}

/// Sets what all users may do with a folder.
pub(crate) fn let_all(folder: &Path, mode: u32) {
    fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
}
