//! Runs one script: the directives of a `.wast` file, in order.

use std::{cell::RefCell, collections::HashMap, error::Error, fmt::Display, rc::Rc};

use hotcell_core::{
    Fault, LoadError, Rejection, Value,
    admit::{Import, summarize},
    verdict::Reason,
};
use wast::{
    Wast, WastDirective, WastExecute, WastInvoke, WastThread,
    lexer::Lexer,
    parser::{self, ParseBuffer},
    token::{Id, Span},
};

use super::{
    counts::Counts,
    host::{Code, Guest, Host},
    traps::codes_of,
    values::{all_match, argument},
};
use crate::BackendUnderTest;

/// The outcome of a script.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) counts: Counts,
    /// Failures, by line.
    pub(crate) failures: Vec<String>,
    /// Every operation of a guest, for comparing backends.
    pub(crate) steps: Vec<Step>,
}

/// One operation of a guest: an instantiation or a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Position of the directive in the script.
    pub at: usize,
    /// The results, or the code of the fault.
    pub end: Result<Vec<Value>, &'static str>,
    /// Fuel that it used.
    pub fuel: Option<u64>,
}

/// Runs the script `text` on `host`.
///
/// `knows_all` is whether the validator knows every proposal that the script uses: then a module that the suite calls
/// valid may be denied, but not called invalid. `outdated` are the lines of modules that the script calls invalid and
/// today's specification does not.
pub(crate) fn run<B: BackendUnderTest>(text: &str, host: &Host<B>, knows_all: bool, outdated: &[usize]) -> Outcome {
    let mut lexer = Lexer::new(text);
    lexer.allow_confusing_unicode(true);
    let buffer = ParseBuffer::new_with_lexer(lexer).expect("the suite's scripts are well-formed");
    let script = parser::parse::<Wast<'_>>(&buffer).expect("the suite's scripts are well-formed");
    let mut run = Run { text, host, knows_all, outdated, outcome: Outcome::default() };
    run.all(&mut Scope::default(), script.directives);
    run.outcome
}

struct Run<'t, 'h, B: BackendUnderTest> {
    text: &'t str,
    host: &'h Host<B>,
    knows_all: bool,
    outdated: &'h [usize],
    outcome: Outcome,
}

/// How a directive ended that did not pass.
enum End {
    /// Its module was refused by design.
    Refused(String),
    /// It refers to a module that was refused.
    Dependent,
    /// The assembler refused its text.
    Text,
    Failed(String),
}

/// How a guest's operation ended.
type Done = Result<Vec<Value>, Fault>;

