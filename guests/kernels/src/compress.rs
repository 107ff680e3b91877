//! A compressor that writes an LZ4 block: a hash table, and comparisons of what came before.

use alloc::{vec, vec::Vec};

/// Bytes of the shortest match.
const SHORTEST: usize = 4;
/// The last bytes are never part of a match, and no match begins in the last twelve.
const LAST_LITERALS: usize = 5;
const LAST_MATCH: usize = 12;
/// The farthest that a match may lie behind.
const FARTHEST: usize = 0xffff;
const TABLE_BITS: u32 = 12;

pub(crate) fn compress(input: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(input.len() / 2 + 16);
    let mut table = vec![0u32; 1 << TABLE_BITS];
    let (mut at, mut literals) = (0, 0);
    while at + LAST_MATCH < input.len() {
        let word = word_at(input, at);
        let slot = &mut table[(word.wrapping_mul(2_654_435_761) >> (32 - TABLE_BITS)) as usize];
        // Positions are stored plus one: zero is none.
        let candidate = *slot as usize;
        *slot = at as u32 + 1;
        let found = candidate.checked_sub(1).filter(|&from| at - from <= FARTHEST && word_at(input, from) == word);
        let Some(from) = found else {
            at += 1;
            continue;
        };
        let most = input.len() - LAST_LITERALS - at;
        let len = (SHORTEST..most).find(|&len| input[from + len] != input[at + len]).unwrap_or(most);
        sequence(&mut out, &input[literals..at], Some((at - from, len)));
        at += len;
        literals = at;
    }
    sequence(&mut out, &input[literals..], None);
    out
}

fn word_at(input: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([input[at], input[at + 1], input[at + 2], input[at + 3]])
}

/// Literals, and the match that follows them: how far behind, and how long.
fn sequence(out: &mut Vec<u8>, literals: &[u8], copy: Option<(usize, usize)>) {
    let extra = copy.map_or(0, |(_, len)| len - SHORTEST);
    out.push((literals.len().min(15) << 4 | extra.min(15)) as u8);
    rest(out, literals.len());
    out.extend_from_slice(literals);
    if let Some((distance, _)) = copy {
        out.extend_from_slice(&(distance as u16).to_le_bytes());
        rest(out, extra);
    }
}

/// The part of a length that has no room in the token.
fn rest(out: &mut Vec<u8>, len: usize) {
    if let Some(mut rest) = len.checked_sub(15) {
        while rest >= 255 {
            out.push(255);
            rest -= 255;
        }
        out.push(rest as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A decoder written from the format's description.
    fn decompress(mut block: &[u8]) -> Vec<u8> {
        fn take<'a>(block: &mut &'a [u8], count: usize) -> &'a [u8] {
            block.split_off(..count).unwrap()
        }
        fn len(block: &mut &[u8], short: u8) -> usize {
            let mut len = usize::from(short);
            while len >= 15 {
                let byte = take(block, 1)[0];
                len += usize::from(byte);
                if byte < 255 {
                    break;
                }
            }
            len
        }
        let mut out = Vec::new();
        while !block.is_empty() {
            let token = take(&mut block, 1)[0];
            let literals = len(&mut block, token >> 4);
            out.extend_from_slice(take(&mut block, literals));
            if block.is_empty() {
                break;
            }
            let distance = u16::from_le_bytes(take(&mut block, 2).try_into().unwrap());
            for _ in 0..len(&mut block, token & 15) + SHORTEST {
                out.push(out[out.len() - usize::from(distance)]);
            }
        }
        out
    }

    #[test]
    fn what_was_compressed_comes_back() {
        let text = include_bytes!("compress.rs");
        let numbers: Vec<u8> = (0..100_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let zeros = [0; 70_000];
        for input in [&b""[..], b"short", b"thirteen byte", text, &numbers, &zeros] {
            assert_eq!(decompress(&compress(input)), input);
        }
        assert!(compress(text).len() < text.len() * 2 / 3);
        assert!(compress(&zeros).len() < 300);
    }

    #[test]
    fn a_known_block() {
        // One literal, a copy of eleven from one behind, five literals.
        assert_eq!(compress(&[b'a'; 17]), [0x17, b'a', 1, 0, 0x50, b'a', b'a', b'a', b'a', b'a']);
    }
}
