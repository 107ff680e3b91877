//! The two buffers that host and guest share, and when each is freed.
//!
//! Nothing here knows about WebAssembly, so that it can be tested anywhere.

use alloc_crate::vec::Vec;
use core::cell::Cell;
use core::ptr::NonNull;

/// The buffers of one instance: the input that the host is writing, the reply that it is reading.
///
/// `Cell`, so that no borrow is held while the plugin's function runs.
pub(crate) struct Session {
    input: Cell<Vec<u8>>,
    reply: Cell<Vec<u8>>,
}

impl Session {
    pub(crate) const fn new() -> Self {
        Self { input: Cell::new(Vec::new()), reply: Cell::new(Vec::new()) }
    }

    /// Makes room for an input of `len` bytes, or returns `None` when memory is refused.
    ///
    /// A call begins here, so the previous reply is freed, and so is an input that no entry came
    /// for. Both first: the new input may need their memory.
    pub(crate) fn reserve(&self, len: usize) -> Option<NonNull<u8>> {
        self.reply.take();
        self.input.take();
        let mut input = Vec::new();
        input.try_reserve_exact(len).ok()?;
        input.resize(len, 0);
        let ptr = NonNull::new(input.as_mut_ptr());
        self.input.set(input);
        ptr
    }

    /// Runs `function` on the input at `ptr` and returns where its reply is: it stays there until
    /// the next call begins.
    ///
    /// # Panics
    ///
    /// When `len` is not 0 and the buffer is not the one that [`reserve`](Self::reserve) gave.
    pub(crate) fn run<R: Into<Vec<u8>>>(
        &self,
        ptr: *const u8,
        len: usize,
        function: impl FnOnce(&[u8]) -> R,
    ) -> (*const u8, usize) {
        // An empty input comes without `reserve`: then the call begins here.
        self.reply.take();
        let mut input = self.input.take();
        if len == 0 {
            input = Vec::new();
        }
        assert!(
            len == 0 || (ptr == input.as_ptr() && len == input.len()),
            "the input must be the buffer that `alloc` returned"
        );

        let reply = function(&input).into();
        drop(input);
        let place = (reply.as_ptr(), reply.len());
        self.reply.set(reply);
        place
    }
}

/// The return value of an entry: the reply's address in the upper half, its length in the lower.
pub(crate) const fn pack(ptr: u32, len: u32) -> u64 {
    (ptr as u64) << 32 | len as u64
}

#[cfg(test)]
mod tests {
    use alloc_crate::{string::String, vec};
    use core::slice;

    use super::*;

    /// One call as the host makes it: write the input, run, read the reply.
    #[expect(unsafe_code, reason = "the host's side of the ABI reads and writes raw memory")]
    fn call<R: Into<Vec<u8>>>(session: &Session, input: &[u8], function: impl FnOnce(&[u8]) -> R) -> Vec<u8> {
        let mut at = core::ptr::null();
        if !input.is_empty() {
            let ptr = session.reserve(input.len()).unwrap();
            // SAFETY: `reserve` gave this many bytes, and nothing else touches them.
            unsafe { slice::from_raw_parts_mut(ptr.as_ptr(), input.len()) }.copy_from_slice(input);
            at = ptr.as_ptr().cast_const();
        }
        let (ptr, len) = session.run(at, input.len(), function);
        // SAFETY: the reply lives in the session until its next call.
        unsafe { slice::from_raw_parts(ptr, len) }.to_vec()
    }

    fn buffered(session: &Session) -> (usize, usize) {
        let (input, reply) = (session.input.take(), session.reply.take());
        let sizes = (input.len(), reply.len());
        session.input.set(input);
        session.reply.set(reply);
        sizes
    }

    #[test]
    fn pack_puts_the_address_above_the_length() {
        assert_eq!(pack(0, 0), 0);
        assert_eq!(pack(1, 2), 0x0000_0001_0000_0002);
        assert_eq!(pack(0x8000_0000, 1), 0x8000_0000_0000_0001);
        assert_eq!(pack(1, u32::MAX), 0x0000_0001_ffff_ffff);
        assert_eq!(pack(u32::MAX, u32::MAX), u64::MAX);
    }

    #[test]
    fn a_call_sees_its_input_and_the_host_its_reply() {
        let session = Session::new();
        assert_eq!(call(&session, b"hot", <[u8]>::to_ascii_uppercase), b"HOT");
        assert_eq!(call(&session, b"cell", |_| String::from("é")), "é".as_bytes());
        assert_eq!(call(&session, b"x", |_| Vec::new()), b"");
    }

    #[test]
    fn an_empty_input_needs_no_buffer() {
        let session = Session::new();
        assert_eq!(call(&session, b"", |input| input.to_vec()), b"");
        assert_eq!(call(&session, b"", |_| vec![7; 3]), [7; 3]);
    }

    #[test]
    fn a_long_session_keeps_at_most_one_reply() {
        let session = Session::new();
        for round in 0..2_000_usize {
            let input = vec![b'i'; round % 7 * 100];
            let reply = call(&session, &input, |input| vec![b'o'; input.len() + 1]);
            assert_eq!(reply.len(), input.len() + 1);
            assert_eq!(buffered(&session), (0, reply.len()));
        }
        session.reserve(10);
        assert_eq!(buffered(&session), (10, 0));
    }

    #[test]
    fn an_input_that_no_entry_came_for_is_replaced() {
        let session = Session::new();
        session.reserve(1_000).unwrap();
        session.reserve(10).unwrap();
        assert_eq!(buffered(&session), (10, 0));
        // An empty call does not see the buffer that was meant for another.
        assert_eq!(call(&session, b"", |input| input.to_vec()), b"");
        assert_eq!(buffered(&session), (0, 0));
    }

    #[test]
    fn an_impossible_size_is_refused() {
        assert_eq!(Session::new().reserve(usize::MAX), None);
    }

    #[test]
    #[should_panic(expected = "the buffer that `alloc` returned")]
    fn a_foreign_buffer_is_refused() {
        let session = Session::new();
        session.reserve(3).unwrap();
        session.run(b"abc".as_ptr(), 3, |input| input.to_vec());
    }

    #[test]
    #[should_panic(expected = "the buffer that `alloc` returned")]
    fn another_length_is_refused() {
        let session = Session::new();
        let ptr = session.reserve(3).unwrap();
        session.run(ptr.as_ptr(), 4, |input| input.to_vec());
    }
}
