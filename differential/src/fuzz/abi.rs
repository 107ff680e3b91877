//! Random code behind the real ABI.

use arbitrary::Unstructured;
use hotcell_core::{Contract, Plugin, PolicyError, verdict::Usage};
use wasm_smith::{Config, Module};

use crate::{Configuration, Host, Memory, Numbers, Runner};
use hotcell_conformance::{BackendUnderTest, Failure};

/// Exports of a module of the byte contract; the bodies are random.
const EXPORTS: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "__hotcell_abi_version") (result i32) (unreachable))
    (func (export "alloc") (param i32) (result i32) (unreachable))
    (func (export "process") (param i32 i32) (result i64) (unreachable)))"#;

/// Its possible imports.
const IMPORTS: &str = r#"(module
    (import "env" "nop" (func))
    (import "env" "charge" (func (param i32)))
    (import "env" "step" (func (param i32) (result i32)))
    (import "env" "mix" (func (param f32 f64) (result f64))))"#;

/// Two backends that call modules of the byte contract with random bodies: with the handshake, and without it, so that
/// random code also becomes `alloc` and the entry.
pub struct BehindAbi<A: BackendUnderTest, B: BackendUnderTest> {
    with_handshake: (Runner<A>, Runner<B>),
    without: (Runner<A>, Runner<B>),
    exports: Vec<u8>,
    imports: Vec<u8>,
}

/// The outcome of a call.
#[derive(Debug, PartialEq, Eq)]
struct Replied {
    code: &'static str,
    phase: &'static str,
    bytes: Vec<u8>,
    usage: Usage,
    host: Host,
    memory: Memory,
}

impl<A: BackendUnderTest, B: BackendUnderTest> BehindAbi<A, B> {
    /// Makes the engines.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] when a backend cannot enforce the policies.
    pub fn new() -> Result<Self, PolicyError> {
        let with_handshake = Configuration::Strict.policy();
        let without = with_handshake.with(|rules| {
            rules.abi = None;
            rules.limits.output_bytes = 2_000;
        })?;
        Ok(Self {
            with_handshake: (Runner::new(&with_handshake)?, Runner::new(&with_handshake)?),
            without: (Runner::new(&without)?, Runner::new(&without)?),
            exports: wat::parse_str(EXPORTS).expect("the text is right"),
            imports: wat::parse_str(IMPORTS).expect("the text is right"),
        })
    }

    /// Calls the module of `seed` on both backends; returns the phase in which the call ended.
    ///
    /// # Errors
    ///
    /// They differ.
    pub fn compare(&self, seed: u64) -> Result<&'static str, Failure> {
        let mut numbers = Numbers::new(seed);
        let wasm = self.module(&mut numbers);
        let (one, other) = match numbers.once_in(4) {
            true => &self.with_handshake,
            false => &self.without,
        };
        let contract = Contract::bytes("process");
        let (one, other) = match (one.load_as(&wasm, &contract), other.load_as(&wasm, &contract)) {
            (Ok(one), Ok(other)) => (one, other),
            (Err(one), Err(other)) if one.code() == other.code() && one.code() != "backend" => return Ok("admit"),
            (one, other) => {
                return Err(Failure::new(format!("seed {seed}, load: {:?} and {:?}", one.err(), other.err())));
            }
        };
        let length = numbers.pick(&[0, 1, 100, 70_000]);
        let input = numbers.bytes(length);
        let (one, other) = (reply(&one, &input), reply(&other, &input));
        match one == other && one.code != "backend" {
            true => Ok(one.phase),
            false => Err(Failure::new(format!("seed {seed}, {length} bytes:\n{one:?}\n{other:?}"))),
        }
    }

    fn module(&self, numbers: &mut Numbers) -> Vec<u8> {
        let config = Config {
            exports: Some(self.exports.clone()),
            available_imports: Some(self.imports.clone()),
            max_instructions: numbers.pick(&[10, 50, 300]),
            max_memory32_bytes: 3 << 16,
            disallow_traps: numbers.once_in(2),
            multi_value_enabled: false,
            reference_types_enabled: false,
            simd_enabled: false,
            relaxed_simd_enabled: false,
            tail_call_enabled: false,
            exceptions_enabled: false,
            gc_enabled: false,
            memory64_enabled: false,
            threads_enabled: false,
            ..Config::default()
        };
        let bytes = numbers.bytes(2_048);
        Module::new(config, &mut Unstructured::new(&bytes)).expect("the generator makes do with any bytes").to_bytes()
    }
}

fn reply<B: BackendUnderTest>(plugin: &Plugin<B, Host>, input: &[u8]) -> Replied {
    let nothing = |code, phase, usage| Replied {
        code,
        phase,
        bytes: Vec::new(),
        usage,
        host: Host::default(),
        memory: Memory::default(),
    };
    let mut session = match plugin.session(Host::default()) {
        Ok(session) => session,
        Err(error) => return nothing(error.code(), error.phase.name(), error.report.usage),
    };
    let outcome = session.call("process", input);
    let (host, memory) = (session.state().clone(), Memory(session.memory().to_vec()));
    match outcome {
        Ok(reply) => {
            let usage = reply.report.usage;
            Replied { code: "ok", phase: "reply", bytes: reply.bytes, usage, host, memory }
        }
        Err(error) => Replied { host, memory, ..nothing(error.code(), error.phase.name(), error.report.usage) },
    }
}
