//! Files: trees in memory, and the host's directories.

#[cfg(feature = "dirs")]
pub(crate) mod dirs;
pub(crate) mod path;
pub(crate) mod stat;
pub(crate) mod tree;

use alloc::sync::Arc;

use self::tree::Tree;
use crate::errno::Errno;

/// A tree that an instance sees.
pub(crate) enum Mount {
    /// The same for all instances.
    ReadOnly(Arc<Tree>),
    /// The instance's own.
    Scratch(Tree),
}

impl Mount {
    pub(crate) fn tree(&self) -> &Tree {
        match self {
            Self::ReadOnly(tree) => tree,
            Self::Scratch(tree) => tree,
        }
    }

    /// To change it.
    pub(crate) fn tree_mut(&mut self) -> Result<&mut Tree, Errno> {
        match self {
            Self::ReadOnly(_) => Err(Errno::Rofs),
            Self::Scratch(tree) => Ok(tree),
        }
    }
}
