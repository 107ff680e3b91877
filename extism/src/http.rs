//! Requests over HTTP, which the embedder makes or nobody.

use alloc::{string::String, vec::Vec};

use hotcell_core::{HostCx, HostError};

use crate::{
    blocks::{consume, put},
    kernel::Kernel,
    offer::ExtismBackend,
};

pub(crate) type Http = dyn Fn(&[u8], &[u8]) -> Result<HttpResponse, HostError> + Send + Sync;

/// The answer to a request of a guest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpResponse {
    /// Status code.
    pub status: u16,
    /// An object of JSON, with a value for each name in lower case; empty where a guest gets none.
    pub headers: String,
    /// The body.
    pub body: Vec<u8>,
}

/// `http_request`
pub(crate) fn request<B: ExtismBackend, T: Send + 'static>(
    cx: &mut HostCx<'_, B, T>,
    http: Option<&Http>,
    (request, body): (u64, u64),
) -> Result<u64, HostError> {
    let Some(http) = http else {
        return Err(HostError::message(
            "the plugin asks for a request over HTTP; hotcell offers no HTTP unless the host does",
        ));
    };
    let request = consume(cx, request, "a request")?;
    let body = if body == 0 { Vec::new() } else { consume(cx, body, "the body of a request")? };
    let HttpResponse { status, headers, body } = http(&request, &body)?;
    let kernel = cx.extension::<Kernel>();
    (kernel.status, kernel.headers) = (status, headers);
    put(cx, &body)
}

/// `http_headers`
pub(crate) fn headers<B: ExtismBackend, T: Send + 'static>(cx: &mut HostCx<'_, B, T>) -> Result<u64, HostError> {
    let headers = cx.extension::<Kernel>().headers.clone();
    put(cx, headers.as_bytes())
}
