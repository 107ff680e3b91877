//! What goes through the pipes.
//!
//! ```text
//! request: magic, nonce, count of pieces, their lengths, the pieces
//! reply:   magic, status, length, MAC, payload
//! ```
//!
//! Numbers are 64 bits, little-endian. The MAC of a reply is keyed with the nonce of its request, which no other knows.
//! It finds replies that are cut off or mixed with other output, and those of a program that does not serve. It is no
//! defence against a worker that a module has taken over: that one has read the nonce.

use std::io::{self, Read};

const REQUEST: [u8; 4] = *b"HCq1";
const REPLY: [u8; 4] = *b"HCr1";
/// Bytes of a reply before its payload.
const HEAD: usize = REPLY.len() + 1 + 8 + blake3::OUT_LEN;
/// Most bytes of a text.
pub(super) const TEXT: usize = 4 << 10;

/// Names a request.
pub(super) type Nonce = [u8; 16];

/// What a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// What was asked for.
    Done = 0,
    /// The text of the handler's error.
    Refused = 1,
    /// The text of a panic.
    Panicked = 2,
}

/// What stands before the pieces of a request.
pub(super) fn request_head(nonce: &Nonce, pieces: &[&[u8]]) -> Vec<u8> {
    let mut head = [&REQUEST[..], nonce].concat();
    head.extend((pieces.len() as u64).to_le_bytes());
    for piece in pieces {
        head.extend((piece.len() as u64).to_le_bytes());
    }
    head
}

/// Reads a whole request.
pub(super) fn read_request(input: &mut impl Read) -> io::Result<(Nonce, Vec<Vec<u8>>)> {
    if read(input)? != REQUEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "no request"));
    }
    let nonce = read(input)?;
    let count = u64::from_le_bytes(read(input)?);
    let lengths: Vec<u64> = (0..count).map(|_| read(input).map(u64::from_le_bytes)).collect::<io::Result<_>>()?;
    let piece = |length| {
        let mut piece = Vec::new();
        let read = input.by_ref().take(length).read_to_end(&mut piece)?;
        if (read as u64) < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(piece) }
    };
    Ok((nonce, lengths.into_iter().map(piece).collect::<io::Result<_>>()?))
}

fn read<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// What stands before the payload of a reply.
pub(super) fn reply_head(nonce: &Nonce, status: Status, payload: &[u8]) -> Vec<u8> {
    let length = payload.len() as u64;
    let mac = mac(nonce, status, payload);
    [&REPLY[..], &[status as u8], &length.to_le_bytes(), mac.as_bytes()].concat()
}

fn mac(nonce: &Nonce, status: Status, payload: &[u8]) -> blake3::Hash {
    let key = blake3::derive_key("hotcell compile worker reply 1", nonce);
    let mut hasher = blake3::Hasher::new_keyed(&key);
    hasher.update(&[status as u8]).update(&(payload.len() as u64).to_le_bytes()).update(payload);
    hasher.finalize()
}

/// A reply as it comes in. It holds what has come, never what was only announced.
pub(super) struct Incoming {
    /// Most bytes of a payload.
    limit: u64,
    head: Vec<u8>,
    payload: Vec<u8>,
}

