//! A guest for tests: a memory, and what a function works on beside it.

use alloc::{string::String, sync::Arc, vec::Vec};

use hotcell_core::backend::Streams;

use crate::{
    call::{Call, Fuel, Outcome, Stop},
    config::WasiConfig,
    memory::Memory,
    state::State,
};

pub(crate) struct Guest {
    pub(crate) memory: Vec<u8>,
    pub(crate) state: State,
    pub(crate) streams: Streams,
    /// `None`: unlimited.
    pub(crate) fuel: Option<u64>,
    /// By the last call.
    pub(crate) spent: u64,
}

/// Where paths are put.
const PATH: u32 = 1024;
/// Where results go.
pub(crate) const OUT: u32 = 64;

impl Guest {
    pub(crate) fn new(config: WasiConfig) -> Self {
        Self {
            memory: alloc::vec![0; 1 << 16],
            state: State::new(Arc::new(config)),
            streams: Streams::default(),
            fuel: None,
            spent: 0,
        }
    }

    pub(crate) fn call<P>(&mut self, run: fn(&mut Call<'_>, P) -> Outcome, params: P) -> Outcome {
        let mut call = Call {
            memory: Memory(&mut self.memory),
            state: &mut self.state,
            streams: &mut self.streams,
            fuel: Fuel::new(self.fuel),
        };
        let outcome = run(&mut call, params);
        self.spent = call.fuel.spent();
        outcome
    }

    /// The error code of a call; zero for success.
    pub(crate) fn errno<P>(&mut self, run: fn(&mut Call<'_>, P) -> Outcome, params: P) -> u16 {
        match self.call(run, params) {
            Ok(()) => 0,
            Err(Stop::Errno(errno)) => errno as u16,
            Err(stop) => panic!("{stop:?}"),
        }
    }

    pub(crate) fn put(&mut self, at: u32, bytes: &[u8]) {
        self.memory[at as usize..][..bytes.len()].copy_from_slice(bytes);
    }

    pub(crate) fn bytes(&self, at: u32, len: u32) -> &[u8] {
        &self.memory[at as usize..][..len as usize]
    }

    pub(crate) fn u32(&self, at: u32) -> u32 {
        u32::from_le_bytes(self.bytes(at, 4).try_into().unwrap())
    }

    pub(crate) fn u64(&self, at: u32) -> u64 {
        u64::from_le_bytes(self.bytes(at, 8).try_into().unwrap())
    }

    /// Puts a path into the memory.
    pub(crate) fn path(&mut self, path: &str) -> (u32, u32) {
        self.put(PATH, path.as_bytes());
        (PATH, path.len() as u32)
    }

    /// Puts a list of buffers at 128.
    pub(crate) fn buffers(&mut self, list: &[(u32, u32)]) -> (u32, u32) {
        for ((at, len), record) in list.iter().zip((128..).step_by(8)) {
            self.put(record, &at.to_le_bytes());
            self.put(record + 4, &len.to_le_bytes());
        }
        (128, list.len() as u32)
    }

    /// Opens a path with these rights. Returns the descriptor, or the error code.
    pub(crate) fn open(&mut self, dir: u32, path: &str, oflags: u32, rights: u64) -> Result<u32, u16> {
        let (at, len) = self.path(path);
        match self.errno(crate::paths::path_open, (dir, 0, at, len, oflags, rights, u64::MAX, 0, OUT)) {
            0 => Ok(self.u32(OUT)),
            errno => Err(errno),
        }
    }

    /// Writes to a descriptor. Returns how many bytes, or the error code.
    pub(crate) fn write(&mut self, fd: u32, bytes: &[u8]) -> Result<u32, u16> {
        self.put(8192, bytes);
        let (list, count) = self.buffers(&[(8192, bytes.len() as u32)]);
        match self.errno(crate::io::fd_write, (fd, list, count, OUT)) {
            0 => Ok(self.u32(OUT)),
            errno => Err(errno),
        }
    }

    /// The names of a directory, by lists into a buffer of so many bytes.
    pub(crate) fn names(&mut self, fd: u32, room: u32) -> Vec<String> {
        let (mut names, mut cookie) = (Vec::new(), 0);
        loop {
            assert_eq!(self.errno(crate::fd::fd_readdir, (fd, 16384, room, cookie, OUT)), 0);
            let used = self.u32(OUT);
            let mut at = 16384;
            while at + 24 <= 16384 + used {
                let (next, len) = (self.u64(at), self.u32(at + 16));
                if at + 24 + len > 16384 + used {
                    break;
                }
                names.push(String::from_utf8(self.bytes(at + 24, len).to_vec()).unwrap());
                (cookie, at) = (next, at + 24 + len);
            }
            if used < room {
                return names;
            }
        }
    }
}
