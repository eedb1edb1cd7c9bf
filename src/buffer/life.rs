//! The number of a life, which its heads and frames carry.
//!
//! ```text
//! | drawn once for the directory | counted |
//! |            32 bits           | 32 bits |
//! ```
//!
//! A recycled file still holds what was put in its former use, and whoever puts may write records
//! that look like heads or frames of a segment to come. The drawn half, which is told to nobody,
//! keeps such bytes from ever being taken for ours.

use crate::outside::Dice;

const COUNTED_BITS: u32 = 32;

/// No life of a new directory yet.
pub fn none(dice: &mut Dice) -> u64 {
    dice.below(1 << COUNTED_BITS) << COUNTED_BITS
}

/// What all lives of a directory have in common.
pub fn drawn(life: u64) -> u32 {
    (life >> COUNTED_BITS) as u32
}

/// Whether it is one of the directory with this drawn half, as far as that is known.
pub fn is_of(life: u64, known: Option<u32>) -> bool {
    known.is_none_or(|known| drawn(life) == known)
}

/// For people.
pub fn count(life: u64) -> u32 {
    life as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_are_counted_beside_what_was_drawn() {
        let none = none(&mut Dice::seeded(1));
        let third = none + 3;
        assert_eq!((count(none), count(third)), (0, 3));
        let other = super::none(&mut Dice::seeded(2));
        assert!(is_of(third, Some(drawn(none))) && is_of(third, None));
        assert!(!is_of(other, Some(drawn(none))));
    }
}
