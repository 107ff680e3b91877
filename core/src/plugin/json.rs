//! Byte calls whose bytes are JSON.

use alloc::{boxed::Box, vec::Vec};

use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

use super::{Plugin, Reply, Session};
use crate::{
    backend::Backend,
    verdict::{CallError, Report},
};

/// A reply that was JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json<R> {
    /// What the guest said.
    pub value: R,
    /// What was used.
    pub report: Report,
}

/// Why a call with JSON gave no value.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JsonError {
    /// The input cannot be written as JSON. The guest has not run.
    #[error("the input cannot be written as JSON")]
    Input(#[source] serde_json::Error),
    /// The call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The guest's reply is not JSON, or not of this type. A session stays usable.
    #[error("the guest's reply is not the JSON that is expected")]
    Reply {
        /// Where and why.
        source: serde_json::Error,
        /// The reply.
        reply: Box<Reply>,
    },
}

/// Calls with `input` as JSON.
fn call_with<I: Serialize + ?Sized, R: DeserializeOwned>(
    input: &I,
    call: impl FnOnce(&[u8]) -> Result<Reply, CallError>,
) -> Result<Json<R>, JsonError> {
    let input: Vec<u8> = serde_json::to_vec(input).map_err(JsonError::Input)?;
    let reply = call(&input)?;
    match serde_json::from_slice(&reply.bytes) {
        Ok(value) => Ok(Json { value, report: reply.report }),
        Err(source) => Err(JsonError::Reply { source, reply: Box::new(reply) }),
    }
}

impl<B: Backend, T: Send + Default + 'static> Plugin<B, T> {
    /// [`call`](Self::call) with `input` as JSON, and a reply that is JSON.
    ///
    /// # Errors
    ///
    /// [`JsonError`].
    pub fn call_json<I: Serialize + ?Sized, R: DeserializeOwned>(
        &self,
        entry: &str,
        input: &I,
    ) -> Result<Json<R>, JsonError> {
        call_with(input, |input| self.call(entry, input))
    }
}

impl<B: Backend, T: Send + 'static> Session<B, T> {
    /// [`call`](Self::call) with `input` as JSON, and a reply that is JSON.
    ///
    /// # Errors
    ///
    /// [`JsonError`].
    pub fn call_json<I: Serialize + ?Sized, R: DeserializeOwned>(
        &mut self,
        entry: &str,
        input: &I,
    ) -> Result<Json<R>, JsonError> {
        call_with(input, |input| self.call(entry, input))
    }
}
