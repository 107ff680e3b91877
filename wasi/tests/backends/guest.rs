//! Guests that make a list of calls and write what came of it to standard output.

use std::fmt::Write;

use chacha20::{ChaCha12Rng, rand_core::Rng};

/// The functions with their types: `i` is i32, `I` is i64.
pub(crate) const FUNCTIONS: [(&str, &str); 46] = [
    ("args_get", "ii"),
    ("args_sizes_get", "ii"),
    ("clock_res_get", "ii"),
    ("clock_time_get", "iIi"),
    ("environ_get", "ii"),
    ("environ_sizes_get", "ii"),
    ("fd_advise", "iIIi"),
    ("fd_allocate", "iII"),
    ("fd_close", "i"),
    ("fd_datasync", "i"),
    ("fd_fdstat_get", "ii"),
    ("fd_fdstat_set_flags", "ii"),
    ("fd_fdstat_set_rights", "iII"),
    ("fd_filestat_get", "ii"),
    ("fd_filestat_set_size", "iI"),
    ("fd_filestat_set_times", "iIIi"),
    ("fd_pread", "iiiIi"),
    ("fd_prestat_dir_name", "iii"),
    ("fd_prestat_get", "ii"),
    ("fd_pwrite", "iiiIi"),
    ("fd_read", "iiii"),
    ("fd_readdir", "iiiIi"),
    ("fd_renumber", "ii"),
    ("fd_seek", "iIii"),
    ("fd_sync", "i"),
    ("fd_tell", "ii"),
    ("fd_write", "iiii"),
    ("path_create_directory", "iii"),
    ("path_filestat_get", "iiiii"),
    ("path_filestat_set_times", "iiiiIIi"),
    ("path_link", "iiiiiii"),
    ("path_open", "iiiiiIIii"),
    ("path_readlink", "iiiiii"),
    ("path_remove_directory", "iii"),
    ("path_rename", "iiiiii"),
    ("path_symlink", "iiiii"),
    ("path_unlink_file", "iii"),
    ("poll_oneoff", "iiii"),
    ("proc_exit", "i"),
    ("proc_raise", "i"),
    ("random_get", "ii"),
    ("sched_yield", ""),
    ("sock_accept", "iii"),
    ("sock_recv", "iiiiii"),
    ("sock_send", "iiiii"),
    ("sock_shutdown", "ii"),
];

/// Where results go.
const OUT: u32 = 64;
/// Where the buffers of a list are, and how long all of them may be.
const BUFFERS: u32 = 4096;
const BUFFER_BYTES: u32 = 1024;
/// Where paths and lists are.
const TEXTS: u32 = 16384;
/// Where the log is.
const LOG: u32 = 32768;
/// Bytes of the log for a call: the error code; a sum of the buffers; the result, with 8 bytes; a file's type, with 8 bytes; and
/// its size.
pub(crate) const RECORD: usize = 32;

/// An argument; some are two of the function's.
#[derive(Clone, Debug)]
pub(crate) enum Argument {
    I32(u32),
    I64(u64),
    Path(String),
    List(Vec<u32>),
    Out,
}

impl Argument {
    pub(crate) fn number(&self) -> u32 {
        if let Self::I32(number) = self { *number } else { 0 }
    }
}

/// A number of that type that a function may do something with, or not.
pub(crate) fn any(ty: char, random: &mut ChaCha12Rng) -> Argument {
    const WORDS: [u32; 22] = [
        0,
        1,
        1,
        2,
        3,
        3,
        4,
        4,
        4,
        5,
        6,
        8,
        64,
        256,
        4096,
        16384,
        16390,
        65530,
        65536,
        1 << 31,
        u32::MAX - 3,
        u32::MAX,
    ];
    const LONGS: [u64; 9] = [0, 1, 2, 0x42, 0x1fff_ffff, 100, i64::MAX as u64, 1 << 63, u64::MAX];
    let number = random.next_u32() as usize;
    match ty {
        'I' => Argument::I64(LONGS[number % LONGS.len()]),
        _ => Argument::I32(WORDS[number % WORDS.len()]),
    }
}

