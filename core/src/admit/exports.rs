use alloc::{borrow::ToOwned, vec::Vec};

use super::summary::{ExternType, FuncType, ModuleSummary};
use crate::{value::Value, verdict::Fault};

/// A module's exports by name: those that the guest declares, without those that the rewrite adds.
///
/// Every name that an embedder or a guest chooses is looked up here first. A backend looks in its instance, which also
/// exports the counters and the start function.
#[derive(Clone, Debug)]
pub struct Exports {
    summary: ModuleSummary,
    /// Indices into the summary's exports, sorted by name.
    by_name: Vec<u32>,
    /// Index of the memory in the summary's exports.
    memory: Option<u32>,
}

impl Exports {
    /// The exports of an admitted module.
    pub fn new(summary: ModuleSummary) -> Self {
        Self::on_memory(summary, None)
    }

    /// As [`new`](Self::new), for a contract that names the memory.
    pub fn on_memory(summary: ModuleSummary, name: Option<&str>) -> Self {
        let mut by_name: Vec<u32> = (0..).take(summary.exports.len()).collect();
        by_name.sort_unstable_by_key(|index| summary.exports[*index as usize].name.as_str());
        let memory = summary.memory(name).map(|memory| memory.name.as_str());
        let memory = memory.and_then(|name| summary.exports.iter().position(|export| export.name == name));
        Self { memory: memory.and_then(|at| u32::try_from(at).ok()), summary, by_name }
    }

    /// [The memory](ModuleSummary::memory): its export's name, and its index among the module's memories.
    pub fn memory(&self) -> Option<(&str, u32)> {
        let export = &self.summary.exports[self.memory? as usize];
        Some((&export.name, export.index))
    }

    /// What the module is and needs.
    pub fn summary(&self) -> &ModuleSummary {
        &self.summary
    }

    /// The type of the export with this name. Takes time logarithmic in the number of exports.
    pub fn get(&self, name: &str) -> Option<&ExternType> {
        let export = |index: u32| &self.summary.exports[index as usize];
        let at = self.by_name.binary_search_by_key(&name, |index| export(*index).name.as_str()).ok()?;
        Some(&export(self.by_name[at]).ty)
    }

    /// The type of the exported function with this name.
    pub fn function(&self, name: &str) -> Option<&FuncType> {
        match self.get(name)? {
            ExternType::Function(ty) => Some(ty),
            _ => None,
        }
    }

    /// Whether a global is exported under this name.
    pub fn has_global(&self, name: &str) -> bool {
        matches!(self.get(name), Some(ExternType::Global(_)))
    }

    /// Checks a call against the exported function with this name.
    ///
    /// # Errors
    ///
    /// [`Fault::NoSuchExport`] or [`Fault::WrongArguments`].
    pub fn check_call(&self, export: &str, arguments: &[Value]) -> Result<(), Fault> {
        match self.function(export) {
            Some(ty) => ty.check_arguments(export, arguments),
            None => Err(Fault::NoSuchExport { export: export.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::{string::ToString, sync::Arc};

    use super::*;
    use crate::{admit::Export, value::ValType};

    fn exports(names: &[(&str, ExternType)]) -> Exports {
        let export = |(name, ty): &(&str, ExternType)| Export {
            name: name.to_string(),
            ty: ty.clone(),
            index: 0,
            imported: false,
            offset: 0,
        };
        Exports::new(ModuleSummary { exports: names.iter().map(export).collect(), ..ModuleSummary::default() })
    }

    #[test]
    fn each_export_is_found_by_its_name_and_no_other_is() {
        let function = ExternType::Function(Arc::new(FuncType::default()));
        let global = ExternType::Global(ValType::I32);
        let declared =
            [("z", global.clone()), ("", function.clone()), ("zz", function.clone()), ("a", ExternType::Table)];
        let exports = exports(&declared);
        for (name, ty) in &declared {
            assert_eq!(exports.get(name), Some(ty), "{name}");
            assert_eq!(exports.function(name).is_some(), *ty == function, "{name}");
            assert_eq!(exports.has_global(name), *ty == global, "{name}");
        }
        for other in ["b", "zzz", "Z"].into_iter().chain(crate::reserved::EXPORTS) {
            assert_eq!(exports.get(other), None, "{other}");
        }
    }

    #[test]
    fn a_call_is_held_against_the_function() {
        let ty = FuncType { params: [ValType::I64].into(), ..FuncType::default() };
        let exports = exports(&[("f", ExternType::Function(Arc::new(ty))), ("t", ExternType::Table)]);
        let code = |name, arguments: &[Value]| exports.check_call(name, arguments).map_err(|fault| fault.code());
        assert_eq!(code("f", &[Value::I64(1)]), Ok(()));
        assert_eq!(code("f", &[Value::I32(1)]), Err("wrong-arguments"));
        assert_eq!(code("f", &[]), Err("wrong-arguments"));
        assert_eq!(code("t", &[]), Err("no-such-export"));
        assert_eq!(code("g", &[]), Err("no-such-export"));
    }

    #[test]
    fn the_memory_is_found_whatever_it_is_called() {
        let memory = |name: &str, index: u32| Export {
            name: name.to_string(),
            ty: ExternType::Memory { memory64: false },
            index,
            imported: false,
            offset: 0,
        };
        let found = |memories: &[Export], name: Option<&str>| {
            let function = Export { ty: ExternType::Function(Arc::default()), ..memory("f", 7) };
            let exports = [&[function], memories].concat();
            let exports = Exports::on_memory(ModuleSummary { exports, ..ModuleSummary::default() }, name);
            exports.memory().map(|(name, index)| (name.to_string(), index))
        };
        let is = |name: &str, index| Some((name.to_string(), index));
        assert_eq!(found(&[], None), None);
        assert_eq!(found(&[memory("mem", 0)], None), is("mem", 0));
        assert_eq!(found(&[memory("mem", 0), memory("again", 0)], None), is("mem", 0), "one memory, two names");
        assert_eq!(found(&[memory("a", 0), memory("b", 1)], None), None, "one of two");
        assert_eq!(found(&[memory("a", 0), memory("memory", 1)], None), is("memory", 1));
        assert_eq!(found(&[memory("a", 0), memory("memory", 1)], Some("a")), is("a", 0));
        assert_eq!(found(&[memory("a", 0)], Some("f")), None, "a function");
        assert_eq!(found(&[memory("a", 0)], Some("memory")), None, "another name was asked for");
    }
}
