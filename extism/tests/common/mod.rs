//! One plugin on every backend.

use hotcell_core::{CallError, HostError, Imports, Loader, Policy, Reply, verdict::Usage};
use hotcell_extism::{CONTRACT, ExtismBackend, ExtismConfig, Plugin, USER_MODULE, new_block, offer, read_block};
use hotcell_wasmi::Wasmi;
use hotcell_wasmtime::Wasmtime;

type Tiered = hotcell_tiered::Tiered<Wasmi, Wasmtime>;

/// What came of a call, without what may differ between backends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The reply, or the fault's code and message.
    pub(crate) reply: Result<Vec<u8>, (&'static str, String)>,
    pub(crate) usage: Usage,
    /// What was logged.
    pub(crate) log: Vec<u8>,
}

impl Outcome {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.reply.as_ref().unwrap_or_else(|error| panic!("{error:?}"))
    }

    pub(crate) fn code(&self) -> &'static str {
        self.reply.as_ref().expect_err("it fails").0
    }

    pub(crate) fn message(&self) -> &str {
        &self.reply.as_ref().expect_err("it fails").1
    }

    fn of(reply: Result<Reply, CallError>) -> Self {
        let report = match &reply {
            Ok(reply) => reply.report.clone(),
            Err(error) => (*error.report).clone(),
        };
        let reply = reply.map(|reply| reply.bytes).map_err(|error| {
            let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
            (error.code(), format!("{}{source}", error.fault))
        });
        Self { reply, usage: report.usage, log: report.output.stderr }
    }
}

/// A call: an entry and its input.
pub(crate) type Call<'a> = (&'a str, &'a [u8]);

/// Makes each call on a new instance, on every backend; the outcomes are equal.
pub(crate) fn fresh(module: &[u8], policy: &Policy, config: fn() -> ExtismConfig, calls: &[Call<'_>]) -> Vec<Outcome> {
    on_all(|| {
        (
            fresh_on::<Wasmtime>(module, policy, config, calls),
            fresh_on::<Wasmi>(module, policy, config, calls),
            fresh_on::<Tiered>(module, policy, config, calls),
        )
    })
}

/// Makes all calls in one session, on every backend; the outcomes are equal.
pub(crate) fn in_session(
    module: &[u8],
    policy: &Policy,
    config: fn() -> ExtismConfig,
    calls: &[Call<'_>],
) -> Vec<Outcome> {
    on_all(|| {
        (
            session_on::<Wasmtime>(module, policy, config, calls),
            session_on::<Wasmi>(module, policy, config, calls),
            session_on::<Tiered>(module, policy, config, calls),
        )
    })
}

fn on_all(run: impl FnOnce() -> (Vec<Outcome>, Vec<Outcome>, Vec<Outcome>)) -> Vec<Outcome> {
    let (wasmtime, wasmi, tiered) = run();
    assert_eq!(wasmtime, wasmi, "wasmtime and wasmi");
    assert_eq!(wasmtime, tiered, "wasmtime and tiered");
    wasmtime
}

fn load<B: ExtismBackend>(module: &[u8], policy: &Policy, config: ExtismConfig) -> Plugin<B> {
    let loader = Loader::<B>::new(policy.clone(), &Default::default(), &B::Options::default()).unwrap();
    let mut imports = loader.imports::<()>();
    offer(&mut imports, config).unwrap();
    offer_user(&mut imports);
    loader.load(module, &imports, &CONTRACT).unwrap_or_else(|error| panic!("{error}")).into()
}

/// A function of the embedder's own, over blocks: the bytes the other way round.
fn offer_user<B: ExtismBackend>(imports: &mut Imports<(), B>) {
    let reverse = |cx: &mut hotcell_core::HostCx<'_, B, ()>, (handle,): (u64,)| -> Result<u64, HostError> {
        let mut bytes = read_block(cx, handle)?;
        bytes.reverse();
        new_block(cx, &bytes)
    };
    imports.func(USER_MODULE, "reverse", reverse).unwrap();
}

fn fresh_on<B: ExtismBackend>(
    module: &[u8],
    policy: &Policy,
    config: fn() -> ExtismConfig,
    calls: &[Call<'_>],
) -> Vec<Outcome> {
    let plugin = load::<B>(module, policy, config());
    calls.iter().map(|(entry, input)| Outcome::of(plugin.call(entry, input))).collect()
}

fn session_on<B: ExtismBackend>(
    module: &[u8],
    policy: &Policy,
    config: fn() -> ExtismConfig,
    calls: &[Call<'_>],
) -> Vec<Outcome> {
    let mut session = load::<B>(module, policy, config()).session(()).unwrap();
    calls.iter().map(|(entry, input)| Outcome::of(session.call(entry, input))).collect()
}
