//! The memory that guests and hosts exchange bytes through: blocks in one space of addresses, with their bookkeeping beside
//! them, out of the guest's reach.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

/// Bytes that are added at once: little for a short call, and never moved again.
const CHUNK: usize = 4 << 10;
/// What the host keeps for a block beside its bytes.
const BLOCK_BYTES: u64 = 96;
/// Where blocks begin and end.
const ALIGN: u64 = 16;
/// The lowest address of a block: zero is none.
const FIRST: u64 = 64;
/// The rest of a freed block becomes one of its own from so many bytes on.
const SMALLEST_REST: u64 = 128;
/// No guest has so much memory: sums of addresses below do not overflow.
const MOST: u64 = 1 << 46;

pub(crate) struct Memory {
    chunks: Vec<Box<[u8; CHUNK]>>,
    blocks: BTreeMap<u64, Block>,
    /// Size and address of freed blocks.
    free: BTreeSet<(u64, u64)>,
    /// Where the next block begins.
    end: u64,
}

#[derive(Clone, Copy)]
struct Block {
    size: u64,
    used: u64,
    is_free: bool,
}

impl Default for Memory {
    fn default() -> Self {
        Self { chunks: Vec::new(), blocks: BTreeMap::new(), free: BTreeSet::new(), end: FIRST }
    }
}

impl Memory {
    /// Bytes that can be addressed.
    pub(crate) fn len(&self) -> u64 {
        (self.chunks.len() * CHUNK) as u64
    }

    /// Bytes that the host has for it.
    pub(crate) fn held(&self) -> u64 {
        self.len() + self.blocks.len() as u64 * BLOCK_BYTES
    }

    /// Bytes that the host would have to add for a block of `len` bytes; `None` where no memory is so large.
    pub(crate) fn missing(&self, len: u64) -> Option<u64> {
        let size = size(len)?;
        match self.freed(size) {
            Some((freed, _)) if freed - size >= SMALLEST_REST => Some(BLOCK_BYTES),
            Some(_) => Some(0),
            None => Some(BLOCK_BYTES + self.missing_chunks(size) * CHUNK as u64),
        }
    }

    /// A block of `len` bytes; `None` where the host's memory is used up. A block that was freed is used again with the bytes
    /// that it had.
    pub(crate) fn alloc(&mut self, len: u64) -> Option<u64> {
        let size = size(len)?;
        let block = |size| Block { size, used: len, is_free: false };
        if let Some((freed, at)) = self.freed(size) {
            self.free.remove(&(freed, at));
            let rest = freed - size;
            let is_split = rest >= SMALLEST_REST;
            self.blocks.insert(at, block(if is_split { size } else { freed }));
            if is_split {
                self.blocks.insert(at + size, Block { size: rest, used: 0, is_free: true });
                self.free.insert((rest, at + size));
            }
            return Some(at);
        }
        self.extend(self.missing_chunks(size))?;
        let at = self.end;
        self.end += size;
        self.blocks.insert(at, block(size));
        Some(at)
    }

    /// Frees the block that begins at `at`, if there is one.
    pub(crate) fn free(&mut self, at: u64) -> bool {
        let Some(block) = self.blocks.get_mut(&at).filter(|block| !block.is_free) else { return false };
        block.is_free = true;
        self.free.insert((block.size, at));
        true
    }

    /// The length of the block that begins at `at`.
    pub(crate) fn length(&self, at: u64) -> Option<u64> {
        self.blocks.get(&at).filter(|block| !block.is_free).map(|block| block.used)
    }

    /// Whether `len` bytes at `at` are all inside, in blocks or not.
    pub(crate) fn contains(&self, at: u64, len: u64) -> bool {
        at >= FIRST && at.checked_add(len.max(1)).is_some_and(|end| end <= self.len())
    }

