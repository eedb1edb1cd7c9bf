//! A number of bytes, as people write it: `5MiB`.

use std::fmt;
use std::str::FromStr;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ByteSizeError {
    #[error("`{0}` is not a size")]
    NotASize(String),
    /// Firehose's `MB` are mebibytes, everybody else's are not: we take neither.
    #[error("`{0}` leaves open whether 1000 or 1024 is meant")]
    Ambiguous(String),
}

const UNITS: [(&str, u64); 5] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

impl ByteSize {
    pub const fn bytes(bytes: u64) -> ByteSize {
        ByteSize(bytes)
    }

    pub const fn mebibytes(count: u64) -> ByteSize {
        ByteSize(count << 20)
    }

    pub const fn get(self) -> u64 {
        self.0
    }
}

impl FromStr for ByteSize {
    type Err = ByteSizeError;

    fn from_str(text: &str) -> Result<ByteSize, ByteSizeError> {
        let wrong = || ByteSizeError::NotASize(text.to_owned());
        let digits = text
            .bytes()
            .take_while(|byte| byte.is_ascii_digit() || *byte == b'.')
            .count();
        let (count, unit) = text.split_at(digits);
        let unit = unit.trim_start();
        if matches!(unit, "kB" | "KB" | "MB" | "GB" | "TB") {
            return Err(ByteSizeError::Ambiguous(text.to_owned()));
        }
        let (_, factor) = UNITS
            .into_iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(wrong)?;
        if let Ok(count) = count.parse::<u64>() {
            return count.checked_mul(factor).map(ByteSize).ok_or_else(wrong);
        }
        let bytes = count.parse::<f64>().map_err(|_| wrong())? * factor as f64;
        // Firehose counts in tenths of MiB too, which are no whole bytes: `0.2MiB`.
        let is_whole = bytes.fract() == 0.0 || 1 < factor;
        if is_whole && bytes <= (1u64 << 53) as f64 {
            Ok(ByteSize(bytes as u64))
        } else {
            Err(wrong())
        }
    }
}

impl fmt::Display for ByteSize {
    /// In the largest unit that divides it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |factor: u64| factor <= self.0.max(1) && self.0.is_multiple_of(factor);
        let (unit, factor) = UNITS
            .into_iter()
            .find(|(_, factor)| fits(*factor))
            .expect("1 divides everything");
        write!(f, "{}{unit}", self.0 / factor)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&match text.parse::<ByteSize>() {
            Ok(size) => format!("{size} ({})", size.get()),
            Err(error) => error.to_string(),
        });
    }

    #[test]
    fn a_size_is_a_count_and_a_unit() {
        check("5MiB", expect!["5MiB (5242880)"]);
        check("0.25 MiB", expect!["256KiB (262144)"]);
        check("0.2MiB", expect!["209715B (209715)"]);
        check("0.3B", expect!["`0.3B` is not a size"]);
        check(".MiB", expect!["`.MiB` is not a size"]);
        check("1024000B", expect!["1000KiB (1024000)"]);
        check("0B", expect!["0B (0)"]);
        check("5", expect!["`5` is not a size"]);
        check("5 megs", expect!["`5 megs` is not a size"]);
        check(
            "5MB",
            expect!["`5MB` leaves open whether 1000 or 1024 is meant"],
        );
        check("99999999999TiB", expect!["`99999999999TiB` is not a size"]);
        check("", expect!["`` is not a size"]);
    }
}
