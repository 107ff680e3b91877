use wasmtime::ResourceLimiter;

use crate::store::Data;

/// The engine asks before every growth. One instance per store; how many memories and tables it may have was decided
/// at admission.
///
/// `memory_grow_failed` and `table_grow_failed` are left alone on purpose: the engine also calls them for growths that
/// it never asked about (`memory.grow` past the index type), and taking one of those back would take back an earlier
/// growth that succeeded. A growth that was granted and then fails for want of host memory stays counted, which errs on
/// the safe side.
impl<T: Send> ResourceLimiter for Data<T> {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.armed.grow_memory(current, desired, maximum))
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.armed.grow_table(current, desired, maximum))
    }
}