    /// The bytes at `at`; zeros where they are not all inside.
    #[inline]
    pub(crate) fn load<const N: usize>(&self, at: u64) -> [u8; N] {
        let mut bytes = [0; N];
        if at < FIRST {
            return bytes;
        }
        let (index, offset) = place(at);
        match self.chunks.get(index).and_then(|chunk| chunk.get(offset..)?.first_chunk()) {
            Some(loaded) => *loaded,
            None if self.contains(at, N as u64) => {
                self.copy_out(at, &mut bytes);
                bytes
            }
            None => bytes,
        }
    }

    /// Stores bytes at `at`, if there is room for all of them.
    #[inline]
    pub(crate) fn store<const N: usize>(&mut self, at: u64, bytes: [u8; N]) {
        if at < FIRST {
            return;
        }
        let (index, offset) = place(at);
        if let Some(stored) = self.chunks.get_mut(index).and_then(|chunk| chunk.get_mut(offset..)?.first_chunk_mut()) {
            *stored = bytes;
        } else if self.contains(at, N as u64) {
            self.copy_in(at, &bytes);
        }
    }

    /// The `len` bytes at `at`, which are all inside, piece by piece.
    pub(crate) fn pieces(&self, at: u64, len: u64) -> impl Iterator<Item = &[u8]> {
        let (mut at, mut left) = (at, len);
        core::iter::from_fn(move || {
            let (index, offset) = place(at);
            let count = left.min((CHUNK - offset) as u64);
            at += count;
            left -= count;
            (count > 0).then(|| &self.chunks[index][offset..offset + count as usize])
        })
    }

    /// A copy of the `len` bytes at `at`, which are all inside; `None` where the host's memory is used up.
    pub(crate) fn copy(&self, at: u64, len: u64) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(usize::try_from(len).ok()?).ok()?;
        self.pieces(at, len).for_each(|piece| bytes.extend_from_slice(piece));
        Some(bytes)
    }

    /// Writes `bytes` at `at`, where all of them are inside.
    pub(crate) fn copy_in(&mut self, mut at: u64, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (index, offset) = place(at);
            let (now, rest) = bytes.split_at(bytes.len().min(CHUNK - offset));
            self.chunks[index][offset..offset + now.len()].copy_from_slice(now);
            at += now.len() as u64;
            bytes = rest;
        }
    }

    #[cold]
    fn copy_out(&self, at: u64, bytes: &mut [u8]) {
        let loaded = self.pieces(at, bytes.len() as u64).flatten();
        bytes.iter_mut().zip(loaded).for_each(|(byte, loaded)| *byte = *loaded);
    }

    /// Adds chunks, all or none.
    fn extend(&mut self, count: u64) -> Option<()> {
        let before = self.chunks.len();
        self.chunks.try_reserve(usize::try_from(count).ok()?).ok()?;
        for _ in 0..count {
            match chunk() {
                Some(chunk) => self.chunks.push(chunk),
                None => {
                    self.chunks.truncate(before);
                    return None;
                }
            }
        }
        Some(())
    }

    /// The smallest freed block of `size` bytes or more: its size and address.
    fn freed(&self, size: u64) -> Option<(u64, u64)> {
        self.free.range((size, 0)..).next().copied()
    }

    fn missing_chunks(&self, size: u64) -> u64 {
        (self.end + size).saturating_sub(self.len()).div_ceil(CHUNK as u64)
    }
}

/// Bytes of a block that holds `len`.
fn size(len: u64) -> Option<u64> {
    (len <= MOST).then(|| len.next_multiple_of(ALIGN))
}

/// The chunk that an address is in, and where.
#[inline]
fn place(at: u64) -> (usize, usize) {
    (usize::try_from(at / CHUNK as u64).unwrap_or(usize::MAX), (at % CHUNK as u64) as usize)
}

