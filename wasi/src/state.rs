use alloc::{string::String, sync::Arc, vec::Vec};

use crate::{
    clocks::Clocks,
    config::{Randomness, Source, WasiConfig},
    fds::{Descriptor, Fds, Object},
    files::{
        Mount,
        tree::{ROOT, Tree},
    },
    random::Random,
};

/// What an instance has by WASI: a [library's state](hotcell_core::HostCx::extension), made when the guest first calls one of its
/// functions.
#[derive(Default)]
pub struct WasiState(Option<State>);

impl WasiState {
    /// Takes the files of the [scratch directory](WasiConfig::scratch) that the guest has as `guest_path`: paths in it with
    /// their bytes, in order. The directory is empty then, and what the guest has open in it is closed. `None` where there is no such directory, or the guest has called nothing.
    ///
    /// The names are the guest's. They have no part that is empty, `.` or `..`, and are no names for files of the host.
    pub fn take_files(&mut self, guest_path: &str) -> Option<Vec<(String, Vec<u8>)>> {
        let State { config, mounts, fds, .. } = self.0.as_mut()?;
        let index = config.preopens.iter().position(|preopen| &*preopen.path == guest_path)?;
        let Source::Scratch(limits) = config.preopens[index].source else { return None };
        let Some(Some(Mount::Scratch(tree))) = mounts.get_mut(index) else { return None };
        fds.forget(index);
        Some(core::mem::replace(tree, Tree::new(limits)).into_files())
    }

    #[cfg(test)]
    pub(crate) fn of(state: State) -> Self {
        Self(Some(state))
    }

    pub(crate) fn get(&mut self, config: &Arc<WasiConfig>) -> &mut State {
        self.0.get_or_insert_with(|| State::new(config.clone()))
    }
}

pub(crate) struct State {
    pub(crate) config: Arc<WasiConfig>,
    pub(crate) clocks: Clocks,
    pub(crate) random: Random,
    pub(crate) fds: Fds,
    /// One for each directory of the config; `None` for those of the host.
    pub(crate) mounts: Vec<Option<Mount>>,
}

impl State {
    pub(crate) fn new(config: Arc<WasiConfig>) -> Self {
        let mut state = Self {
            clocks: Clocks::new(config.time),
            random: Random::new(match config.randomness {
                Randomness::Seed(seed) => seed,
                #[cfg(feature = "std")]
                Randomness::Host => 0,
            }),
            fds: Fds::new(),
            mounts: Vec::new(),
            config,
        };
        let config = state.config.clone();
        for (mount, preopen) in config.preopens.iter().enumerate() {
            let dir = Object::Dir { mount, node: ROOT };
            let (tree, object) = match &preopen.source {
                Source::Files(tree) => (Some(Mount::ReadOnly(tree.clone())), dir),
                Source::Scratch(limits) => (Some(Mount::Scratch(Tree::new(*limits))), dir),
                #[cfg(feature = "dirs")]
                Source::Host(dir) => (None, Object::HostDir(dir.clone())),
            };
            state.mounts.push(tree);
            // The config has fewer than there can be.
            let fd = state.fds.insert(Descriptor::preopened(object, mount));
            debug_assert!(fd.is_ok());
        }
        state
    }
}
