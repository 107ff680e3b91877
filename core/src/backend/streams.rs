//! The standard streams of an instance: bytes that the host gives, and bytes that it takes.

use alloc::vec::Vec;

use crate::{
    policy::Policy,
    verdict::{Fault, Output},
};

/// Bytes of standard error that are kept, where the policy allows as much output.
const MOST_ERRORS: u64 = 64 << 10;

/// Standard input, output and error of an instance. Nothing leaves it: what the guest writes is kept for the
/// [report](crate::Report), or is the [command](crate::Contract::Command)'s reply.
#[derive(Debug, Default)]
pub struct Streams {
    input: Vec<u8>,
    /// Bytes of it that the guest has read.
    read: usize,
    output: Output,
    most_out: usize,
    most_err: usize,
}

impl Streams {
    pub(super) fn new(policy: &Policy) -> Self {
        let most = policy.rules().limits.output_bytes;
        let bytes = |most: u64| usize::try_from(most).unwrap_or(usize::MAX);
        Self { most_out: bytes(most), most_err: bytes(most.min(MOST_ERRORS)), ..Self::default() }
    }

    /// Gives the guest its standard input, from the first byte on.
    pub(crate) fn set_input(&mut self, input: &[u8]) {
        self.input.clear();
        self.input.extend_from_slice(input);
        self.read = 0;
    }

    /// Bytes of standard input that the guest has not read yet.
    pub fn input(&self) -> &[u8] {
        &self.input[self.read..]
    }

    /// Reads standard input into `bytes`. Returns how many there were; zero at its end.
    pub fn read(&mut self, bytes: &mut [u8]) -> usize {
        let count = bytes.len().min(self.input().len());
        bytes[..count].copy_from_slice(&self.input()[..count]);
        self.read += count;
        count
    }

    /// Writes to standard output. What is more than `limits.output_bytes` in one operation is dropped, and counted.
    pub fn write_out(&mut self, bytes: &[u8]) {
        keep(&mut self.output.stdout, &mut self.output.dropped_stdout, self.most_out, bytes);
    }

    /// Writes to standard error. What is more than 64 KiB in one operation, or than `limits.output_bytes`, is dropped, and
    /// counted.
    pub fn write_err(&mut self, bytes: &[u8]) {
        keep(&mut self.output.stderr, &mut self.output.dropped_stderr, self.most_err, bytes);
    }

    /// Standard output, as a command's reply.
    ///
    /// # Errors
    ///
    /// [`Fault::OutputTooLarge`] when not all of it was kept.
    pub(crate) fn take_reply(&mut self) -> Result<Vec<u8>, Fault> {
        let Output { stdout, dropped_stdout, .. } = &mut self.output;
        let len = stdout.len() as u64 + *dropped_stdout;
        if *dropped_stdout > 0 {
            let len = u32::try_from(len).unwrap_or(u32::MAX);
            return Err(Fault::OutputTooLarge { len, allowed: self.most_out as u64 });
        }
        Ok(core::mem::take(stdout))
    }

    /// What was written since it was taken last.
    pub(crate) fn take_output(&mut self) -> Output {
        core::mem::take(&mut self.output)
    }
}

fn keep(kept: &mut Vec<u8>, dropped: &mut u64, most: usize, bytes: &[u8]) {
    let (fits, rest) = bytes.split_at(bytes.len().min(most - kept.len()));
    kept.extend_from_slice(fits);
    *dropped += rest.len() as u64;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn streams(output_bytes: u64) -> Streams {
        Streams::new(&Policy::default().with(|rules| rules.limits.output_bytes = output_bytes).unwrap())
    }

    #[test]
    fn input_is_read_once() {
        let mut streams = streams(1);
        streams.set_input(b"abc");
        let mut bytes = [0; 2];
        assert_eq!((streams.read(&mut bytes), bytes), (2, *b"ab"));
        assert_eq!(streams.input(), b"c");
        assert_eq!((streams.read(&mut bytes), bytes), (1, *b"cb"));
        assert_eq!(streams.read(&mut bytes), 0);
        streams.set_input(b"d");
        assert_eq!(streams.input(), b"d");
    }

    #[test]
    fn output_is_kept_up_to_its_limit() {
        let mut streams = streams(3);
        streams.write_out(b"ab");
        streams.write_out(b"cd");
        streams.write_out(b"e");
        streams.write_err(b"wxyz");
        let output = streams.take_output();
        assert_eq!((&*output.stdout, output.dropped_stdout), (&b"abc"[..], 2));
        assert_eq!((&*output.stderr, output.dropped_stderr), (&b"wxy"[..], 1));
        streams.write_out(b"f");
        assert_eq!(streams.take_output().stdout, b"f");
    }
}
