//! What a module may import and must export.

use alloc::{
    borrow::ToOwned,
    boxed::Box,
    collections::BTreeMap,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};

use wasmparser::{Parser, Payload};

use super::summary::{Export, ExternType, FuncType, Import, ModuleSummary};
use crate::{
    policy::{Canonical, Fingerprint, Rules, Unknown},
    reserved,
    value::ValType,
    verdict::{DeniedImport, Reason, Rejection, of_imports},
};

/// Name of the memory that the byte contract works on.
pub const MEMORY: &str = "memory";
/// Name of the export that allocates memory for the input.
pub const ALLOC: &str = "alloc";

/// Name of the export that is a program's whole run.
pub const COMMAND: &str = "_start";
/// Name of the export that a reactor has for what must run before its other exports.
pub const INITIALIZE: &str = "_initialize";

/// How many denied imports a rejection lists.
const LISTED: usize = 5;

/// What the module must export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contract {
    /// Bytes in, bytes out: [a memory](ModuleSummary::memory), `alloc(i32) -> i32`, and `entry(i32, i32) -> i64`, all defined by the module
    /// itself. The version export of the policy's ABI is checked later, when the guest is called for it.
    Bytes {
        /// Name of the entry.
        entry: String,
    },
    /// A program: bytes in on standard input, bytes out on standard output, and `_start() -> ()`. It speaks no version. It
    /// runs once: an instance that has run refuses further calls.
    Command,
    /// Nothing but the version export of the policy's ABI, which is called before any other call: for typed calls.
    Abi,
    /// Nothing: for typed calls of any export. The version is checked only before a byte call.
    None,
    /// Another contract, on the memory that is exported under this name: for a module that exports several, or has something
    /// else as `memory`.
    On {
        /// Name of the memory's export.
        memory: String,
        /// What else the module must export.
        contract: Box<Contract>,
    },
}

impl Contract {
    /// The byte contract with this entry.
    pub fn bytes(entry: impl Into<String>) -> Self {
        Self::Bytes { entry: entry.into() }
    }

    /// This contract, on the memory that is exported under this name.
    #[must_use]
    pub fn on_memory(self, name: impl Into<String>) -> Self {
        Self::On { memory: name.into(), contract: Box::new(self) }
    }

    /// The name that the contract gives to the memory, if it does.
    pub fn memory(&self) -> Option<&str> {
        match self {
            Self::On { memory, .. } => Some(memory),
            _ => None,
        }
    }

    /// The contract without the name of a memory.
    pub(crate) fn base(&self) -> &Self {
        match self {
            Self::On { contract, .. } => contract.base(),
            other => other,
        }
    }

    /// What a module is, by the names that it exports: a [command](Self::Command) if it has `_start` and not `entry`, otherwise
    /// under the byte contract with that entry. Reads sections' headers and exports alone. What is malformed, admission
    /// refuses under either.
    pub fn of(module: &[u8], entry: &str) -> Self {
        let exports = Parser::new(0).parse_all(module).map_while(Result::ok).find_map(|payload| match payload {
            Payload::ExportSection(exports) => Some(exports),
            _ => None,
        });
        let names = || exports.iter().flat_map(|exports| exports.clone().into_iter().map_while(Result::ok));
        match names().any(|export| export.name == COMMAND) && names().all(|export| export.name != entry) {
            true => Self::Command,
            false => Self::bytes(entry),
        }
    }

    /// Whether the version export is called before any other call.
    pub(crate) fn checks_abi(&self) -> bool {
        matches!(self.base(), Self::Bytes { .. } | Self::Abi)
    }

    /// The contract in bytes, different for different contracts.
    pub(crate) fn canonical(&self) -> Canonical {
        let mut bytes = Canonical::default();
        if let Some(memory) = self.memory() {
            bytes.word(u64::MAX - 2);
            bytes.text(memory);
        }
        match self.base() {
            Self::Bytes { entry } => bytes.text(entry),
            Self::Abi => bytes.word(u64::MAX),
            Self::Command => bytes.word(u64::MAX - 1),
            Self::None | Self::On { .. } => {}
        }
        bytes
    }
}

