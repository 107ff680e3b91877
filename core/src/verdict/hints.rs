//! What to do about a refusal: a hint for each family of modules that people's tools make.

use alloc::vec::Vec;

use crate::{
    admit::{ExternType, Import},
    policy::Wasi,
};

/// Imports by which the maker of a module is known.
struct Family {
    has: fn(&Import) -> bool,
    hint: &'static str,
}

/// The first one that has an import gives its hint.
const FAMILIES: &[Family] = &[
    Family {
        has: |import| matches!(import.ty, ExternType::Memory { .. }),
        hint: "memories cannot be imported: let the module define its own and export it, without --import-memory (wasm-ld) or --importMemory (asc)",
    },
    Family {
        has: |import| import.module.starts_with("GOT.") || is_env(import, &["__memory_base", "__table_base"]),
        hint: "this is a library for dynamic linking: link the module statically, without -shared or SIDE_MODULE",
    },
    Family {
        has: |import| is_env(import, &["abort"]),
        hint: "AssemblyScript imports env::abort: build with `--use abort=` for a trap in its place, or offer the host function env::abort (i32, i32, i32, i32) -> ()",
    },
    Family {
        has: |import| import.module == "wbg" || import.name.starts_with("__wb") || import.module.starts_with("__wb"),
        hint: "wasm-bindgen imports JavaScript: build for wasm32-unknown-unknown without wasm-bindgen, and without features that use it (`js`, `wasm-bindgen`, `wasmbind` of uuid, getrandom, chrono, ...)",
    },
    Family {
        has: |import| import.module == "extism:host/user",
        hint: "an Extism plugin imports from extism:host/user what its own host adds: offer these functions",
    },
    Family {
        has: |import| import.module.starts_with("extism:host/"),
        hint: "this is an Extism plugin: offer what it imports with the feature `extism` of hotcell (`extism::offer`)",
    },
    Family {
        has: |import| import.module == "gojs" || (import.module == "go" && import.name.contains('.')),
        hint: "Go built this for JavaScript: build it with GOOS=wasip1 GOARCH=wasm",
    },
    Family {
        has: |import| {
            import.module == "env"
                && ["emscripten_", "_emscripten_", "invoke_", "__syscall", "__cxa_", "_embind_"]
                    .iter()
                    .any(|start| import.name.starts_with(start))
        },
        hint: "Emscripten imports JavaScript: build with -sSTANDALONE_WASM and without C++ exceptions (-fno-exceptions), or with wasi-sdk",
    },
    Family {
        has: |import| import.module.contains('/') && import.module.contains(':'),
        hint: "these are imports of a component (WASI preview 2): build a core module, for wasm32-wasip1 or wasm32-unknown-unknown",
    },
];

const DENIED_WASI: &str = "this was built for WASI preview 1 (wasi_snapshot_preview1), which the policy denies: allow it with \
                           wasi = \"sandbox\" (`--wasi sandbox`), or build for wasm32-unknown-unknown";
const UNKNOWN_WASI: &str = "this was built for WASI, and the host does not offer these functions: offer them, if they are those of \
                            preview 1 (wasi_snapshot_preview1), or build for wasm32-unknown-unknown";

/// The hints for these imports, each once.
pub(crate) fn of_imports(denied: &[&Import], wasi: Wasi) -> Vec<&'static str> {
    let mut hints = Vec::new();
    for hint in denied.iter().filter_map(|import| of_import(import, wasi)) {
        if !hints.contains(&hint) {
            hints.push(hint);
        }
    }
    hints
}

fn of_import(import: &Import, wasi: Wasi) -> Option<&'static str> {
    if import.module.starts_with("wasi_") {
        return Some(if wasi == Wasi::Deny { DENIED_WASI } else { UNKNOWN_WASI });
    }
    FAMILIES.iter().find(|family| (family.has)(import)).map(|family| family.hint)
}

fn is_env(import: &Import, names: &[&str]) -> bool {
    import.module == "env" && names.contains(&import.name.as_str())
}

/// The hint for a proposal that was denied, by its name.
pub(super) fn of_proposal(proposal: &str) -> Option<&'static str> {
    Some(match proposal {
        "exceptions" | "legacy-exceptions" => {
            "no policy can allow exceptions: build with -fno-exceptions (C++), panic = \"abort\" (Rust), without -fwasm-exceptions"
        }
        "externref" => {
            "no policy can allow references to the host's objects: build without them (wasm-bindgen --no-reference-types), and let the host count handles"
        }
        "gc" | "function-references" => {
            "no policy can allow garbage-collected types: build for linear memory; Kotlin, Dart, Java and OCaml to GC cannot run here"
        }
        "threads" | "shared-everything-threads" => {
            "no policy can allow shared memory: build without -pthread, atomics and --shared-memory"
        }
        "floats" => "allow them with floats = \"canonical\", or build without floating point",
        "stack-switching" | "memory-control" => "no policy can allow it",
        proposal if proposal.starts_with("component-model") => COMPONENT,
        _ => "allow it in `proposals`, or tell the compiler to do without",
    })
}

