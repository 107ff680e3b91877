//! Arguments and environment: two lists of strings that end with a zero.

use alloc::vec::Vec;

use crate::call::{Call, Outcome};

/// A list of strings as a guest gets it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strings {
    /// One after the other, each with its zero.
    bytes: Vec<u8>,
    /// Where each begins.
    starts: Vec<u32>,
}

impl Strings {
    /// Adds a string without zeros. `false` if there is no room for it, or it has one.
    #[must_use]
    pub(crate) fn push(&mut self, parts: &[&str]) -> bool {
        let len = parts.iter().map(|part| part.len() as u64).sum::<u64>() + 1;
        let fits = self.bytes.len() as u64 + len <= MOST_BYTES && (self.starts.len() as u64) < MOST_STRINGS;
        if !fits || parts.iter().any(|part| part.contains('\0')) {
            return false;
        }
        // Fits: see above.
        self.starts.push(self.bytes.len() as u32);
        self.bytes.extend(parts.iter().flat_map(|part| part.bytes()).chain([0]));
        true
    }

    fn sizes(&self, call: &mut Call<'_>, (count, size): (u32, u32)) -> Outcome {
        call.memory.check(size, 4)?;
        // At most `MOST_STRINGS` and `MOST_BYTES`.
        call.memory.put(count, &(self.starts.len() as u32).to_le_bytes())?;
        call.memory.put(size, &(self.bytes.len() as u32).to_le_bytes())?;
        Ok(())
    }

    fn get(&self, call: &mut Call<'_>, (pointers, buffer): (u32, u32)) -> Outcome {
        let pointer_bytes = self.starts.len() as u32 * 4;
        call.fuel.spend_moving(u64::from(pointer_bytes) + self.bytes.len() as u64)?;
        call.memory.check(pointers, pointer_bytes)?;
        call.memory.put(buffer, &self.bytes)?;
        let slots = call.memory.bytes_mut(pointers, pointer_bytes)?.chunks_exact_mut(4);
        for (slot, start) in slots.zip(&self.starts) {
            // Inside of the buffer, which is inside of the memory.
            slot.copy_from_slice(&(buffer + start).to_le_bytes());
        }
        Ok(())
    }
}

/// Bytes of all strings of a list.
const MOST_BYTES: u64 = 16 << 20;
/// Strings of a list.
const MOST_STRINGS: u64 = 1 << 20;

pub(crate) fn args_sizes_get(call: &mut Call<'_>, out: (u32, u32)) -> Outcome {
    call.state.config.clone().args.sizes(call, out)
}

pub(crate) fn args_get(call: &mut Call<'_>, out: (u32, u32)) -> Outcome {
    call.state.config.clone().args.get(call, out)
}

pub(crate) fn environ_sizes_get(call: &mut Call<'_>, out: (u32, u32)) -> Outcome {
    call.state.config.clone().env.sizes(call, out)
}

pub(crate) fn environ_get(call: &mut Call<'_>, out: (u32, u32)) -> Outcome {
    call.state.config.clone().env.get(call, out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{WasiConfig, testing::Guest};

    #[test]
    fn a_guest_gets_its_arguments() {
        let config = WasiConfig::sandbox().args(["a", "", "bcd"]).unwrap().env("K", "v=w").unwrap();
        let mut guest = Guest::new(config);
        assert_eq!(guest.errno(args_sizes_get, (0, 4)), 0);
        assert_eq!((guest.u32(0), guest.u32(4)), (3, 7));
        assert_eq!(guest.errno(args_get, (16, 32)), 0);
        assert_eq!([guest.u32(16), guest.u32(20), guest.u32(24)], [32, 34, 35]);
        assert_eq!(guest.bytes(32, 7), b"a\0\0bcd\0");
        assert_eq!(guest.errno(environ_sizes_get, (0, 4)), 0);
        assert_eq!((guest.u32(0), guest.u32(4)), (1, 6));
        assert_eq!(guest.errno(environ_get, (16, 32)), 0);
        assert_eq!((guest.u32(16), guest.bytes(32, 6)), (32, &b"K=v=w\0"[..]));
    }

    #[test]
    fn what_is_no_string_is_no_argument() {
        assert!(WasiConfig::sandbox().args(["a\0b"]).is_err());
        assert!(WasiConfig::sandbox().env("A=", "").is_err());
        assert!(WasiConfig::sandbox().env("", "").is_err());
        assert!(WasiConfig::sandbox().env("A", "\0").is_err());
        let long = "x".repeat(1 << 20);
        assert!(WasiConfig::sandbox().args(alloc::vec![&long; 15]).is_ok());
        assert!(WasiConfig::sandbox().args(alloc::vec![&long; 16]).is_err());
    }
}
