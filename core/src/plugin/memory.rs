//! What the embedder does with a session's memory between calls.

use super::Session;
use crate::backend::{Backend, BadPointer, Instance, Store, bytes_at};

impl<B: Backend, T: Send + 'static> Session<B, T> {
    /// [The memory](crate::ModuleSummary::memory) of the guest between calls. Empty where it exports none.
    pub fn memory(&self) -> &[u8] {
        self.instance.memory()
    }

    /// The guest's memory between calls, to be written.
    pub fn memory_mut(&mut self) -> &mut [u8] {
        self.instance.memory_and_data().0
    }

    /// The guest's memory together with the embedder's state.
    pub fn memory_and_state(&mut self) -> (&mut [u8], &mut T) {
        let (memory, data) = self.instance.memory_and_data();
        (memory, &mut data.state)
    }

    /// Copies `bytes` to `pointer` in the guest's memory.
    ///
    /// # Errors
    ///
    /// [`BadPointer`] when they do not all fit, or there is no memory; nothing is written then.
    pub fn write(&mut self, pointer: u32, bytes: &[u8]) -> Result<(), BadPointer> {
        let (memory, data) = self.instance.memory_and_data();
        bytes_at(memory, data, pointer, bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    /// Grows the guest's memory by so many of its pages, and gives the number that it had. `None` where there is no memory,
    /// where its own maximum, the policy's budget or the engine refuses, and after a failed call. What the budget refuses is
    /// counted in [`usage`](Self::usage), as when the guest asks.
    pub fn grow_memory(&mut self, pages: u64) -> Option<u64> {
        let exports = self.plugin.linked.exports();
        let (_, index) = exports.memory().filter(|_| !self.poisoned)?;
        let memory = exports.summary().memories.get(index as usize)?;
        let size = self.instance.memory().len() as u64 >> memory.page_size_log2;
        if !self.instance.data_mut().accounts.ask_memory(index, size, pages) {
            return None;
        }
        let has_grown = self.instance.grow_memory(pages);
        if !has_grown {
            self.instance.data_mut().accounts.growth_failed();
        }
        has_grown.then_some(size)
    }
}
