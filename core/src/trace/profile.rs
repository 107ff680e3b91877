use alloc::vec::Vec;

/// Where fuel went, to the unit. What a host function [charges](crate::HostCx::charge) counts for the function that called it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Functions that were called, by index.
    pub functions: Vec<FunctionCost>,
    /// Call paths, each behind the path of its caller.
    pub paths: Vec<PathCost>,
}

impl Profile {
    /// Fuel of all paths: what the guest's functions have used.
    pub fn fuel(&self) -> u64 {
        self.paths.iter().map(|path| path.fuel).sum()
    }

    /// The functions of a path, the outermost first.
    pub fn functions_of(&self, path: &PathCost) -> Vec<Option<u32>> {
        let callers = core::iter::successors(Some(path), |path| self.paths.get(path.caller? as usize));
        let mut functions: Vec<_> = callers.map(|path| path.function).collect();
        functions.reverse();
        functions
    }
}

/// What a function has used, on all paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionCost {
    /// Its index.
    pub function: u32,
    /// Fuel of itself.
    pub fuel: u64,
    /// Fuel between its calls and their ends: with what it called. Counts once where it calls itself.
    pub total: u64,
    /// How often it was called.
    pub calls: u64,
}

/// What the last function of a call path has used there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathCost {
    /// Its caller's path, as an index into [`Profile::paths`]; none for what the host called.
    pub caller: Option<u32>,
    /// The function; none for all that was called on more paths than are kept, and what imports used that the host called.
    pub function: Option<u32>,
    /// Fuel of itself.
    pub fuel: u64,
    /// How often it was called.
    pub calls: u64,
}
