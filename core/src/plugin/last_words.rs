//! What a guest says of its own failure before it traps.

use alloc::string::String;

use super::Session;
use crate::{
    backend::{Backend, Instance},
    value::Value,
    verdict::{Fault, TrapKind},
};

/// Name of the global by which a guest says where its error is: an i32, the address of two more, which are pointer and
/// length of a text in UTF-8.
pub const ERROR: &str = "__hotcell_error";

/// Bytes of the text that are read.
const MOST_BYTES: u32 = 4 << 10;

impl<B: Backend, T: Send + 'static> Session<B, T> {
    /// The fault with the guest's own words in place of `unreachable`, if it left any.
    #[cold]
    pub(super) fn in_its_words(&mut self, fault: Fault) -> Fault {
        match fault {
            Fault::Trap(TrapKind::Unreachable) => {
                self.last_words().map_or(fault, |message| Fault::GuestError { message })
            }
            fault => fault,
        }
    }

    fn last_words(&mut self) -> Option<String> {
        let Value::I32(place) = self.global(ERROR)? else { return None };
        let memory = self.instance.memory();
        let at = |address: u32| memory.get(usize::try_from(address).ok()?..);
        let (words, _) = at(place.cast_unsigned())?.split_first_chunk::<8>()?;
        let [p0, p1, p2, p3, l0, l1, l2, l3] = *words;
        let (pointer, len) = (u32::from_le_bytes([p0, p1, p2, p3]), u32::from_le_bytes([l0, l1, l2, l3]));
        let text = at(pointer)?.get(..len.min(MOST_BYTES) as usize)?;
        (!text.is_empty()).then(|| String::from_utf8_lossy(text).into_owned())
    }
}