/// The hint for a module that is too much, by the limit's key.
pub(super) fn of_limit(limit: &str) -> Option<&'static str> {
    match limit {
        "limits.memory_bytes" => Some("raise it in the policy (`--max-memory`), or let the module ask for less memory"),
        limit if limit.starts_with("limits.") => Some("raise it in the policy, or let the module ask for less"),
        "module.bytes" => {
            Some("raise it in the policy, or build a smaller module: with -Os, without debugging sections")
        }
        limit if limit.starts_with("module.") => Some("raise it in the policy, or build a smaller module"),
        _ => None,
    }
}

pub(super) const UNKNOWN_IMPORT: &str =
    "offer them as host functions, let a call of one trap (`--trap-unknown`), or build the module without them";
pub(super) const OTHER_IMPORT: &str = "offer it with the module's type, or build the module for the host's";
pub(super) const MISSING_EXPORT: &str = "export it, as the page about writing a guest has it; an entry of another name is named with \
                                         `--entry`, and `--no-abi` asks for no version";
pub(super) const OTHER_EXPORT: &str = "export it with that type, or under another name";

/// The hint for a component.
pub(super) const COMPONENT: &str = "build a core module: for wasm32-wasip1 or wasm32-unknown-unknown in place of wasm32-wasip2 (Rust), \
                                    -target=wasip1 (TinyGo), GOOS=wasip1 (Go), without the step that makes a component";

#[cfg(test)]
mod tests {
    use alloc::{borrow::ToOwned, sync::Arc};

    use super::*;

    fn hints(imports: &[(&str, &str, ExternType)], wasi: Wasi) -> Vec<&'static str> {
        let import = |(module, name, ty): &(&str, &str, ExternType)| {
            let (module, name) = ((*module).to_owned(), (*name).to_owned());
            Import { module, name, ty: ty.clone(), offset: 0 }
        };
        let imports: Vec<Import> = imports.iter().map(import).collect();
        of_imports(&imports.iter().collect::<Vec<_>>(), wasi)
    }

    fn function() -> ExternType {
        ExternType::Function(Arc::default())
    }

    #[test]
    fn each_family_has_its_hint() {
        let global = ExternType::Global(crate::ValType::I32);
        let memory = |memory64| ExternType::Memory { memory64 };
        for (module, name, kind, word) in [
            ("env", "abort", function(), "AssemblyScript"),
            ("wbg", "__wbg_now_1", function(), "wasm-bindgen"),
            ("__wbindgen_placeholder__", "__wbindgen_throw", function(), "wasm-bindgen"),
            ("./x_bg.js", "__wbindgen_throw", function(), "wasm-bindgen"),
            ("extism:host/env", "alloc", function(), "extism::offer"),
            ("extism:host/user", "query", function(), "its own host"),
            ("gojs", "runtime.wasmExit", function(), "GOOS=wasip1"),
            ("go", "debug", function(), ""),
            ("env", "emscripten_memcpy_js", function(), "STANDALONE_WASM"),
            ("env", "invoke_vi", function(), "fno-exceptions"),
            ("env", "__syscall_openat", function(), "Emscripten"),
            ("env", "memory", memory(false), "--import-memory"),
            ("a", "a", memory(true), "--import-memory"),
            ("GOT.func", "f", global.clone(), "dynamic linking"),
            ("env", "__memory_base", global.clone(), "dynamic linking"),
            ("wasi:cli/environment@0.2.0", "get-environment", function(), "wasm32-wasip1"),
            ("wasi_snapshot_preview1", "fd_write", function(), "policy denies"),
            ("env", "log", function(), ""),
        ] {
            let hints = hints(&[(module, name, kind.clone())], Wasi::Deny);
            assert_eq!(hints.is_empty(), word.is_empty(), "{module}::{name}");
            assert!(hints.iter().all(|hint| hint.contains(word)), "{module}::{name}: {hints:?}");
        }
        let allowed = hints(&[("wasi_snapshot_preview1", "sock_accept_2", function())], Wasi::Sandbox);
        assert!(allowed[0].contains("does not offer"), "{allowed:?}");
    }

    #[test]
    fn a_hint_is_given_once() {
        let found =
            hints(&[("wbg", "a", function()), ("env", "abort", function()), ("wbg", "b", function())], Wasi::Deny);
        assert_eq!(found.len(), 2);
        assert!(found[0].contains("wasm-bindgen"));
    }
}