/// Zeros, if the host has them.
fn chunk() -> Option<Box<[u8; CHUNK]>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(CHUNK).ok()?;
    bytes.resize(CHUNK, 0);
    bytes.into_boxed_slice().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const C: u64 = CHUNK as u64;
    /// Addresses and lengths that guests try.
    const HOSTILE: [u64; 12] =
        [0, 1, FIRST - 1, FIRST + 1, C - 1, C, C + 1, 1 << 31, 1 << 32, 1 << 63, u64::MAX - 7, u64::MAX];

    #[test]
    fn blocks_are_found_by_their_own_address_alone() {
        let mut memory = Memory::default();
        let (one, two) = (memory.alloc(1).unwrap(), memory.alloc(5_000).unwrap());
        assert_eq!((memory.length(one), memory.length(two)), (Some(1), Some(5_000)));
        for at in HOSTILE.into_iter().chain([one + 1, two - 1, two + 16]) {
            assert_eq!(memory.length(at), None, "{at}");
            assert!(!memory.free(at), "{at}");
        }
        assert!(memory.free(one) && !memory.free(one));
        assert_eq!(memory.length(one), None);
    }

    #[test]
    fn nothing_outside_is_read_or_written() {
        let mut memory = Memory::default();
        for at in HOSTILE {
            memory.store(at, [7u8; 8]);
            memory.store(at, [7u8]);
            assert_eq!(memory.load(at), [0u8; 8], "{at}");
        }
        memory.alloc(2 * C).unwrap();
        let end = memory.len();
        for at in [end, end - 7, end - 1, u64::MAX, 0, FIRST - 1] {
            memory.store(at, [7u8; 8]);
            assert_eq!(memory.load(at), [0u8; 8], "{at}");
        }
        assert_eq!(memory.load(end - 8), [0u8; 8]);
        memory.store(end - 1, [7u8]);
        assert_eq!(memory.load(end - 1), [7u8]);
    }

    #[test]
    fn words_may_cross_chunks() {
        let mut memory = Memory::default();
        memory.alloc(2 * C).unwrap();
        for at in C - 8..=C {
            let bytes = (at * 0x0101_0101_0101).to_le_bytes();
            memory.store(at, bytes);
            assert_eq!(memory.load(at), bytes, "{at}");
            assert_eq!(memory.copy(at, 8).unwrap(), bytes, "{at}");
            assert_eq!(memory.load(at + 7), [bytes[7]], "{at}");
        }
    }

    #[test]
    fn what_is_missing_is_what_is_added() {
        let mut memory = Memory::default();
        let mut blocks = Vec::new();
        for len in [1, 16, 17, C - 200, C, 3 * C + 1, 100_000, 1] {
            let (held, missing) = (memory.held(), memory.missing(len).unwrap());
            blocks.push(memory.alloc(len).unwrap());
            assert_eq!(memory.held(), held + missing, "{len}");
        }
        blocks.iter().for_each(|at| assert!(memory.free(*at)));
        for len in [1, 100, 99_000, 10, 3 * C + 1, 100_001] {
            let (held, missing) = (memory.held(), memory.missing(len).unwrap());
            memory.alloc(len).unwrap();
            assert_eq!(memory.held(), held + missing, "{len} again");
        }
        assert_eq!((memory.missing(u64::MAX), memory.missing(MOST + 1)), (None, None));
    }

    #[test]
    fn freed_blocks_are_used_again_and_never_twice() {
        let mut memory = Memory::default();
        let (large, small) = (memory.alloc(1_000).unwrap(), memory.alloc(100).unwrap());
        memory.free(large);
        memory.free(small);
        assert_eq!(memory.alloc(90), Some(small), "the best fit");
        assert_eq!(memory.alloc(500), Some(large), "the first part");
        let rest = memory.alloc(400).unwrap();
        assert!(rest >= large + 500 && rest + 400 <= small, "the rest of it");
        assert!(memory.alloc(1).unwrap() > small, "none is left");
        assert_eq!(memory.length(large), Some(500));
    }

    #[test]
    fn ranges_are_inside_to_the_last_byte() {
        let mut memory = Memory::default();
        assert!(!memory.contains(FIRST, 0));
        memory.alloc(1).unwrap();
        assert!(memory.contains(FIRST, 0) && memory.contains(FIRST, C - FIRST));
        assert!(!memory.contains(FIRST, C - FIRST + 1) && !memory.contains(0, 1) && !memory.contains(C, 0));
        assert!(!memory.contains(u64::MAX, 1) && !memory.contains(FIRST, u64::MAX));
    }
}
