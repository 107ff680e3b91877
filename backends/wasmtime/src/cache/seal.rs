//! The key of a cache, and the seals of its entries.

use std::io::{self, Read};

use super::{EntryName, Unusable, directory::Directory};

/// Begins every entry. Its number grows when entries look otherwise.
const MAGIC: &[u8; 16] = b"hotcell code 1\r\n";
const SEAL: usize = blake3::OUT_LEN;
/// Bytes of an entry before its content.
pub(super) const SEALED: usize = MAGIC.len() + SEAL;
/// File of the key.
const KEY: &str = "key";

/// What only this user knows.
pub(super) struct Key([u8; blake3::KEY_LEN]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    /// The directory's key; a new one where it has none.
    pub(super) fn of(directory: &Directory) -> Result<Self, Unusable> {
        if let Some(key) = directory.read_secret::<{ blake3::KEY_LEN }>(KEY)? {
            return Ok(Self(key));
        }
        let mut key = [0; blake3::KEY_LEN];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        directory.write_new(KEY, &key)?;
        // Of several processes that begin at once, one has written it.
        match directory.read_secret(KEY)? {
            Some(key) => Ok(Self(key)),
            None => Err(io::Error::from(io::ErrorKind::NotFound).into()),
        }
    }

    /// What comes before the content of an entry.
    pub(super) fn seal(&self, name: EntryName, content: &[&[u8]]) -> [u8; SEALED] {
        let mut sealed = [0; SEALED];
        let (magic, seal) = sealed.split_at_mut(MAGIC.len());
        magic.copy_from_slice(MAGIC);
        seal.copy_from_slice(self.mac(name, content).as_bytes());
        sealed
    }

    /// The content of an entry of this name.
    pub(super) fn open<'a>(&self, name: EntryName, sealed: &'a [u8]) -> Option<&'a [u8]> {
        let (header, content) = sealed.split_at_checked(SEALED)?;
        let seal: [u8; SEAL] = header.strip_prefix(MAGIC)?.try_into().ok()?;
        // Compared in constant time.
        (self.mac(name, &[content]) == blake3::Hash::from_bytes(seal)).then_some(content)
    }

    /// Whether all of a file is an entry of this name. It is not kept.
    pub(super) fn seals(&self, name: EntryName, mut file: impl Read) -> bool {
        let mut header = [0; SEALED];
        let mut mac = self.begin_mac(name);
        if file.read_exact(&mut header).is_err() || mac.update_reader(file).is_err() {
            return false;
        }
        let seal = header.strip_prefix(MAGIC).and_then(|seal| <[u8; SEAL]>::try_from(seal).ok());
        seal.is_some_and(|seal| mac.finalize() == blake3::Hash::from_bytes(seal))
    }

    fn begin_mac(&self, name: EntryName) -> blake3::Hasher {
        let mut mac = blake3::Hasher::new_keyed(&self.0);
        mac.update(MAGIC).update(&name.0);
        mac
    }

    /// Over the format, the name and the content, each of which has one length.
    fn mac(&self, name: EntryName, content: &[&[u8]]) -> blake3::Hash {
        let mut mac = self.begin_mac(name);
        content.iter().for_each(|part| {
            mac.update(part);
        });
        mac.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTENT: &[&[u8]] = &[b"\x00\x01", b"", b"code"];

    fn sealed(key: &Key, name: EntryName) -> Vec<u8> {
        [&key.seal(name, CONTENT)[..], &CONTENT.concat()].concat()
    }

    #[test]
    fn only_what_was_sealed_opens() {
        let (key, name) = (Key([7; 32]), EntryName::of(&[b"module", b"settings"]));
        let entry = sealed(&key, name);
        assert_eq!(key.open(name, &entry), Some(&CONTENT.concat()[..]));
        assert!(key.seals(name, &entry[..]));
        for length in 0..entry.len() {
            assert_eq!(key.open(name, &entry[..length]), None, "truncated to {length}");
            assert!(!key.seals(name, &entry[..length]), "truncated to {length}");
        }
        for byte in 0..entry.len() {
            for bit in 0..8 {
                let mut flipped = entry.clone();
                flipped[byte] ^= 1 << bit;
                assert_eq!(key.open(name, &flipped), None, "bit {bit} of byte {byte}");
                assert!(!key.seals(name, &flipped[..]), "bit {bit} of byte {byte}");
            }
        }
        assert_eq!(key.open(name, &[&entry[..], &[0]].concat()), None, "longer");
        assert_eq!(key.open(EntryName::of(&[b"module", b"other"]), &entry), None, "under another name");
        assert_eq!(Key([8; 32]).open(name, &entry), None, "with another key");
    }

    #[test]
    fn parts_of_a_name_do_not_run_into_each_other() {
        assert_ne!(EntryName::of(&[b"ab", b"c"]), EntryName::of(&[b"a", b"bc"]));
        assert_ne!(EntryName::of(&[b"ab"]), EntryName::of(&[b"ab", b""]));
        let name = EntryName::of(&[b"ab"]);
        assert_eq!(EntryName::parse(&name.to_string()), Some(name));
        assert_eq!(EntryName::parse(&name.to_string().to_uppercase()), None);
        assert_eq!(EntryName::parse("key"), None);
    }
}