/// Whether a module imports anything from a module of this name. Reads sections' headers and imports alone; what is malformed
/// imports what was read until then.
pub fn imports_from(module: &[u8], name: &str) -> bool {
    let imports = Parser::new(0).parse_all(module).map_while(Result::ok).find_map(|payload| match payload {
        Payload::ImportSection(imports) => Some(imports),
        _ => None,
    });
    imports.is_some_and(|imports| imports.into_iter().map_while(Result::ok).any(|import| import.module == name))
}

/// The two names and the type of an offered host function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Module name.
    pub module: String,
    /// Field name.
    pub name: String,
    /// Its type.
    pub ty: FuncType,
}

/// The host functions that a module may import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    functions: BTreeMap<(String, String), FuncType>,
    traps_unknown: bool,
}

impl Offered {
    /// Adds a host function.
    ///
    /// # Errors
    ///
    /// The signature, when its names are offered already or reserved.
    pub fn offer(&mut self, signature: Signature) -> Result<(), Signature> {
        let Signature { module, name, ty } = signature;
        if reserved::is_import(&module, &name) {
            return Err(Signature { module, name, ty });
        }
        match self.functions.entry((module, name)) {
            alloc::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(ty);
                Ok(())
            }
            alloc::collections::btree_map::Entry::Occupied(entry) => {
                let (module, name) = entry.key().clone();
                Err(Signature { module, name, ty })
            }
        }
    }

    /// Functions that are imported and not offered are admitted, and trap when they are called.
    pub fn trap_unknown(&mut self) {
        self.traps_unknown = true;
    }

    /// A stable hash of names and types.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.canonical())
    }

    /// What the fingerprint is a hash of.
    pub(crate) fn canonical(&self) -> Canonical {
        let mut bytes = Canonical::default();
        bytes.word(self.traps_unknown.into());
        for ((module, name), ty) in &self.functions {
            bytes.text(module);
            bytes.text(name);
            for types in [&ty.params, &ty.results] {
                bytes.word(types.len() as u64);
                types.iter().for_each(|ty| bytes.text(ty.name()));
            }
        }
        bytes
    }

    fn get(&self, module: &str, name: &str) -> Option<&FuncType> {
        self.functions.get(&(module.to_owned(), name.to_owned()))
    }
}

impl From<&Import> for DeniedImport {
    fn from(import: &Import) -> Self {
        Self { module: import.module.clone(), name: import.name.clone(), kind: import.ty.to_string() }
    }
}

/// Indices of the imported functions that are not offered, where those trap.
pub(super) fn missing(summary: &ModuleSummary, offered: &Offered, rules: &Rules) -> Vec<u32> {
    if !traps_unknown(offered, rules) {
        return Vec::new();
    }
    let is_missing = |import: &Import| offered.get(&import.module, &import.name).is_none();
    (0..).zip(&summary.imports).filter(|(_, import)| is_missing(import)).map(|(index, _)| index).collect()
}

fn traps_unknown(offered: &Offered, rules: &Rules) -> bool {
    offered.traps_unknown || rules.imports.unknown == Unknown::Trap
}

