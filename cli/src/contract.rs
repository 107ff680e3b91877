//! Which contract a module is held to.

use hotcell::Contract;

/// What finds the contract of a module's bytes.
pub(crate) type ContractOf<'a> = &'a dyn Fn(&[u8]) -> Contract;

/// None, or what the module's exports say: it is a command, or has the byte contract with this entry.
pub(crate) fn contract_of(none: bool, entry: &str) -> impl Fn(&[u8]) -> Contract {
    move |module| if none { Contract::None } else { Contract::of(module, entry) }
}
