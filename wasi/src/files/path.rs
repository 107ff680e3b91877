//! Paths of guests: relative, and never above the directory that they begin in.

use alloc::{string::String, vec, vec::Vec};

use super::tree::{NodeId, Tree};
use crate::{
    call::{Call, Stop},
    errno::Errno,
};

/// Bytes of a path.
const MOST_BYTES: u32 = 4096;
/// Bytes of a name.
const MOST_NAME_BYTES: usize = 255;

/// Reads a path from the guest's memory, and pays for following it.
pub(crate) fn read(call: &mut Call<'_>, at: u32, len: u32) -> Result<String, Stop> {
    if len > MOST_BYTES {
        return Err(Errno::Nametoolong.into());
    }
    let bytes = call.memory.bytes(at, len)?;
    call.fuel.spend_following(len.into())?;
    Ok(check(bytes)?.into())
}

/// What holds for the paths of guests and hosts.
pub(crate) fn check(path: &[u8]) -> Result<&str, Errno> {
    let path = core::str::from_utf8(path).map_err(|_| Errno::Ilseq)?;
    if path.is_empty() {
        return Err(Errno::Noent);
    }
    if path.contains('\0') {
        return Err(Errno::Inval);
    }
    if path.starts_with('/') {
        return Err(Errno::Notcapable);
    }
    if path.split('/').any(|name| name.len() > MOST_NAME_BYTES) {
        return Err(Errno::Nametoolong);
    }
    Ok(path)
}

/// Where a path leads, but for its last part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// To a directory: the last part is `.` or `..`.
    Dir(NodeId),
    /// To a name in a directory, which may be there or not.
    Name {
        dir: NodeId,
        name: &'a str,
        /// The path ends with a slash: what has the name must be a directory.
        is_dir: bool,
    },
}

/// Follows a path that was [checked](check), from the directory `start` on.
pub(crate) fn follow<'a>(tree: &Tree, start: NodeId, path: &'a str) -> Result<Place<'a>, Errno> {
    let mut way: Vec<NodeId> = vec![start];
    let mut names = path.split('/').filter(|name| !name.is_empty()).peekable();
    while let Some(name) = names.next() {
        // The way never becomes empty.
        let dir = way[way.len() - 1];
        match name {
            "." => {}
            ".." => {
                way.pop();
                if way.is_empty() {
                    return Err(Errno::Notcapable);
                }
            }
            name if names.peek().is_none() => return Ok(Place::Name { dir, name, is_dir: path.ends_with('/') }),
            name => {
                let next = tree.find(dir, name)?.ok_or(Errno::Noent)?;
                tree.dir(next)?;
                way.push(next);
            }
        }
    }
    Ok(Place::Dir(way[way.len() - 1]))
}

/// Follows a path to something that is there.
pub(crate) fn find(tree: &Tree, start: NodeId, path: &str) -> Result<NodeId, Errno> {
    match follow(tree, start, path)? {
        Place::Dir(dir) => Ok(dir),
        Place::Name { dir, name, is_dir } => {
            let node = tree.find(dir, name)?.ok_or(Errno::Noent)?;
            if is_dir {
                tree.dir(node)?;
            }
            Ok(node)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::tree::{Limits, ROOT};

    fn tree() -> Tree {
        let mut tree = Tree::new(Limits { bytes: 100, entries: 10 });
        let a = tree.create_dir(ROOT, "a", 0).unwrap();
        let b = tree.create_dir(a, "b", 0).unwrap();
        tree.create_file(b, "f", 0).unwrap();
        tree
    }

    #[test]
    fn paths_are_checked() {
        for (path, errno) in [
            (&b""[..], Errno::Noent),
            (b"/", Errno::Notcapable),
            (b"/a", Errno::Notcapable),
            (b"//a", Errno::Notcapable),
            (b"a\0", Errno::Inval),
            (b"\0", Errno::Inval),
            (b"a/\xff", Errno::Ilseq),
            (&[b'a'; 256], Errno::Nametoolong),
        ] {
            assert_eq!(check(path), Err(errno), "{path:?}");
        }
        assert!(check(&[b'a'; 255]).is_ok());
    }

    #[test]
    fn paths_are_followed() {
        let tree = tree();
        let a = find(&tree, ROOT, "a").unwrap();
        let b = find(&tree, ROOT, "a/b").unwrap();
        let f = find(&tree, ROOT, "a/b/f").unwrap();
        for (start, path, expected) in [
            (ROOT, ".", Ok(ROOT)),
            (ROOT, "./", Ok(ROOT)),
            (ROOT, "a/.", Ok(a)),
            (ROOT, "a/", Ok(a)),
            (ROOT, "a//b", Ok(b)),
            (ROOT, "a/../a/./b/f", Ok(f)),
            (ROOT, "a/b/../b/..", Ok(a)),
            (a, "b/f", Ok(f)),
            (ROOT, "..", Err(Errno::Notcapable)),
            (a, "..", Err(Errno::Notcapable)),
            (a, "../a", Err(Errno::Notcapable)),
            (ROOT, "a/../../a", Err(Errno::Notcapable)),
            (ROOT, "c", Err(Errno::Noent)),
            (ROOT, "c/..", Err(Errno::Noent)),
            (ROOT, "a/b/f/", Err(Errno::Notdir)),
            (ROOT, "a/b/f/..", Err(Errno::Notdir)),
            (ROOT, "a/b/f/g", Err(Errno::Notdir)),
            (f, ".", Ok(f)),
            (f, "g", Err(Errno::Notdir)),
        ] {
            assert_eq!(find(&tree, start, path), expected, "{path}");
        }
        assert_eq!(follow(&tree, ROOT, "a/n"), Ok(Place::Name { dir: a, name: "n", is_dir: false }));
        assert_eq!(follow(&tree, ROOT, "a/n/"), Ok(Place::Name { dir: a, name: "n", is_dir: true }));
    }
}