/// What is wrong with the imports: they are functions, offered unless unknown ones trap, and of exactly the offered type.
pub(super) fn check_imports(summary: &ModuleSummary, offered: &Offered, rules: &Rules) -> Vec<Rejection> {
    let (traps, wasi) = (traps_unknown(offered, rules), rules.wasi);
    let offer = |import: &Import| offered.get(&import.module, &import.name);
    let is_denied = |import: &&Import| match import.ty {
        ExternType::Function(_) => !traps && offer(import).is_none(),
        _ => true,
    };
    let denied: Vec<&Import> = summary.imports.iter().filter(is_denied).collect();
    let denied = denied.first().map(|first| {
        let reason = Reason::ImportDenied {
            imports: denied.iter().take(LISTED).map(|import| (*import).into()).collect(),
            more: denied.len().saturating_sub(LISTED),
            hints: of_imports(&denied, wasi),
        };
        Rejection::new(Some(first.offset), reason)
    });
    let mistyped = summary.imports.iter().find_map(|import| match (&import.ty, offer(import)) {
        (ExternType::Function(ty), Some(offer)) if **ty != *offer => {
            let offered = ExternType::Function(Arc::new(offer.clone())).to_string();
            let reason = Reason::ImportMismatch { import: Box::new(import.into()), offered };
            Some(Rejection::new(Some(import.offset), reason))
        }
        _ => None,
    });
    denied.into_iter().chain(mistyped).collect()
}

/// What is wrong with the exports.
pub(super) fn check_exports(summary: &ModuleSummary, contract: &Contract) -> Vec<Rejection> {
    use ValType::{I32, I64};
    let function = |ty: &ExternType, params: &[ValType], results: &[ValType]| match ty {
        ExternType::Function(ty) => ty.is(params, results),
        _ => false,
    };
    let nothing = |name| check_export(summary, name, "a function () -> ()", |ty| function(ty, &[], &[]));
    let is_reactor = summary.exports.iter().any(|export| export.name == INITIALIZE);
    let checks = [check_reserved(summary), if is_reactor { nothing(INITIALIZE) } else { Ok(()) }];
    let memory = || {
        let found = summary.memory(contract.memory()).map(|export| export.name.as_str());
        let name = found.or(contract.memory()).unwrap_or(MEMORY);
        check_export(summary, name, "a 32-bit memory", |ty| matches!(ty, ExternType::Memory { memory64: false }))
    };
    let named = if contract.memory().is_some() { memory() } else { Ok(()) };
    let of_contract = match contract.base() {
        Contract::Bytes { entry } => [
            if contract.memory().is_some() { Ok(()) } else { memory() },
            check_export(summary, ALLOC, "a function (i32) -> i32", |ty| function(ty, &[I32], &[I32])),
            check_export(summary, entry, "a function (i32, i32) -> i64", |ty| function(ty, &[I32, I32], &[I64])),
        ],
        Contract::Command => [nothing(COMMAND), Ok(()), Ok(())],
        Contract::Abi | Contract::None | Contract::On { .. } => [Ok(()), Ok(()), Ok(())],
    };
    checks.into_iter().chain([named]).chain(of_contract).filter_map(Result::err).collect()
}

fn check_reserved(summary: &ModuleSummary) -> Result<(), Rejection> {
    let Some(reserved) = summary.exports.iter().find(|export| reserved::EXPORTS.contains(&export.name.as_str())) else {
        return Ok(());
    };
    let (export, expected, found) = (reserved.name.clone(), "absent: the name is reserved", reserved.ty.to_string());
    Err(Rejection::new(Some(reserved.offset), Reason::ExportMismatch { export, expected, found }))
}

fn check_export(
    summary: &ModuleSummary,
    name: &str,
    expected: &'static str,
    is_right: impl Fn(&ExternType) -> bool,
) -> Result<(), Rejection> {
    let Some(Export { ty, imported, offset, .. }) = summary.exports.iter().find(|export| export.name == name) else {
        return Err(Rejection::new(None, Reason::ExportMissing { export: name.to_owned(), expected }));
    };
    let found = match (is_right(ty), imported) {
        (true, false) => return Ok(()),
        (_, true) => alloc::format!("an import passed on ({ty})"),
        (false, false) => ty.to_string(),
    };
    Err(Rejection::new(Some(*offset), Reason::ExportMismatch { export: name.to_owned(), expected, found }))
}
