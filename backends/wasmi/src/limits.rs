use wasmi::ResourceLimiter;
use wasmi_core::LimiterError;

use crate::store::Data;

/// The engine asks before every growth. The guest has asked core already: this is a second line, should a rewritten guest
/// grow without.
impl<T> ResourceLimiter for Data<T> {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool, LimiterError> {
        Ok(self.core.accounts.has_granted_bytes(desired - current))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool, LimiterError> {
        Ok(self.core.accounts.has_granted_elements(desired - current))
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
