//! Sorting: comparisons that nobody can predict.

use alloc::vec::Vec;

pub(crate) fn sort(input: &[u8]) -> Vec<u8> {
    let mut numbers: Vec<u32> = input.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
    numbers.sort_unstable();
    numbers.into_iter().flat_map(u32::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascending_and_complete() {
        let bytes = |numbers: &[u32]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>();
        assert_eq!(sort(&bytes(&[3, 1, u32::MAX, 2, 1])), bytes(&[1, 1, 2, 3, u32::MAX]));
        assert_eq!(sort(b""), b"");
    }
}
