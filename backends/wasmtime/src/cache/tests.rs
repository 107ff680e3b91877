//! The cache against its directory: everything in an entry's place but the entry is a miss.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, SystemTime},
};

use tempfile::TempDir;

use super::*;

const CONTENT: &[&[u8]] = &[b"header", b"", b"code"];

fn name(number: u8) -> EntryName {
    EntryName::of(&[&[number]])
}

fn scratch() -> (TempDir, CodeCache) {
    let directory = tempfile::tempdir().unwrap();
    let cache = CodeCache::in_dir(directory.path().join("cache")).unwrap();
    assert!(cache.unusable().is_none(), "{:?}", cache.unusable());
    (directory, cache)
}

fn file(cache: &CodeCache, name: EntryName) -> PathBuf {
    cache.path().join(name.to_string())
}

fn get(cache: &CodeCache, name: EntryName) -> Option<Vec<u8>> {
    cache.get(name, |content| Some(content.to_vec()))
}

fn files(cache: &CodeCache) -> Vec<String> {
    let names = fs::read_dir(cache.path()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// Whether a path is refused, and the problem names it.
fn is_insecure(path: &Path, named: &Path) {
    let error = CodeCache::in_dir(path).unwrap_err();
    assert_eq!(error.path, named, "{error}");
}

#[test]
fn what_is_put_is_got_by_its_name_and_by_every_cache_of_the_directory() {
    let (_directory, cache) = scratch();
    assert_eq!(get(&cache, name(1)), None);
    cache.put(name(1), CONTENT);
    for cache in [&cache, &CodeCache::in_dir(cache.path()).unwrap()] {
        assert_eq!(get(cache, name(1)), Some(CONTENT.concat()));
        assert_eq!(get(cache, name(2)), None);
        assert!(!cache.is_damaged(name(1)) && !cache.is_damaged(name(2)), "one is sound, and one is not there");
    }
    assert_eq!(cache.entries().iter().map(|entry| entry.name).collect::<Vec<_>>(), [name(1)]);
    assert_eq!(cache.clear(), 1);
    assert_eq!(get(&cache, name(1)), None);
    assert_eq!(files(&cache), ["key"]);
}

#[test]
fn only_the_owner_reads_it() {
    let (_directory, cache) = scratch();
    cache.put(name(1), CONTENT);
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(cache.path()), 0o700);
    assert_eq!(mode(&cache.path().join("key")), 0o600);
    assert_eq!(mode(&file(&cache, name(1))), 0o600);
}

#[test]
fn a_damaged_entry_is_a_miss_and_goes() {
    let (_directory, cache) = scratch();
    cache.put(name(1), CONTENT);
    let whole = fs::read(file(&cache, name(1))).unwrap();
    let damaged = (0..whole.len()).flat_map(|at| {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        [whole[..at].to_vec(), flipped]
    });
    for bytes in damaged.chain([[&whole[..], b"more"].concat()]) {
        fs::write(file(&cache, name(1)), &bytes).unwrap();
        assert!(cache.is_damaged(name(1)));
        assert_eq!(get(&cache, name(1)), None);
        assert!(!file(&cache, name(1)).exists());
    }
    cache.put(name(1), CONTENT);
    assert_eq!(get(&cache, name(1)), Some(CONTENT.concat()), "it is written again");
}

#[test]
fn entries_are_not_taken_for_each_other() {
    let (directory, cache) = scratch();
    let other = CodeCache::in_dir(directory.path().join("other")).unwrap();
    cache.put(name(1), CONTENT);
    fs::copy(file(&cache, name(1)), file(&cache, name(2))).unwrap();
    assert_eq!(get(&cache, name(2)), None, "under another name");
    fs::copy(file(&cache, name(1)), file(&other, name(1))).unwrap();
    assert_eq!(get(&other, name(1)), None, "with another key");
    // Somebody who can write the directory, and does not know the key.
    let seal = Key::of(&Directory::open(other.path()).unwrap()).unwrap().seal(name(3), CONTENT);
    fs::write(file(&cache, name(3)), [&seal[..], &CONTENT.concat()].concat()).unwrap();
    assert_eq!(get(&cache, name(3)), None, "forged");
}

#[test]
fn links_are_not_followed() {
    let (directory, cache) = scratch();
    cache.put(name(1), CONTENT);
    let elsewhere = directory.path().join("elsewhere");
    fs::rename(file(&cache, name(1)), &elsewhere).unwrap();
    symlink(&elsewhere, file(&cache, name(1))).unwrap();
    assert_eq!(get(&cache, name(1)), None);
    cache.put(name(1), CONTENT);
    assert!(!fs::symlink_metadata(file(&cache, name(1))).unwrap().is_symlink(), "written in the place of the link");

    let key = cache.path().join("key");
    fs::rename(&key, &elsewhere).unwrap();
    symlink(&elsewhere, &key).unwrap();
    assert!(CodeCache::in_dir(cache.path()).unwrap().unusable().is_some(), "a key behind a link");

    let link = directory.path().join("link");
    symlink(cache.path(), &link).unwrap();
    assert!(CodeCache::in_dir(&link).unwrap().unusable().is_some(), "a directory behind a link");
}

#[test]
fn what_others_may_change_is_refused() {
    let (_directory, cache) = scratch();
    let (path, key) = (cache.path(), cache.path().join("key"));
    for mode in [0o720, 0o702, 0o777] {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        is_insecure(path, path);
    }
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    for mode in [0o640, 0o604, 0o620, 0o602] {
        fs::set_permissions(&key, Permissions::from_mode(mode)).unwrap();
        is_insecure(path, &key);
    }
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    assert!(CodeCache::in_dir(path).unwrap().unusable().is_none());
}

#[test]
fn a_directory_that_fails_is_a_miss_and_no_error() {
    let directory = tempfile::tempdir().unwrap();
    let blocked = directory.path().join("file");
    fs::write(&blocked, "").unwrap();
    for path in [blocked.join("cache"), blocked.clone(), "/proc/self/cache".into()] {
        let cache = CodeCache::in_dir(&path).unwrap();
        assert!(cache.unusable().is_some(), "{}", path.display());
        cache.put(name(1), CONTENT);
        assert_eq!((get(&cache, name(1)), cache.entries().len(), cache.clear()), (None, 0, 0));
    }
    let (_directory, gone) = scratch();
    gone.put(name(1), CONTENT);
    fs::remove_dir_all(gone.path()).unwrap();
    gone.put(name(2), CONTENT);
    assert_eq!((get(&gone, name(1)), get(&gone, name(2))), (None, None));
    for key in [&b""[..], b"short", &[7; 33]] {
        let (_directory, cache) = scratch();
        fs::write(cache.path().join("key"), key).unwrap();
        assert!(CodeCache::in_dir(cache.path()).unwrap().unusable().is_some(), "{} bytes of key", key.len());
    }
}

#[test]
fn what_was_not_used_for_the_longest_time_goes_first() {
    let (_directory, cache) = scratch();
    let content: &[&[u8]] = &[&[0; 1_000]];
    let used = |number: u8, seconds_ago: u64| {
        let file = fs::File::options().write(true).open(file(&cache, name(number))).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(seconds_ago)).unwrap();
    };
    for number in 1..=4 {
        cache.put(name(number), content);
        used(number, 100 - u64::from(number));
    }
    let unfinished = |digit: &str| cache.path().join(format!("new-{}", digit.repeat(32)));
    let theirs = cache.path().join("new-thesis");
    for (path, age) in [(unfinished("a"), 7_200), (unfinished("b"), 60), (theirs.clone(), 7_200)] {
        fs::write(&path, "unfinished").unwrap();
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
    }
    fs::write(cache.path().join("notes of somebody"), [0; 100_000]).unwrap();
    assert!(get(&cache, name(1)).is_some(), "used now");
    cache.clone().with_limit(3_500).put(name(5), content);
    let there: Vec<bool> = (1..=5).map(|number| file(&cache, name(number)).exists()).collect();
    assert_eq!(there, [true, false, false, true, true]);
    assert!(!unfinished("a").exists(), "left behind by a process that ended");
    assert!(unfinished("b").exists(), "may still be written");
    assert!(theirs.exists() && cache.path().join("notes of somebody").exists(), "not ours");
    cache.clone().with_limit(500).put(name(6), content);
    assert!(!file(&cache, name(6)).exists(), "larger than the cache");
}

