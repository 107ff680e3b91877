//! `slug(text)`, `gcd(bigint, bigint)` and `add(bigint, bigint)`.

#![cfg_attr(target_arch = "wasm32", no_std)]
extern crate alloc;

use alloc::string::String;

hotcell_guest::runtime!();

hotcell_guest::scalar! {
    /// Letters and digits in lower case, with a hyphen for all that stands between them.
    fn slug(text: &str) -> String {
        let mut slug = String::with_capacity(text.len());
        let mut is_after_gap = false;
        for letter in text.chars() {
            if !letter.is_alphanumeric() {
                is_after_gap = true;
                continue;
            }
            if is_after_gap && !slug.is_empty() {
                slug.push('-');
            }
            is_after_gap = false;
            if letter.is_ascii() {
                slug.push(letter.to_ascii_lowercase());
            } else {
                slug.extend(letter.to_lowercase());
            }
        }
        slug
    }
}

hotcell_guest::scalar! {
    /// The greatest common divisor.
    fn gcd(a: i64, b: i64) -> Result<i64, &'static str> {
        let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
        while b != 0 {
            (a, b) = (b, a % b);
        }
        i64::try_from(a).map_err(|_| "the divisor is 2^63, which is no bigint")
    }
}

hotcell_guest::scalar! {
    /// The sum; a null counts as 0, and two nulls are null.
    fn add(a: Option<i64>, b: Option<i64>) -> Result<Option<i64>, &'static str> {
        match (a, b) {
            (Some(a), Some(b)) => a.checked_add(b).map(Some).ok_or("the sum is too large"),
            (one, other) => Ok(one.or(other)),
        }
    }
}
