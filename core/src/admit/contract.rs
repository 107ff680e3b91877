//! What a module may import and must export.

use alloc::{
    borrow::ToOwned,
    collections::BTreeMap,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};

use wasmparser::{Parser, Payload};

use super::summary::{Export, ExternType, FuncType, Import, ModuleSummary};
use crate::{
    policy::{Canonical, Fingerprint},
    reserved,
    value::ValType,
    verdict::{DeniedImport, Reason, Rejection},
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
    /// Bytes in, bytes out: `memory`, `alloc(i32) -> i32`, and `entry(i32, i32) -> i64`, all defined by the module
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
}

impl Contract {
    /// The byte contract with this entry.
    pub fn bytes(entry: impl Into<String>) -> Self {
        Self::Bytes { entry: entry.into() }
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
        matches!(self, Self::Bytes { .. } | Self::Abi)
    }

    /// The contract in bytes, different for different contracts.
    pub(crate) fn canonical(&self) -> Canonical {
        let mut bytes = Canonical::default();
        match self {
            Self::Bytes { entry } => bytes.text(entry),
            Self::Abi => bytes.word(u64::MAX),
            Self::Command => bytes.word(u64::MAX - 1),
            Self::None => {}
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
pub struct Offered(BTreeMap<(String, String), FuncType>);

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
        match self.0.entry((module, name)) {
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

    /// A stable hash of names and types.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.canonical())
    }

    /// What the fingerprint is a hash of.
    pub(crate) fn canonical(&self) -> Canonical {
        let mut bytes = Canonical::default();
        for ((module, name), ty) in &self.0 {
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
        self.0.get(&(module.to_owned(), name.to_owned()))
    }
}

impl From<&Import> for DeniedImport {
    fn from(import: &Import) -> Self {
        Self { module: import.module.clone(), name: import.name.clone(), kind: import.ty.to_string() }
    }
}

/// Checks that imports are functions, offered, and of exactly the offered type.
pub(super) fn check_imports(summary: &ModuleSummary, offered: &Offered) -> Result<(), Rejection> {
    let denied: Vec<&Import> = summary
        .imports
        .iter()
        .filter(|import| {
            !matches!(import.ty, ExternType::Function(_)) || offered.get(&import.module, &import.name).is_none()
        })
        .collect();
    if let Some(first) = denied.first() {
        return Err(Rejection {
            offset: Some(first.offset),
            reason: Reason::ImportDenied {
                imports: denied.iter().take(LISTED).map(|import| (*import).into()).collect(),
                more: denied.len().saturating_sub(LISTED),
            },
        });
    }
    for import in &summary.imports {
        let offer = offered.get(&import.module, &import.name);
        if let (ExternType::Function(ty), Some(offer)) = (&import.ty, offer)
            && **ty != *offer
        {
            return Err(Rejection {
                offset: Some(import.offset),
                reason: Reason::ImportMismatch {
                    import: import.into(),
                    offered: ExternType::Function(Arc::new(offer.clone())).to_string(),
                },
            });
        }
    }
    Ok(())
}

pub(super) fn check_exports(summary: &ModuleSummary, contract: &Contract) -> Result<(), Rejection> {
    if let Some(reserved) = summary.exports.iter().find(|export| reserved::EXPORTS.contains(&export.name.as_str())) {
        let (export, expected, found) =
            (reserved.name.clone(), "absent: the name is reserved", reserved.ty.to_string());
        return Err(Rejection {
            offset: Some(reserved.offset),
            reason: Reason::ExportMismatch { export, expected, found },
        });
    }
    use ValType::{I32, I64};
    let function = |ty: &ExternType, params: &[ValType], results: &[ValType]| match ty {
        ExternType::Function(ty) => ty.is(params, results),
        _ => false,
    };
    if summary.exports.iter().any(|export| export.name == INITIALIZE) {
        check_export(summary, INITIALIZE, "a function () -> ()", |ty| function(ty, &[], &[]))?;
    }
    let entry = match contract {
        Contract::Bytes { entry } => entry,
        Contract::Command => return check_export(summary, COMMAND, "a function () -> ()", |ty| function(ty, &[], &[])),
        Contract::Abi | Contract::None => return Ok(()),
    };
    check_export(summary, MEMORY, "a 32-bit memory", |ty| matches!(ty, ExternType::Memory { memory64: false }))?;
    check_export(summary, ALLOC, "a function (i32) -> i32", |ty| function(ty, &[I32], &[I32]))?;
    check_export(summary, entry, "a function (i32, i32) -> i64", |ty| function(ty, &[I32, I32], &[I64]))
}

fn check_export(
    summary: &ModuleSummary,
    name: &str,
    expected: &'static str,
    is_right: impl Fn(&ExternType) -> bool,
) -> Result<(), Rejection> {
    let Some(Export { ty, imported, offset, .. }) = summary.exports.iter().find(|export| export.name == name) else {
        return Err(Rejection { offset: None, reason: Reason::ExportMissing { export: name.to_owned(), expected } });
    };
    let found = match (is_right(ty), imported) {
        (true, false) => return Ok(()),
        (_, true) => alloc::format!("an import passed on ({ty})"),
        (false, false) => ty.to_string(),
    };
    Err(Rejection {
        offset: Some(*offset),
        reason: Reason::ExportMismatch { export: name.to_owned(), expected, found },
    })
}
