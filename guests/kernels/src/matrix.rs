//! A product of two matrices of `f64`: floating point in three nested loops.

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

/// The largest order: the matrices then take 24 MiB.
const MOST: usize = 1_024;

pub(crate) fn matrix(input: &[u8]) -> String {
    let order = core::str::from_utf8(input).ok().and_then(|text| text.trim().parse::<usize>().ok());
    match order {
        Some(order) if order <= MOST => sum_of_product(order).to_string(),
        _ => format!("the input is a number up to {MOST}"),
    }
}

/// All elements are whole and small, so every sum is exact.
fn sum_of_product(n: usize) -> u64 {
    let make = |row: usize, column: usize, modulus: usize| {
        (0..n * n).map(|at| ((at / n * row + at % n * column) % modulus) as f64).collect::<Vec<_>>()
    };
    let (a, b, mut product) = (make(7, 3, 11), make(5, 13, 17), vec![0.0; n * n]);
    for i in 0..n {
        for k in 0..n {
            let left = a[i * n + k];
            let (row, out) = (&b[k * n..][..n], &mut product[i * n..][..n]);
            for (out, right) in out.iter_mut().zip(row) {
                *out += left * right;
            }
        }
    }
    product.into_iter().sum::<f64>() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_that_of_columns_times_rows() {
        for n in [0, 1, 2, 17, 64] {
            let element = |at: usize, row: usize, column: usize, modulus: usize| {
                ((at / n * row + at % n * column) % modulus) as u64
            };
            let column = |k: usize| (0..n).map(|i| element(i * n + k, 7, 3, 11)).sum::<u64>();
            let row = |k: usize| (0..n).map(|j| element(k * n + j, 5, 13, 17)).sum::<u64>();
            let expected: u64 = (0..n).map(|k| column(k) * row(k)).sum();
            assert_eq!(matrix(n.to_string().as_bytes()), expected.to_string());
        }
        assert_eq!(matrix(b"many"), "the input is a number up to 1024");
    }
}
