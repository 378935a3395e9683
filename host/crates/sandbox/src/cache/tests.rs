use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::CONTRACT_VERSION;

fn engine() -> wasmtime::Engine {
    wasmtime::Engine::default()
}

fn facts() -> Facts {
    Facts { kind: PluginKind::CoreModule, contract: CONTRACT_VERSION, imports: vec!["a:b/c@0.1.0".to_owned()], held: 7 }
}

/// A user with one key, whatever the folder.
struct User(tempfile::TempDir);

impl User {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn try_open(&self, folder: &Path) -> Result<Cache, CacheError> {
        let place = CachePlace { folder: folder.to_owned(), key: self.0.path().join("key") };
        Cache::open(&place, &engine())
    }

    fn open(&self, folder: &Path) -> Cache {
        self.try_open(folder).unwrap()
    }
}

const CODE: &[u8] = &[0x90; 1000];

fn only_file(folder: &Path) -> PathBuf {
    let files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

#[test]
fn what_is_kept_is_found_by_its_digest_and_engine_alone() {
    let (user, folder) = (User::new(), tempfile::tempdir().unwrap());
    let cache = user.open(&folder.path().join("made/here"));
    let digest = Digest::of(b"plugin");
    assert!(cache.find(&digest).is_none());
    cache.keep(&digest, &facts(), CODE);
    let found = cache.find(&digest).unwrap();
    assert_eq!((&found.facts, &found.file[found.code..]), (&facts(), CODE));
    assert!(cache.find(&Digest::of(b"other")).is_none());

    let other = wasmtime::Engine::new(wasmtime::Config::new().consume_fuel(true)).unwrap();
    let place = CachePlace { folder: cache.folder.clone(), key: user.0.path().join("key") };
    assert!(Cache::open(&place, &other).unwrap().find(&digest).is_none());
    assert!(user.open(&cache.folder).find(&digest).is_some());
}

#[test]
fn what_another_user_has_kept_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let digest = Digest::of(b"plugin");
    User::new().open(folder.path()).keep(&digest, &facts(), CODE);
    let cache = User::new().open(folder.path());
    assert!(cache.find(&digest).is_none());
    cache.keep(&digest, &facts(), CODE);
    assert!(cache.find(&digest).is_some(), "it is replaced");
    only_file(folder.path());
}

#[test]
fn a_file_that_was_touched_anywhere_does_not_count_and_is_replaced() {
    let (user, folder) = (User::new(), tempfile::tempdir().unwrap());
    let cache = user.open(folder.path());
    let digest = Digest::of(b"plugin");
    cache.keep(&digest, &facts(), CODE);
    let file = only_file(folder.path());
    let good = fs::read(&file).unwrap();
    for position in (0..good.len()).step_by(good.len() / 50) {
        let mut bytes = good.clone();
        bytes[position] ^= 1;
        fs::write(&file, &bytes).unwrap();
        assert!(cache.find(&digest).is_none(), "byte {position}");
        fs::write(&file, &good[..position]).unwrap();
        assert!(cache.find(&digest).is_none(), "cut at {position}");
    }
    cache.keep(&digest, &facts(), CODE);
    assert!(cache.find(&digest).is_some());
}

#[test]
fn a_sound_file_under_another_name_does_not_count() {
    let (user, folder) = (User::new(), tempfile::tempdir().unwrap());
    let cache = user.open(folder.path());
    cache.keep(&Digest::of(b"one"), &facts(), CODE);
    let two = Digest::of(b"two");
    fs::rename(only_file(folder.path()), cache.path(&cache.name(&two))).unwrap();
    assert!(cache.find(&two).is_none());
}

#[test]
fn a_file_that_others_may_write_does_not_count() {
    let (user, folder) = (User::new(), tempfile::tempdir().unwrap());
    let cache = user.open(folder.path());
    let digest = Digest::of(b"plugin");
    cache.keep(&digest, &facts(), CODE);
    let file = only_file(folder.path());
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o620)).unwrap();
    assert!(cache.find(&digest).is_none());
}

#[test]
fn a_folder_is_made_for_its_owner_and_others_are_refused() {
    let (user, outer) = (User::new(), tempfile::tempdir().unwrap());
    let folder = outer.path().join("cache");
    user.open(&folder);
    assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "the probe is gone");

    fs::set_permissions(&folder, fs::Permissions::from_mode(0o770)).unwrap();
    let error = user.try_open(&folder).unwrap_err();
    assert!(matches!(error, CacheError::OthersMayWrite { mode: 0o770, .. }), "{error}");

    let link = outer.path().join("link");
    symlink(&folder, &link).unwrap();
    assert!(matches!(user.try_open(&link), Err(CacheError::NotAFolder { .. })));

    let file = outer.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(user.try_open(&file), Err(CacheError::Unusable { .. })));
}

#[test]
fn a_folder_that_holds_the_key_is_refused() {
    let user = User::new();
    let error = user.try_open(user.0.path()).unwrap_err();
    assert!(matches!(error, CacheError::Key(KeyError::Within { .. })), "{error}");
}

#[test]
fn the_oldest_files_go_and_nobody_elses() {
    let (user, folder) = (User::new(), tempfile::tempdir().unwrap());
    let cache = user.open(folder.path());
    let digits = "0".repeat(2 * HASH);
    let others = [
        "thesis.txt",
        "plugin-",
        "plugin-mine",
        "plugin-mine.wasm",
        "plugin-0123abcd",
        &format!("plugin-{digits}0"),
        &format!("plugin-g{}", "0".repeat(2 * HASH - 1)),
        &format!("plugin-A{}", "0".repeat(2 * HASH - 1)),
        &format!("plugin-{}.wasm", "0".repeat(2 * HASH - 5)),
        &format!("my-plugin-{digits}"),
    ];
    for name in others {
        let file = File::create(folder.path().join(name)).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    }
    // A folder of that name is nobody's code.
    let looks_alike = folder.path().join(format!("plugin-{digits}"));
    fs::create_dir(&looks_alike).unwrap();
    // What a process that was killed has left.
    let (left, path) = new_file(folder.path()).unwrap().keep().unwrap();
    left.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let digests: Vec<Digest> = (0..=MOST_FILES).map(|n| Digest::of(&n.to_le_bytes())).collect();
    for (age, digest) in digests.iter().rev().enumerate() {
        cache.keep(digest, &facts(), CODE);
        if let Ok(file) = File::open(cache.path(&cache.name(digest))) {
            let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000 - age as u64);
            file.set_modified(time).unwrap();
        }
    }
    assert!(others.iter().all(|name| folder.path().join(name).exists()) && looks_alike.exists());
    assert!(!path.exists(), "what was left behind is the oldest");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), MOST_FILES + others.len() + 1);
}
