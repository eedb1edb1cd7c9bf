//! What a file holds: the cache, which everyone sees, and the sectors that a power cut leaves.

use std::collections::BTreeSet;

use standpipe::outside::Dice;

use super::world::Power;

/// What a device writes whole or not at all.
pub(super) const SECTOR: usize = 512;

#[derive(Default)]
pub(super) struct Content {
    pub(super) cache: Vec<u8>,
    pub(super) stable: Vec<u8>,
    pub(super) dirty: BTreeSet<usize>,
    /// Sectors that a failed sync lost: clean in the cache, old on the device.
    pub(super) lost: BTreeSet<usize>,
    /// Sectors that the device does not give back any more, until they are written again.
    pub(super) gone: BTreeSet<usize>,
    /// Whether the length changed since the last good sync.
    pub(super) resized: bool,
}

impl Content {
    pub(super) fn carry_over(&mut self, sector: usize) {
        let start = sector * SECTOR;
        let end = (start + SECTOR).min(self.cache.len());
        if end <= start {
            return;
        }
        if self.stable.len() < end {
            self.stable.resize(end, 0);
        }
        self.stable[start..end].copy_from_slice(&self.cache[start..end]);
    }

    pub(super) fn power_cut(&mut self, dice: &mut Dice, kept: u64, flips: u64) {
        let dirty = std::mem::take(&mut self.dirty);
        if dirty.is_empty() && self.lost.is_empty() && !self.resized {
            return;
        }
        for sector in dirty {
            if dice.happens(kept) {
                self.carry_over(sector);
                if dice.happens(flips) && sector * SECTOR < self.stable.len() {
                    let at = sector * SECTOR + dice.below(SECTOR as u64) as usize;
                    let at = at.min(self.stable.len() - 1);
                    self.stable[at] ^= 1 << dice.below(8);
                }
            }
        }
        self.lost.clear();
        self.resized = false;
        self.cache.clone_from(&self.stable);
    }

    /// `going`: the power goes meanwhile. `fails`: the device says no, and loses most of it.
    pub(super) fn sync(&mut self, dice: &mut Dice, power: Power, fails: bool) {
        for sector in std::mem::take(&mut self.dirty) {
            if power == Power::Going && dice.happens(500) {
                self.dirty.insert(sector);
                continue;
            }
            if fails && dice.happens(600) {
                self.lost.insert(sector);
                continue;
            }
            self.lost.remove(&sector);
            self.carry_over(sector);
        }
        if power == Power::On && !fails {
            self.stable.resize(self.cache.len(), 0);
            self.resized = false;
        }
    }
}
