use alloc::{
    borrow::ToOwned,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use core::fmt;

use super::contract::{COMMAND, INITIALIZE, MEMORY};
use crate::{
    value::{ValType, Value, Values},
    verdict::Fault,
};

/// What an admitted module is and needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ModuleSummary {
    /// Bytes of the binary, custom sections included.
    pub bytes: u64,
    /// Imports, in order.
    pub imports: Vec<Import>,
    /// Exports, in order.
    pub exports: Vec<Export>,
    /// Linear memories, imported ones first.
    pub memories: Vec<Memory>,
    /// Tables, imported ones first.
    pub tables: Vec<Table>,
    /// Functions that the module defines.
    pub functions: u64,
    /// Globals that the module defines.
    pub globals: u64,
    /// Bytes of all function bodies.
    pub code_bytes: u64,
    /// Bytes of all data segments.
    pub data_bytes: u64,
    /// Bytes of all custom sections.
    pub custom_bytes: u64,
    /// Offset of the `start` section, if any.
    pub start: Option<u64>,
}

impl ModuleSummary {
    /// What the module's exports say that it is.
    pub fn kind(&self) -> ModuleKind {
        let exports = |name: &str| {
            let is_it = |export: &Export| export.name == name && matches!(export.ty, ExternType::Function(_));
            self.exports.iter().any(is_it)
        };
        match (exports(COMMAND), exports(INITIALIZE)) {
            (true, _) => ModuleKind::Command,
            (false, true) => ModuleKind::Reactor,
            (false, false) => ModuleKind::Plain,
        }
    }
}

impl ModuleSummary {
    /// The memory that byte calls, sessions and host functions work on: the one exported under `name`; without a name, the
    /// one exported as `memory`, or else the only one that is exported.
    pub fn memory(&self, name: Option<&str>) -> Option<&Export> {
        let memories = || self.exports.iter().filter(|export| matches!(export.ty, ExternType::Memory { .. }));
        let named = |name: &str| memories().find(|export| export.name == name);
        match name {
            Some(name) => named(name),
            None => named(MEMORY).or_else(|| {
                let first = memories().next()?;
                memories().all(|export| export.index == first.index).then_some(first)
            }),
        }
    }
}

/// How a module wants to be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModuleKind {
    /// A program: it exports `_start`, which is its whole run.
    Command,
    /// A library: it exports `_initialize`, which runs once before any other call of an instance.
    Reactor,
    /// Neither.
    Plain,
}

impl ModuleKind {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Reactor => "reactor",
            Self::Plain => "plain",
        }
    }
}

/// One import.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Import {
    /// Module name, as the guest wrote it.
    pub module: String,
    /// Field name, as the guest wrote it.
    pub name: String,
    /// What is imported.
    pub ty: ExternType,
    /// Byte offset of the import.
    pub offset: u64,
}

/// One export.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Export {
    /// Name, as the guest wrote it.
    pub name: String,
    /// What is exported.
    pub ty: ExternType,
    /// Index among the module's functions, tables, memories or globals.
    pub index: u32,
    /// Whether it is an import of the module that is exported again.
    pub imported: bool,
    /// Byte offset of the export.
    pub offset: u64,
}

/// What an import or export is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ExternType {
    /// A function. Functions of the same type share it.
    Function(Arc<FuncType>),
    /// A table.
    Table,
    /// A linear memory with 32-bit (`false`) or 64-bit (`true`) indices.
    Memory {
        /// Whether indices are 64 bits wide.
        memory64: bool,
    },
    /// A global.
    Global(ValType),
    /// An exception tag.
    Tag,
}

impl fmt::Display for ExternType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function(ty) => write!(f, "function {ty}"),
            Self::Table => f.write_str("table"),
            Self::Memory { memory64: false } => f.write_str("memory"),
            Self::Memory { memory64: true } => f.write_str("64-bit memory"),
            Self::Global(ty) => write!(f, "global {ty}"),
            Self::Tag => f.write_str("tag"),
        }
    }
}

/// The type of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FuncType {
    /// Types of the parameters.
    pub params: Vec<ValType>,
    /// Types of the results.
    pub results: Vec<ValType>,
}

impl FuncType {
    /// `P -> R`
    pub fn of<P: Values, R: Values>() -> Self {
        Self { params: P::TYPES.to_vec(), results: R::TYPES.to_vec() }
    }

    /// Whether the parameters and results are these.
    pub fn is(&self, params: &[ValType], results: &[ValType]) -> bool {
        self.params == params && self.results == results
    }

    /// Checks the arguments of a call of `export` against the type.
    ///
    /// # Errors
    ///
    /// [`Fault::WrongArguments`].
    pub fn check_arguments(&self, export: &str, arguments: &[Value]) -> Result<(), Fault> {
        if self.params.iter().copied().eq(arguments.iter().map(|value| value.ty())) {
            return Ok(());
        }
        let given = Self { params: arguments.iter().map(|value| value.ty()).collect(), results: self.results.clone() };
        Err(Fault::WrongArguments { export: export.to_owned(), expected: given.to_string(), found: self.to_string() })
    }
}

impl From<&wasmparser::FuncType> for FuncType {
    fn from(ty: &wasmparser::FuncType) -> Self {
        let own = |types: &[wasmparser::ValType]| types.iter().map(|ty| ValType::from(*ty)).collect();
        Self { params: own(ty.params()), results: own(ty.results()) }
    }
}

/// `(i32, i32) -> i64`
impl fmt::Display for FuncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, types: &[ValType]| {
            f.write_str("(")?;
            for (index, ty) in types.iter().enumerate() {
                write!(f, "{}{ty}", if index == 0 { "" } else { ", " })?;
            }
            f.write_str(")")
        };
        list(f, &self.params)?;
        f.write_str(" -> ")?;
        match self.results.as_slice() {
            [one] => write!(f, "{one}"),
            results => list(f, results),
        }
    }
}

/// A linear memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Memory {
    /// Bytes at instantiation.
    pub initial_bytes: u64,
    /// Bytes that the module declares as its maximum.
    pub maximum_bytes: Option<u64>,
    /// log2 of the page size in bytes.
    pub page_size_log2: u32,
    /// Whether indices are 64 bits wide.
    pub memory64: bool,
}

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Table {
    /// Elements at instantiation.
    pub initial: u64,
    /// Elements that the module declares as its maximum.
    pub maximum: Option<u64>,
    /// Whether indices are 64 bits wide.
    pub table64: bool,
}