#[test]
fn what_is_larger_than_the_cache_is_not_damaged() {
    let (_directory, cache) = scratch();
    cache.put(name(1), CONTENT);
    let small = cache.with_limit(1);
    assert_eq!(get(&small, name(1)), None);
    assert!(!small.is_damaged(name(1)));
}

#[test]
fn clearing_counts_what_it_has_removed_whatever_others_do() {
    let (_directory, cache) = scratch();
    let is_over = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in (0..=255).cycle() {
                if is_over.load(std::sync::atomic::Ordering::Relaxed) {
                    return;
                }
                cache.put(name(number), CONTENT);
            }
        });
        // A number below zero would be a panic in a debug build, and a large one in this.
        let counts: Vec<usize> = (0..200).map(|_| cache.clear()).collect();
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(counts.iter().all(|count| *count <= 256), "{counts:?}");
    });
}

#[test]
fn one_has_the_lock_and_its_children_keep_it() {
    let (_directory, cache) = scratch();
    let lock = cache.try_lock().unwrap();
    assert!(cache.try_lock().is_none() && CodeCache::in_dir(cache.path()).unwrap().try_lock().is_none());
    let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(lock).spawn().unwrap();
    assert!(cache.try_lock().is_none(), "a child has it");
    drop(child.stdin.take());
    child.wait().unwrap();
    assert!(cache.try_lock().is_some());
    assert_eq!((cache.entries().len(), cache.clear()), (0, 0), "it is no entry");
}

