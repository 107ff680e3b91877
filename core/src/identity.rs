//! All that a compiled module depends on, but for the engine.

use alloc::{borrow::Cow, vec::Vec};

use crate::{
    admit::{Contract, Offered},
    policy::Policy,
};

/// A module, and all that decides whether it is admitted and how it is rewritten: the policy, the offered imports, the
/// contract and this version of hotcell. Two loads of the same identity admit and compile the same.
#[derive(Clone, Debug)]
pub struct Identity<'a> {
    module: Cow<'a, [u8]>,
    settings: Vec<u8>,
}

/// A hash of this crate's source, so that code compiled by a build that admits or rewrites otherwise is told apart.
const SOURCE: &str = env!("HOTCELL_CORE_SOURCE");

impl<'a> Identity<'a> {
    /// The identity of `module` where it is loaded so.
    pub fn new(module: &'a [u8], policy: &Policy, offered: &Offered, contract: &Contract) -> Self {
        let mut settings = SOURCE.as_bytes().to_vec();
        for part in [policy.canonical(), offered.canonical(), contract.canonical()] {
            settings.extend_from_slice(&(part.bytes().len() as u64).to_le_bytes());
            settings.extend_from_slice(part.bytes());
        }
        Self { module: module.into(), settings }
    }

    /// The module, as it came.
    pub fn module(&self) -> &[u8] {
        &self.module
    }

    /// All the rest, in bytes: different for different settings.
    pub fn settings(&self) -> &[u8] {
        &self.settings
    }

    /// With a copy of the module.
    pub fn into_owned(self) -> Identity<'static> {
        Identity { module: self.module.into_owned().into(), settings: self.settings }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::admit::{FuncType, Signature};

    /// What admission finds and the rewrite makes depends on these versions too. They stand here, so that others make
    /// another [`SOURCE`].
    #[test]
    fn the_versions_are_those_that_the_manifest_pins() {
        let manifest = include_str!("../../Cargo.toml");
        for pinned in ["wasmparser = { version = \"=0.239.0\"", "wasm-encoder = { version = \"=0.239.0\""] {
            assert!(manifest.contains(pinned), "{pinned}");
        }
    }

    #[test]
    fn every_part_counts() {
        let mut offered = Offered::default();
        let signature = Signature { module: "env".to_string(), name: "f".to_string(), ty: FuncType::default() };
        offered.offer(signature).unwrap();
        let (policies, offers) = ([Policy::default(), Policy::strict()], [Offered::default(), offered]);
        let contracts = [Contract::None, Contract::Abi, Contract::bytes(""), Contract::bytes("run")];
        let mut seen = Vec::new();
        for policy in &policies {
            for offered in &offers {
                for contract in &contracts {
                    seen.push(Identity::new(b"", policy, offered, contract).settings().to_vec());
                }
            }
        }
        let count = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), count);
    }
}