impl<B: BackendUnderTest> Run<'_, '_, B> {
    fn all<'a>(&mut self, scope: &mut Scope<'a, B>, directives: Vec<WastDirective<'a>>) {
        for directive in directives {
            let span = directive.span();
            match directive {
                WastDirective::Register { name, module, .. } => scope.register(name, module),
                WastDirective::Wait { .. } => {}
                WastDirective::Thread(thread) => self.thread(scope, thread),
                directive => {
                    let end = self.directive(scope, directive);
                    self.count(span, end);
                }
            }
        }
    }

    fn count(&mut self, span: Span, end: Result<(), End>) {
        let counts = &mut self.outcome.counts;
        match end {
            Ok(()) => counts.passed += 1,
            Err(End::Refused(reason)) => *counts.refused.entry(reason).or_default() += 1,
            Err(End::Dependent) => counts.dependent += 1,
            Err(End::Text) => counts.text += 1,
            Err(End::Failed(reason)) => {
                let line = self.line(span);
                self.outcome.failures.push(format!("{line}: {reason}"));
            }
        }
    }

    fn line(&self, span: Span) -> usize {
        span.linecol_in(self.text).0 + 1
    }

    /// Runs the directives of a thread in sequence, with the module that it shares with the script.
    fn thread<'a>(&mut self, scope: &mut Scope<'a, B>, thread: WastThread<'a>) {
        let mut inner = Scope::default();
        if let Some(shared) = thread.shared_module {
            match scope.with(Some(shared), |_| Ok(())) {
                Err(End::Dependent) => drop(inner.add(Some(shared), Err(End::Dependent))),
                _ => self.count(thread.span, failed("a module that threads share was not refused")),
            }
        }
        self.all(&mut inner, thread.directives);
    }

    fn directive<'a>(&mut self, scope: &mut Scope<'a, B>, directive: WastDirective<'a>) -> Result<(), End> {
        use WastDirective as D;
        let at = directive.span();
        match directive {
            D::Module(mut module) => {
                let guest = self.load(scope, module.encode()).and_then(|code| self.instantiate(at, &code));
                scope.add(module.name(), guest)
            }
            D::ModuleDefinition(mut module) => {
                let code = self.load(scope, module.encode());
                scope.define(module.name(), code)
            }
            D::ModuleInstance { instance, module, .. } => {
                let guest = scope.definition(module).and_then(|code| self.instantiate(at, &code));
                scope.add(instance, guest)
            }
            D::AssertMalformed { mut module, .. } | D::AssertInvalid { mut module, .. } => {
                self.must_be_rejected(at, module.encode())
            }
            // The contents of custom sections do not matter: they are dropped.
            D::AssertMalformedCustom { mut module, .. } | D::AssertInvalidCustom { mut module, .. } => {
                self.load(scope, module.encode()).map(drop)
            }
            D::AssertUnlinkable { mut module, .. } => self.must_not_link(module.encode()),
            D::Invoke(call) => match self.invoke(at, scope, call)? {
                Ok(_) => Ok(()),
                Err(fault) => failed(fault_text(&fault)),
            },
            D::AssertReturn { exec, results, .. } => match self.execute(at, scope, exec)? {
                Ok(values) if all_match(&values, &results) => Ok(()),
                Ok(values) => failed(format!("expected {results:?}, got {}", list(&values))),
                Err(fault) => failed(fault_text(&fault)),
            },
            D::AssertTrap { exec, message, .. } => must_end(&self.execute(at, scope, exec)?, message),
            D::AssertExhaustion { call, message, .. } => must_end(&self.invoke(at, scope, call)?, message),
            D::AssertException { exec, .. } | D::AssertSuspension { exec, .. } => {
                self.execute(at, scope, exec)?.ok();
                failed("no guest can throw or suspend")
            }
            D::Register { .. } | D::Wait { .. } | D::Thread(_) => unreachable!("these are not counted"),
        }
    }

    fn execute<'a>(&mut self, at: Span, scope: &Scope<'a, B>, exec: WastExecute<'a>) -> Result<Done, End> {
        match exec {
            WastExecute::Invoke(call) => self.invoke(at, scope, call),
            WastExecute::Get { module, global, .. } => scope.with(module, |guest| match guest.global(global) {
                Some(value) => Ok(Ok(vec![value])),
                None => failed(format!("no global `{global}`")),
            }),
            WastExecute::Wat(mut module) => {
                let code = self.load(scope, module.encode())?;
                let (guest, fuel) = self.host.instantiate(&code);
                let done = guest.map(|_| Vec::new());
                self.note(at, &done, fuel);
                Ok(done)
            }
        }
    }

    fn invoke<'a>(&mut self, at: Span, scope: &Scope<'a, B>, call: WastInvoke<'a>) -> Result<Done, End> {
        let (done, fuel) =
            scope.with(call.module, |guest| match call.args.iter().map(argument).collect::<Option<Vec<_>>>() {
                Some(params) => Ok(self.host.call(guest, call.name, &params)),
                None => failed("an argument that no guest can take"),
            })?;
        self.note(at, &done, fuel);
        Ok(done)
    }

    fn instantiate(&mut self, at: Span, code: &Code<B>) -> Result<Guest<B>, End> {
        let (guest, fuel) = self.host.instantiate(code);
        match guest {
            Ok(guest) => {
                self.note(at, &Ok(Vec::new()), fuel);
                Ok(guest)
            }
            Err(fault) => failed(fault_text(&fault)),
        }
    }

    fn note(&mut self, at: Span, done: &Done, fuel: Option<u64>) {
        let end = match done {
            Ok(values) => Ok(values.clone()),
            Err(fault) => Err(fault.code()),
        };
        self.outcome.steps.push(Step { at: at.offset(), end, fuel });
    }

    /// Loads a module that the suite calls valid: it may be refused by design only, and the engine must accept it.
    fn load(&self, scope: &Scope<'_, B>, bytes: Result<Vec<u8>, wast::Error>) -> Result<Rc<Code<B>>, End> {
        let bytes = bytes.or_else(|error| failed(format!("the assembler refuses a valid module: {error}")))?;
        match self.host.load(&bytes) {
            Ok(code) => Ok(code),
            Err(LoadError::Rejected(rejection)) => {
                let summary = summarize(&bytes, self.host.policy()).ok();
                scope.lose_exporters(summary.as_ref().map(|summary| summary.imports.as_slice()));
                Err(self.refusal(&rejection))
            }
            Err(error) => failed(format!("{error}: {:?}", error.source())),
        }
    }

    /// Why a valid module was refused, if there is an accepted reason.
    fn refusal(&self, rejection: &Rejection) -> End {
        let code = rejection.code();
        match &rejection.reason {
            Reason::ProposalDenied { proposal, .. } => End::Refused(format!("{code}:{proposal}")),
            Reason::LimitExceeded { limit, .. } => End::Refused(format!("{code}:{limit}")),
            Reason::ImportDenied { .. } | Reason::ImportMismatch { .. } => End::Refused(code.to_owned()),
            Reason::Invalid { .. } | Reason::Malformed { .. } if !self.knows_all => End::Refused(code.to_owned()),
            _ => End::Failed(format!("a valid module was rejected: {code}: {rejection}")),
        }
    }

    /// Checks a module that the suite calls malformed or invalid.
    fn must_be_rejected(&self, at: Span, bytes: Result<Vec<u8>, wast::Error>) -> Result<(), End> {
        let bytes = bytes.map_err(|_| End::Text)?;
        // Imports are checked last: a module that is refused for them passed as valid.
        let rejection = match self.host.admit(&bytes) {
            Err(rejection) if !rejection.code().starts_with("import-") => rejection,
            _ if self.outdated.contains(&self.line(at)) => return Ok(()),
            _ => return failed(format!("it passed for valid; the engine: {:?}", self.host.load(&bytes).map(drop))),
        };
        match rejection.reason {
            _ if self.outdated.contains(&self.line(at)) => failed("it is not outdated"),
            Reason::NotWebAssembly { .. }
            | Reason::NotACoreModule { .. }
            | Reason::Malformed { .. }
            | Reason::Invalid { .. } => Ok(()),
            _ => Err(self.refusal(&rejection)),
        }
    }

    /// Checks a module that is valid, but has unknown imports.
    fn must_not_link(&self, bytes: Result<Vec<u8>, wast::Error>) -> Result<(), End> {
        let bytes = bytes.or_else(|error| failed(format!("the assembler refuses a valid module: {error}")))?;
        match self.host.admit(&bytes).map(drop) {
            Ok(()) => failed("it was admitted"),
            Err(Rejection { reason: Reason::ImportDenied { .. } | Reason::ImportMismatch { .. }, .. }) => Ok(()),
            Err(rejection) => Err(self.refusal(&rejection)),
        }
    }
}

