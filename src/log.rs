//! A log for guests: one host function, with caps on what a guest may say.
//!
//! ```
//! use hotcell::{Policy, Sandbox, log::{self, Caps}};
//! # #[cfg(feature = "wasmtime")] {
//! # const GUEST: &str = r#"(module
//! #     (import "hotcell" "log" (func $log (param i32 i32 i32)))
//! #     (memory (export "memory") 1) (data (i32.const 8) "begun")
//! #     (func (export "run") (call $log (i32.const 3) (i32.const 8) (i32.const 5))))"#;
//! let sandbox = Sandbox::new(Policy::default())?;
//! let mut imports = sandbox.imports::<Vec<String>>();
//! log::offer(&mut imports, Caps::default(), |lines: &mut Vec<String>, line| lines.push(line.to_string()))?;
//! let plugin = sandbox.load_with(&wat::parse_str(GUEST)?, &imports, &hotcell::Contract::None)?;
//! let mut session = plugin.session(Vec::new())?;
//! session.call_values("run", &[])?;
//! assert_eq!(session.state(), &["info: begun"]);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;

use hotcell_core::{Backend, Imports, ValType, Value, admit::FuncType, backend::DuplicateImport, verdict::Escaped};

/// Module name of the function.
pub const MODULE: &str = "hotcell";
/// Its name. Its type is `(level: i32, pointer: i32, len: i32) -> ()`.
pub const NAME: &str = "log";

/// Fuel that a line costs, beside a unit for every 16 bytes.
const LINE_FUEL: u64 = 16;

/// How much a line matters, as guests number it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// 1, and any number that is none of the others.
    Error = 1,
    /// 2.
    Warn = 2,
    /// 3.
    Info = 3,
    /// 4.
    Debug = 4,
    /// 5.
    Trace = 5,
}

impl Level {
    fn numbered(number: i32) -> Self {
        match number {
            2 => Self::Warn,
            3 => Self::Info,
            4 => Self::Debug,
            5 => Self::Trace,
            _ => Self::Error,
        }
    }

    /// The name in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// How much of what an instance says gets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Lines less important than this one are dropped.
    pub level: Level,
    /// Bytes of a line; the rest is cut.
    pub line_bytes: u32,
    /// Lines of an instance; after them comes a last one that says so.
    pub lines: u32,
}

impl Default for Caps {
    /// Up to [`Level::Info`], 1,000 lines of 1 KiB.
    fn default() -> Self {
        Self { level: Level::Info, line_bytes: 1 << 10, lines: 1_000 }
    }
}

/// What a guest says.
///
/// It is displayed as `level: text`, escaped for a terminal or a file of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// How much it matters.
    pub level: Level,
    /// The text as the guest wrote it, where it was UTF-8. Escape it before showing it.
    pub text: &'a str,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.level.name(), Escaped(self.text))
    }
}

/// Lines that an instance has written.
#[derive(Default)]
struct Written(u32);

/// Offers the function. `sink` gets each line that the caps let through, with the embedder's state of the instance.
///
/// A text outside of the guest's memory ends the call with [`BadPointer`](hotcell_core::backend::BadPointer) in the fault,
/// whose blame is the guest's. A line costs 16 units of fuel, and one for every 16 bytes of it.
///
/// # Errors
///
/// [`DuplicateImport`] when a function of this name is offered already.
pub fn offer<T, B>(
    imports: &mut Imports<T, B>,
    caps: Caps,
    sink: impl Fn(&mut T, Line<'_>) + Send + Sync + 'static,
) -> Result<(), DuplicateImport>
where
    T: Send + 'static,
    B: Backend,
{
    let ty = FuncType { params: vec![ValType::I32; 3], results: Vec::new() };
    imports.func_values(MODULE, NAME, ty, move |cx, params, _| {
        let &[Value::I32(level), Value::I32(pointer), Value::I32(len)] = params else {
            unreachable!("core has checked the types");
        };
        let len = len.cast_unsigned();
        cx.charge(LINE_FUEL + u64::from(len.min(caps.line_bytes)) / 16)?;
        // All of it must be there, although only its beginning is read.
        let text = cx.read(pointer.cast_unsigned(), len)?;
        let text = String::from_utf8_lossy(&text[..len.min(caps.line_bytes) as usize]).into_owned();
        let level = Level::numbered(level);
        if level > caps.level {
            return Ok(());
        }
        let Written(lines) = cx.extension();
        *lines = lines.saturating_add(1);
        let number = *lines;
        match number.checked_sub(caps.lines) {
            None | Some(0) => sink(cx.state(), Line { level, text: &text }),
            Some(1) => sink(cx.state(), Line { level: Level::Warn, text: "the rest of this log is left out" }),
            Some(_) => {}
        }
        Ok(())
    })?;
    Ok(())
}
