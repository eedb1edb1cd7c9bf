//! The number of a life, which its heads and frames carry.
//!
//! ```text
//! | drawn once for the directory | counted |
//! |            40 bits           | 24 bits |
//! ```
//!
//! A recycled file still holds what was put in its former use, and whoever puts may write records
//! that look like heads or frames of a segment to come. The drawn half, which is told to nobody,
//! keeps such bytes from ever being taken for ours.

use crate::outside::Dice;

const COUNTED_BITS: u32 = 24;
const COUNT_MAX: u64 = (1 << COUNTED_BITS) - 1;

/// No life of a new directory yet. The dice are for this alone: what else they showed could tell.
pub fn none(mut dice: Dice) -> u64 {
    dice.below(1 << (u64::BITS - COUNTED_BITS)) << COUNTED_BITS
}

/// The life behind it. The count stands still rather than spill into what was drawn: lives are told
/// apart by their segments as well (B8).
pub fn after(life: u64) -> u64 {
    match life & COUNT_MAX {
        COUNT_MAX => life,
        _ => life + 1,
    }
}

/// What all lives of a directory have in common.
pub fn drawn(life: u64) -> u64 {
    life >> COUNTED_BITS
}

/// Whether it is one of the directory with this drawn half, as far as that is known.
pub fn is_of(life: u64, known: Option<u64>) -> bool {
    known.is_none_or(|known| drawn(life) == known)
}

/// For people.
pub fn count(life: u64) -> u32 {
    (life & COUNT_MAX) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_are_counted_beside_what_was_drawn() {
        let none = none(Dice::seeded(1));
        let third = after(after(after(none)));
        assert_eq!((count(none), count(third)), (0, 3));
        let other = super::none(Dice::seeded(2));
        assert!(is_of(third, Some(drawn(none))) && is_of(third, None));
        assert!(!is_of(other, Some(drawn(none))));
    }

    #[test]
    fn the_last_life_of_all_is_still_one_of_its_directory() {
        let last_but_one = none(Dice::seeded(1)) + COUNT_MAX - 1;
        let last = after(last_but_one);
        assert_eq!((u64::from(count(last)), after(last)), (COUNT_MAX, last));
        assert_eq!(drawn(last), drawn(last_but_one));
    }
}
