//! Random bytes: from the config's seed, or the host's own.

use chacha20::{
    ChaCha12Rng,
    rand_core::{Rng, SeedableRng},
};

use crate::{
    call::{Call, Outcome},
    config::Randomness,
};

/// Bytes that are made for one unit of fuel: a byte takes one to three nanoseconds where there are no vectors.
const MADE: u64 = 4;

/// The generator of one instance.
pub(crate) struct Random(ChaCha12Rng);

impl Random {
    /// Begins with the seed.
    pub(crate) fn new(seed: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        Self(ChaCha12Rng::from_seed(key))
    }
}

pub(crate) fn random_get(call: &mut Call<'_>, (buffer, len): (u32, u32)) -> Outcome {
    call.memory.check(buffer, len)?;
    call.fuel.spend(u64::from(len).div_ceil(MADE))?;
    let bytes = call.memory.bytes_mut(buffer, len)?;
    match call.state.config.randomness {
        Randomness::Seed(_) => call.state.random.0.fill_bytes(bytes),
        #[cfg(feature = "std")]
        Randomness::Host => getrandom::fill(bytes).map_err(|_| crate::errno::Errno::Io)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{WasiConfig, call::Stop, testing::Guest};

    /// The published stream of ChaCha with 12 rounds, for a key of zeros.
    #[test]
    fn bytes_are_those_of_the_cipher() {
        let mut guest = Guest::new(WasiConfig::sandbox());
        assert_eq!(guest.errno(random_get, (0, 5)), 0);
        assert_eq!(guest.bytes(0, 6), [0x9b, 0xf4, 0x9a, 0x6a, 0x07, 0]);
        let mut other = Guest::new(WasiConfig::sandbox().random_seed(1));
        assert_eq!(other.errno(random_get, (0, 5)), 0);
        assert_ne!(other.bytes(0, 5), guest.bytes(0, 5));
    }

    #[test]
    fn bytes_are_paid_for_before_they_are_made() {
        let mut guest = Guest::new(WasiConfig::sandbox());
        guest.fuel = Some(1_000);
        assert_eq!(guest.call(random_get, (0, 1 << 16)), Err(Stop::OutOfFuel));
        assert!(guest.memory.iter().all(|byte| *byte == 0));
    }
}
