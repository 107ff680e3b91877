//! What the host keeps for an instance.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use crate::memory::Memory;

/// Bytes of an error's text that are kept.
const MOST_ERROR: u64 = 4 << 10;
/// What a variable counts beside its key and value.
const VAR_BYTES: u64 = 64;

/// The state of an instance on the host's side. Variables live as long as the instance, the rest as long as a call.
#[derive(Default)]
pub(crate) struct Kernel {
    pub(crate) memory: Memory,
    /// Address and length.
    pub(crate) input: (u64, u64),
    /// Address and length.
    pub(crate) output: (u64, u64),
    /// The block of the error's text.
    pub(crate) error: u64,
    pub(crate) vars: Vars,
    /// Of the last request over HTTP.
    pub(crate) status: u16,
    pub(crate) headers: String,
    /// Whether the guest's language has been set up.
    pub(crate) is_initialized: bool,
}

impl Kernel {
    /// Forgets blocks, input, output and error. Returns the bytes that the host had for them.
    #[must_use]
    pub(crate) fn reset(&mut self) -> u64 {
        let held = self.memory.held();
        self.memory = Memory::default();
        (self.input, self.output, self.error) = ((0, 0), (0, 0), 0);
        held
    }

    pub(crate) fn free(&mut self, handle: u64) {
        if self.memory.free(handle) && handle == self.input.0 {
            self.input.1 = 0;
        }
    }

    /// Where so many bytes of the input are, `at` bytes from its beginning.
    #[inline]
    pub(crate) fn input_place(&self, at: u64, len: u64) -> Option<u64> {
        let (input, length) = self.input;
        at.checked_add(len).filter(|end| *end <= length).map(|_| input + at)
    }

    /// Takes a range of the memory for the input; one that is not inside is ignored.
    pub(crate) fn set_input(&mut self, at: u64, len: u64) {
        if self.memory.contains(at, len) {
            self.input = (at, len);
        }
    }

    /// As [`set_input`](Self::set_input), for the output.
    pub(crate) fn set_output(&mut self, at: u64, len: u64) {
        if self.memory.contains(at, len) {
            self.output = (at, len);
        }
    }

    /// Takes a block for the error's text; zero for none. What is no address of the memory is ignored.
    pub(crate) fn set_error(&mut self, at: u64) {
        if at == 0 || self.memory.contains(at, 1) {
            self.error = at;
        }
    }

    /// The error's text, if the guest has set one.
    pub(crate) fn error_text(&self) -> Option<String> {
        if self.error == 0 {
            return None;
        }
        let len = self.memory.length(self.error).unwrap_or(0).min(MOST_ERROR);
        let text = self.memory.copy(self.error, len).unwrap_or_default();
        Some(String::from_utf8_lossy(&text).into_owned())
    }
}

/// The variables of an instance.
#[derive(Default)]
pub(crate) struct Vars {
    values: BTreeMap<Vec<u8>, Vec<u8>>,
    bytes: u64,
}

impl Vars {
    pub(crate) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.values.get(key).map(Vec::as_slice)
    }

    /// Bytes of all of them.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn set(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.bytes += Self::cost(&key, &value);
        self.values.insert(key, value);
    }

    /// Removes a variable. Returns the bytes that it counted.
    pub(crate) fn remove(&mut self, key: &[u8]) -> u64 {
        let cost = self.values.remove(key).map_or(0, |value| Self::cost(key, &value));
        self.bytes -= cost;
        cost
    }

    /// What a variable counts.
    pub(crate) fn cost(key: &[u8], value: &[u8]) -> u64 {
        key.len() as u64 + value.len() as u64 + VAR_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: [u64; 8] = [0, 1, 63, 4_095, 4_096, 1 << 32, u64::MAX - 1, u64::MAX];

    #[test]
    fn ranges_outside_are_ignored() {
        let mut kernel = Kernel::default();
        let block = kernel.memory.alloc(100).unwrap();
        kernel.set_input(block, 100);
        kernel.set_output(block, 50);
        kernel.set_error(block);
        for (at, len) in HOSTILE.into_iter().flat_map(|at| [0, 8, u64::MAX].map(|len| (at, len))) {
            if (at, len) == (4_095, 0) {
                continue;
            }
            kernel.set_input(at, len);
            kernel.set_output(at, len);
        }
        for at in [1, 63, 4_096, u64::MAX] {
            kernel.set_error(at);
        }
        assert_eq!((kernel.input, kernel.output, kernel.error), ((block, 100), (block, 50), block));
        kernel.set_error(0);
        assert_eq!(kernel.error_text(), None);
    }

    #[test]
    fn the_input_has_an_end() {
        let mut kernel = Kernel::default();
        let block = kernel.memory.alloc(100).unwrap();
        kernel.set_input(block, 10);
        assert_eq!(kernel.input_place(2, 8), Some(block + 2));
        for at in [3, 10, u64::MAX, u64::MAX - 7] {
            assert_eq!(kernel.input_place(at, 8), None, "{at}");
        }
        kernel.free(block);
        assert_eq!(kernel.input_place(0, 1), None, "it is gone with its block");
    }

    #[test]
    fn an_output_outlives_its_block() {
        let mut kernel = Kernel::default();
        let block = kernel.memory.alloc(3).unwrap();
        kernel.memory.copy_in(block, b"abc");
        kernel.free(block);
        kernel.set_output(block, 3);
        assert_eq!(kernel.memory.copy(kernel.output.0, kernel.output.1).unwrap(), b"abc");
    }

    #[test]
    fn an_error_is_cut_and_is_text() {
        let mut kernel = Kernel::default();
        let block = kernel.memory.alloc(1 << 20).unwrap();
        kernel.memory.store(block, [0xff]);
        kernel.set_error(block);
        let text = kernel.error_text().unwrap();
        assert!(text.starts_with('\u{fffd}') && text.len() < 5_000);
        kernel.set_error(block + 1);
        assert_eq!(kernel.error_text().unwrap(), "", "an address that is no block has no text");
    }

    #[test]
    fn variables_are_counted() {
        let mut vars = Vars::default();
        vars.set(b"k".to_vec(), b"12345".to_vec());
        assert_eq!((vars.bytes(), vars.get(b"k")), (70, Some(&b"12345"[..])));
        assert_eq!((vars.remove(b"k"), vars.remove(b"k"), vars.bytes()), (70, 0, 0));
    }

    #[test]
    fn a_reset_leaves_variables_alone() {
        let mut kernel = Kernel::default();
        let block = kernel.memory.alloc(3).unwrap();
        kernel.set_output(block, 3);
        kernel.vars.set(b"k".to_vec(), b"v".to_vec());
        assert_eq!(kernel.reset(), 4_096 + 96);
        assert_eq!((kernel.output, kernel.memory.held(), kernel.vars.bytes()), ((0, 0), 0, 66));
    }
}