impl Incoming {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, head: Vec::with_capacity(HEAD), payload: Vec::new() }
    }

    /// Takes the next bytes, and says whether the reply is complete. What follows it is dropped.
    ///
    /// # Errors
    ///
    /// As soon as these bytes begin no reply, or one that is longer than it may be.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<bool, &'static str> {
        let (head, payload) = bytes.split_at(bytes.len().min(HEAD - self.head.len()));
        self.head.extend(head);
        if !self.head.iter().zip(&REPLY).all(|(byte, magic)| byte == magic) {
            return Err("it does not begin like a reply");
        }
        let Some((status, length, _)) = self.parts() else {
            return if self.head.len() < HEAD { Ok(false) } else { Err("its status is unknown") };
        };
        if length > self.limit || (status != Status::Done && length > TEXT as u64) {
            return Err("it is longer than it may be");
        }
        let missing = usize::try_from(length).unwrap_or(usize::MAX).saturating_sub(self.payload.len());
        self.payload.extend(&payload[..payload.len().min(missing)]);
        Ok(self.payload.len() as u64 == length)
    }

    /// The reply to the request of that nonce.
    pub(super) fn finish(self, nonce: &Nonce) -> Result<(Status, Vec<u8>), &'static str> {
        match self.parts() {
            Some((status, length, found)) if length == self.payload.len() as u64 => {
                // Hashes are compared in constant time.
                let is_whole = mac(nonce, status, &self.payload) == found;
                if is_whole { Ok((status, self.payload)) } else { Err("its MAC is wrong") }
            }
            _ if self.head.is_empty() => Err("there is none"),
            _ => Err("it ends too early"),
        }
    }

    /// Status, length and MAC, once they are here.
    fn parts(&self) -> Option<(Status, u64, blake3::Hash)> {
        let (status, rest) = self.head.get(REPLY.len()..)?.split_first()?;
        let (length, rest) = rest.split_first_chunk()?;
        let mac = blake3::Hash::from_bytes(*rest.first_chunk()?);
        let status =
            [Status::Done, Status::Refused, Status::Panicked].into_iter().find(|known| *known as u8 == *status)?;
        Some((status, u64::from_le_bytes(*length), mac))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: Nonce = *b"0123456789abcdef";

    fn reply(status: Status, payload: &[u8]) -> Vec<u8> {
        [reply_head(&NONCE, status, payload), payload.to_vec()].concat()
    }

    /// Pushes `bytes` in chunks of `size`.
    fn receive(bytes: &[u8], size: usize, nonce: &Nonce) -> Result<(Status, Vec<u8>), &'static str> {
        let mut incoming = Incoming::new(1000);
        for chunk in bytes.chunks(size) {
            if incoming.push(chunk)? {
                break;
            }
        }
        incoming.finish(nonce)
    }

    #[test]
    fn a_request_comes_out_as_it_went_in() {
        let requests: [&[&[u8]]; 3] = [&[], &[b""], &[b"settings", b"", b"module"]];
        for pieces in requests {
            let bytes = [request_head(&NONCE, pieces), pieces.concat()].concat();
            let (nonce, read) = read_request(&mut &bytes[..]).unwrap();
            assert_eq!((nonce, &read[..]), (NONCE, &pieces.iter().map(|piece| piece.to_vec()).collect::<Vec<_>>()[..]));
            for end in 0..bytes.len() {
                assert!(read_request(&mut &bytes[..end]).is_err(), "{end}");
            }
        }
        // A length or a count is not believed.
        for ones in [request_head(&NONCE, &[]).len() - 8, request_head(&NONCE, &[]).len()] {
            let mut bytes = request_head(&NONCE, &[b""]);
            bytes[ones..].fill(0xff);
            assert!(read_request(&mut &bytes[..]).is_err());
        }
        assert!(read_request(&mut &[b'x'; 100][..]).is_err());
    }

    #[test]
    fn a_reply_comes_out_as_it_went_in_whatever_the_chunks() {
        for status in [Status::Done, Status::Refused, Status::Panicked] {
            for payload in [&b""[..], b"x", &[7; 1000]] {
                let bytes = reply(status, payload);
                for size in [1, 2, HEAD - 1, HEAD, HEAD + 1, 2000] {
                    assert_eq!(receive(&bytes, size, &NONCE), Ok((status, payload.to_vec())));
                }
                let followed = [&bytes[..], b"more"].concat();
                assert_eq!(receive(&followed, 2000, &NONCE), Ok((status, payload.to_vec())));
            }
        }
    }

    #[test]
    fn a_reply_with_any_byte_changed_or_missing_is_none() {
        let bytes = reply(Status::Done, b"payload");
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(receive(&changed, 5, &NONCE).is_err(), "changed at {at}");
            assert!(receive(&bytes[..at], 5, &NONCE).is_err(), "cut at {at}");
        }
        assert_eq!(receive(&bytes, 5, b"another request.").unwrap_err(), "its MAC is wrong");
        assert_eq!(receive(b"", 5, &NONCE).unwrap_err(), "there is none");
    }

    #[test]
    fn what_is_too_long_or_no_reply_is_refused_at_its_first_bytes() {
        let head = |status, length| reply_head(&NONCE, status, &vec![0; length]);
        assert_eq!(Incoming::new(1000).push(&head(Status::Done, 1000)), Ok(false));
        assert!(Incoming::new(1000).push(&head(Status::Done, 1001)).is_err());
        assert_eq!(Incoming::new(1 << 20).push(&head(Status::Refused, TEXT)), Ok(false));
        assert!(Incoming::new(1 << 20).push(&head(Status::Refused, TEXT + 1)).is_err());
        assert!(Incoming::new(1000).push(b"p").is_err());
        let mut unknown = head(Status::Done, 0);
        unknown[REPLY.len()] = 3;
        assert_eq!(Incoming::new(1000).push(&unknown), Err("its status is unknown"));
    }
}
