use wasmi::ResourceLimiter;
use wasmi_core::LimiterError;

use crate::store::Data;

/// The engine asks before every growth, and tells when one that was granted did not happen: for want of host memory, or
/// because the fuel slice ran out in the middle, in which case it asks again when resumed.
impl<T> ResourceLimiter for Data<T> {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool, LimiterError> {
        Ok(self.armed.grow_memory(current, desired, maximum))
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool, LimiterError> {
        Ok(self.armed.grow_table(current, desired, maximum))
    }

    fn memory_grow_failed(&mut self, _error: &LimiterError) {
        self.armed.growth_failed();
    }

    fn table_grow_failed(&mut self, _error: &LimiterError) {
        self.armed.growth_failed();
    }

    fn instances(&self) -> usize {
        1
    }

    // How many of these a module may have was decided at admission.
    fn tables(&self) -> usize {
        usize::MAX
    }

    fn memories(&self) -> usize {
        usize::MAX
    }
}
