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