/// The modules and instances that the directives of a script, or of one of its threads, can refer to. `None` if
/// refused.
struct Scope<'a, B: BackendUnderTest> {
    definitions: HashMap<Option<Id<'a>>, Option<Rc<Code<B>>>>,
    /// By name, and the last one without a name.
    guests: HashMap<Option<Id<'a>>, Slot<B>>,
    /// By the name under which other modules import from it.
    registered: HashMap<&'a str, Slot<B>>,
}

type Slot<B> = Rc<RefCell<Option<Guest<B>>>>;

impl<B: BackendUnderTest> Default for Scope<'_, B> {
    fn default() -> Self {
        Self { definitions: HashMap::new(), guests: HashMap::new(), registered: HashMap::new() }
    }
}

impl<'a, B: BackendUnderTest> Scope<'a, B> {
    fn add(&mut self, name: Option<Id<'a>>, guest: Result<Guest<B>, End>) -> Result<(), End> {
        let (guest, end) = split(guest);
        let slot = Rc::new(RefCell::new(guest));
        self.guests.insert(None, slot.clone());
        self.guests.insert(name, slot);
        end
    }

    fn define(&mut self, name: Option<Id<'a>>, code: Result<Rc<Code<B>>, End>) -> Result<(), End> {
        let (code, end) = split(code);
        self.definitions.insert(None, code.clone());
        self.definitions.insert(name, code);
        end
    }

    fn register(&mut self, name: &'a str, module: Option<Id<'a>>) {
        if let Some(slot) = self.guests.get(&module) {
            self.registered.insert(name, slot.clone());
        }
    }

    /// Calls `f` with the guest of that name, or with the last one.
    fn with<R>(&self, name: Option<Id<'a>>, f: impl FnOnce(&mut Guest<B>) -> Result<R, End>) -> Result<R, End> {
        match self.guests.get(&name) {
            Some(slot) => slot.borrow_mut().as_mut().map_or(Err(End::Dependent), f),
            None => failed("there is no such module"),
        }
    }

    fn definition(&self, name: Option<Id<'a>>) -> Result<Rc<Code<B>>, End> {
        match self.definitions.get(&name) {
            Some(code) => code.clone().ok_or(End::Dependent),
            None => failed("there is no such definition"),
        }
    }

    /// A refused module would have changed the state of the instances that it imports from, which the script relies on:
    /// they are dropped too. `imports` is `None` if the imports are unknown.
    fn lose_exporters(&self, imports: Option<&[Import]>) {
        for (name, slot) in &self.registered {
            if imports.is_none_or(|imports| imports.iter().any(|import| import.module == *name)) {
                slot.take();
            }
        }
    }
}

fn split<R>(result: Result<R, End>) -> (Option<R>, Result<(), End>) {
    match result {
        Ok(made) => (Some(made), Ok(())),
        Err(end) => (None, Err(end)),
    }
}

/// Checks that the operation ended as the script's message requires.
fn must_end(done: &Done, message: &str) -> Result<(), End> {
    match done {
        Err(fault) if codes_of(message).contains(&fault.code()) => Ok(()),
        Err(fault) => failed(format!("expected `{message}`, got {}", fault_text(fault))),
        Ok(values) => failed(format!("expected `{message}`, got {}", list(values))),
    }
}

fn failed<R>(reason: impl Display) -> Result<R, End> {
    Err(End::Failed(reason.to_string()))
}

fn fault_text(fault: &Fault) -> String {
    match fault {
        Fault::Backend(error) => format!("{error}: {:?}", error.source()),
        fault => fault.code().to_owned(),
    }
}

fn list(values: &[Value]) -> String {
    let values: Vec<String> = values.iter().map(Value::to_string).collect();
    format!("[{}]", values.join(", "))
}