/// Tells the test binary to write, instead of testing.
const WRITER: &str = "HOTCELL_TEST_CACHE_WRITER";

/// Runs one test of this binary again, in a process that is told what to do.
fn again(test: &str, what: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("cache::tests::{test}"), "--nocapture"]).env(WRITER, what);
    // Where our output is a file, it would count against a limit on files.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn content_of(number: u8) -> Vec<u8> {
    vec![number; 50_000]
}

#[test]
fn eight_processes_write_at_once() {
    if let Ok(path) = std::env::var(WRITER) {
        let cache = CodeCache::in_dir(path).unwrap();
        for round in 0..20 {
            for number in 0..8 {
                cache.put(name(number), &[&content_of(number)]);
                let found = get(&cache, name((number + round) % 8));
                assert!(found.is_none_or(|found| found == content_of((number + round) % 8)));
            }
        }
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cache");
    let writers: Vec<_> =
        (0..8).map(|_| again("eight_processes_write_at_once", path.to_str().unwrap()).spawn().unwrap()).collect();
    let cache = CodeCache::in_dir(&path).unwrap();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..100).for_each(|_| cache.put(name(0), &[&content_of(0)])));
        }
    });
    for mut writer in writers {
        assert!(writer.wait().unwrap().success());
    }
    assert_eq!(cache.entries().len(), 8, "all with one key");
    for number in 0..8 {
        assert_eq!(get(&cache, name(number)), Some(content_of(number)));
    }
    assert_eq!(files(&cache).iter().filter(|file| file.starts_with("new-")).count(), 0);
}

#[test]
fn a_limit_on_files_ends_nobody() {
    if let Ok(path) = std::env::var(WRITER) {
        let limit = rustix::process::Rlimit { current: Some(10_000), maximum: Some(10_000) };
        rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).unwrap();
        let cache = CodeCache::in_dir(path).unwrap();
        cache.put(name(1), &[&[0; 20_000]]);
        assert_eq!(get(&cache, name(1)), None);
        cache.put(name(2), CONTENT);
        assert_eq!(get(&cache, name(2)), Some(CONTENT.concat()));
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cache");
    let status = again("a_limit_on_files_ends_nobody", path.to_str().unwrap()).status().unwrap();
    assert!(status.success(), "{status}");
}

#[test]
fn an_entry_is_there_while_it_is_written_again() {
    let (_directory, cache) = scratch();
    cache.put(name(1), &[&content_of(1)]);
    thread::scope(|scope| {
        let writer = scope.spawn(|| (0..500).for_each(|_| cache.put(name(1), &[&content_of(1)])));
        while !writer.is_finished() {
            assert_eq!(get(&cache, name(1)), Some(content_of(1)));
        }
    });
}

#[test]
fn writers_do_not_wait_for_each_other() {
    let (_directory, cache) = scratch();
    let begin = std::sync::Barrier::new(16);
    let content = vec![0; 4 << 20];
    thread::scope(|scope| {
        for number in 0..16 {
            let (cache, begin, content) = (&cache, &begin, &content);
            scope.spawn(move || {
                begin.wait();
                cache.put(name(number), &[content]);
            });
        }
    });
    assert_eq!(cache.entries().len(), 16, "each was kept at its first writing");
}

#[test]
fn a_key_that_is_there_is_not_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let directory = Directory::open(directory.path()).unwrap();
    for content in [[1; 32], [2; 32]] {
        directory.write_new("key", &content).unwrap();
        assert_eq!(directory.read_secret("key").unwrap(), Some([1; 32]));
    }
}