pub(crate) fn import(name: &str, types: &str) -> String {
    let params: String = types.chars().map(|ty| if ty == 'I' { " i64" } else { " i32" }).collect();
    let result = if name == "proc_exit" { "" } else { "(result i32)" };
    format!(r#"(import "wasi_snapshot_preview1" "{name}" (func ${name} (param{params}) {result}))"#)
}

/// A guest that is being made.
#[derive(Default)]
pub(crate) struct Guest {
    imports: Vec<String>,
    body: String,
    data: Vec<u8>,
    calls: usize,
}

impl Guest {
    pub(crate) fn calls(&self) -> usize {
        self.calls
    }

    /// Adds a call.
    pub(crate) fn call(&mut self, name: &str, types: &str, arguments: &[Argument]) {
        let import = import(name, types);
        if !self.imports.contains(&import) {
            self.imports.push(import);
        }
        let arguments: Vec<String> = arguments.iter().flat_map(|argument| self.place(argument)).collect();
        assert_eq!(arguments.len(), types.len(), "{name}");
        let (step, log, arguments) = (self.calls, LOG as usize + self.calls * RECORD, arguments.join(" "));
        writeln!(self.body, "(call $fill (i32.const {step}))").unwrap();
        writeln!(self.body, "(i32.store (i32.const {log}) (call ${name} {arguments}))").unwrap();
        writeln!(self.body, "(call $log (i32.const {log}))").unwrap();
        self.calls += 1;
    }

    fn place(&mut self, argument: &Argument) -> Vec<String> {
        let word = |number: u32| format!("(i32.const {number})");
        let at = TEXTS + self.data.len() as u32;
        match argument {
            Argument::I32(number) => vec![word(*number)],
            Argument::I64(number) => vec![format!("(i64.const {number})")],
            Argument::Out => vec![word(OUT)],
            Argument::Path(path) => {
                self.data.extend(path.bytes());
                vec![word(at), word(path.len() as u32)]
            }
            Argument::List(lengths) => {
                let mut buffer = BUFFERS;
                for length in lengths {
                    self.data.extend([buffer, *length].map(u32::to_le_bytes).as_flattened());
                    buffer += length;
                }
                vec![word(at), word(lengths.len() as u32)]
            }
        }
    }

    /// The module. `_start` makes the calls, and writes the log, or the log and the whole memory.
    pub(crate) fn text(&self, with_memory: bool) -> String {
        let Self { imports, body, data, calls } = self;
        let mut imports = imports.clone();
        let write = import("fd_write", "iiii");
        if !imports.contains(&write) {
            imports.push(write);
        }
        let (imports, count, bytes) = (imports.join("\n"), if with_memory { 2 } else { 1 }, calls * RECORD);
        let data: String = data.iter().map(|byte| format!("\\{byte:02x}")).collect();
        format!(
            r#"(module {imports}
            (memory (export "memory") 1)
            (data (i32.const {TEXTS}) "{data}")
            (func $fill (param $step i32) (local $at i32)
                (loop $next
                    (i32.store8 offset={BUFFERS} (local.get $at)
                        (i32.add (i32.mul (local.get $step) (i32.const 7)) (local.get $at)))
                    (local.set $at (i32.add (local.get $at) (i32.const 1)))
                    (br_if $next (i32.lt_u (local.get $at) (i32.const {BUFFER_BYTES})))))
            (func $log (param $log i32) (local $at i32) (local $sum i32)
                (local.set $sum (i32.const 0x811c9dc5))
                (loop $next
                    (local.set $sum (i32.mul (i32.const 0x01000193)
                        (i32.xor (local.get $sum) (i32.load8_u offset={BUFFERS} (local.get $at)))))
                    (local.set $at (i32.add (local.get $at) (i32.const 1)))
                    (br_if $next (i32.lt_u (local.get $at) (i32.const {BUFFER_BYTES}))))
                (i32.store offset=4 (local.get $log) (local.get $sum))
                (i64.store offset=8 (local.get $log) (i64.load (i32.const {OUT})))
                (i64.store offset=16 (local.get $log) (i64.load8_u offset=16 (i32.const {OUT})))
                (i64.store offset=24 (local.get $log) (i64.load offset=32 (i32.const {OUT}))))
            (func (export "_start")
                {body}
                (i32.store (i32.const 0) (i32.const {LOG}))
                (i32.store (i32.const 4) (i32.const {bytes}))
                (i32.store (i32.const 8) (i32.const 0))
                (i32.store (i32.const 12) (i32.const 65536))
                (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const {count}) (i32.const 16)))))"#
        )
    }
}
