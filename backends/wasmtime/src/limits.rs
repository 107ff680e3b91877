use wasmtime::ResourceLimiter;

use crate::store::Data;

/// The engine asks before every growth. The guest has asked core already: this is a second line, should a rewritten guest
/// grow without. How many memories and tables there may be was decided at admission.
impl<T: Send> ResourceLimiter for Data<T> {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.core.accounts.has_granted_bytes(desired - current))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.core.accounts.has_granted_elements(desired - current))
    }
}
