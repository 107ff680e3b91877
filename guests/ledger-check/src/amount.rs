//! Exact decimal amounts: no rounding, and every sum is checked.

use alloc::format;
use alloc::string::String;

/// Digits after the decimal point that an amount can hold: enough for the smallest unit of any
/// currency in use, and 20 digits remain before the point.
const MAX_DECIMALS: u8 = 18;

/// An amount of one currency.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Amount {
    /// In units of 10^-18.
    units: i128,
    /// How many decimals were written, so that `3.50` is not shown as `3.5`.
    decimals: u8,
}

/// Why a text is not an amount.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum AmountError {
    NotANumber,
    TooManyDecimals,
    TooLarge,
}

impl AmountError {
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::NotANumber => "is not an amount",
            Self::TooManyDecimals => "has more than 18 decimals",
            Self::TooLarge => "is too large",
        }
    }
}

impl Amount {
    /// Reads `-1,234.50`: an optional sign, digits with optional commas between groups of three,
    /// and optionally a point with digits after it.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, AmountError> {
        let (negative, digits) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        let (whole, fraction) = match digits.iter().position(|&byte| byte == b'.') {
            Some(point) => (&digits[..point], Some(&digits[point + 1..])),
            None => (digits, None),
        };
        if fraction.is_some_and(<[u8]>::is_empty) || !is_grouped(whole) {
            return Err(AmountError::NotANumber);
        }

        let mut amount = Self::default();
        for &byte in whole.iter().filter(|&&byte| byte != b',') {
            amount.push_digit(byte)?;
        }
        for &byte in fraction.unwrap_or_default() {
            if amount.decimals == MAX_DECIMALS {
                return Err(AmountError::TooManyDecimals);
            }
            amount.push_digit(byte)?;
            amount.decimals += 1;
        }
        let scale = 10_i128.pow(u32::from(MAX_DECIMALS - amount.decimals));
        amount.units = amount
            .units
            .checked_mul(scale)
            .ok_or(AmountError::TooLarge)?;
        if negative {
            amount.units = -amount.units;
        }
        Ok(amount)
    }

    fn push_digit(&mut self, byte: u8) -> Result<(), AmountError> {
        if !byte.is_ascii_digit() {
            return Err(AmountError::NotANumber);
        }
        let shifted = self.units.checked_mul(10);
        let sum = shifted.and_then(|units| units.checked_add(i128::from(byte - b'0')));
        self.units = sum.ok_or(AmountError::TooLarge)?;
        Ok(())
    }

    pub(crate) fn checked_add(self, other: Self) -> Option<Self> {
        let units = self.units.checked_add(other.units)?;
        Some(Self {
            units,
            decimals: self.decimals.max(other.decimals),
        })
    }

    pub(crate) fn is_zero(self) -> bool {
        self.units == 0
    }

    /// Appends the amount with as many decimals as were ever written for it.
    pub(crate) fn write_to(self, out: &mut String) {
        let shown =
            self.units.unsigned_abs() / 10_u128.pow(u32::from(MAX_DECIMALS - self.decimals));
        let decimals = usize::from(self.decimals);
        // At least one digit before the point.
        let digits = format!("{shown:0width$}", width = decimals + 1);
        let (whole, fraction) = digits.split_at(digits.len() - decimals);
        if self.units < 0 {
            out.push('-');
        }
        out.push_str(whole);
        if !fraction.is_empty() {
            out.push('.');
            out.push_str(fraction);
        }
    }
}

/// Whether `whole` has a digit, and commas, if any, just before groups of three digits. Other
/// bytes are for the caller to refuse.
fn is_grouped(whole: &[u8]) -> bool {
    let mut groups = whole.split(|&byte| byte == b',');
    let first = groups.next().unwrap_or_default();
    let is_plain = first.len() == whole.len();
    (is_plain || first.len() <= 3) && !first.is_empty() && groups.all(|group| group.len() == 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let mut out = String::new();
        Amount::parse(text.as_bytes()).unwrap().write_to(&mut out);
        out
    }

    #[test]
    fn amounts_are_shown_as_they_were_written() {
        for text in [
            "0",
            "7",
            "-7",
            "0.05",
            "-0.05",
            "3.50",
            "1000000",
            "0.000000000000000001",
        ] {
            assert_eq!(shown(text), text);
        }
        assert_eq!(shown("+1,234,567.80"), "1234567.80");
        assert_eq!(shown("007"), "7");
        assert_eq!(
            shown("-99999999999999999999.999999999999999999"),
            "-99999999999999999999.999999999999999999"
        );
    }

    #[test]
    fn sums_are_exact_and_checked() {
        let parse = |text: &str| Amount::parse(text.as_bytes()).unwrap();
        let sum = parse("0.1").checked_add(parse("0.20")).unwrap();
        assert_eq!(sum, parse("0.30"));
        assert!(sum.checked_add(parse("-0.3")).unwrap().is_zero());
        let large = parse("99999999999999999999");
        assert_eq!(large.checked_add(large), None);
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        let no_numbers = [
            "", "-", "+", ".", "1.", ".5", "--1", "1-", "1 2", "1e5", "0x1", "1.2.3", "1.5,000",
            ",", ",100", "1,", "1,00", "1,0000", "1234,567", "1,,000", "\u{661}", "-,100",
        ];
        for text in no_numbers {
            assert_eq!(
                Amount::parse(text.as_bytes()),
                Err(AmountError::NotANumber),
                "{text:?}"
            );
        }
        assert_eq!(
            Amount::parse(b"0.0000000000000000000"),
            Err(AmountError::TooManyDecimals)
        );
        for text in ["999999999999999999999", "9".repeat(1_000).as_str()] {
            assert_eq!(
                Amount::parse(text.as_bytes()),
                Err(AmountError::TooLarge),
                "{text:?}"
            );
        }
    }
}
