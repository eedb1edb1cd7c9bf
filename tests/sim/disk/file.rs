//! An open file of the disk. One that was opened before a crash is dead after it.

use std::io::{self, ErrorKind, IoSlice};
use std::path::PathBuf;
use std::sync::MutexGuard;

use standpipe::outside::disk::DiskFile;

use super::SimDisk;
use super::content::SECTOR;
use super::names::FileNumber;
use super::world::{Power, World, failing, no_power};

/// What Linux says of a sector that it cannot read.
const EIO: i32 = 5;

pub(super) struct SimFile {
    pub(super) disk: SimDisk,
    pub(super) file: FileNumber,
    pub(super) boot: u64,
    pub(super) lock: Option<PathBuf>,
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut world = self.disk.world();
        if let (Some(path), true) = (&self.lock, world.boot == self.boot) {
            world.locked.remove(path);
        }
    }
}

impl SimFile {
    fn begin(
        &self,
        what: &str,
        at: u64,
        length: usize,
    ) -> io::Result<(MutexGuard<'_, World>, Power)> {
        let mut world = self.disk.world();
        if world.boot != self.boot {
            return Err(failing("the file was opened before the machine restarted"));
        }
        let name = PathBuf::from(self.file.to_string());
        let power = world.operation((what, &name, at, length))?;
        Ok((world, power))
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let (world, power) = self.begin("read", offset, buffer.len())?;
        if power == Power::Going {
            return Err(no_power());
        }
        let start = offset as usize;
        let sectors = start / SECTOR..(start + buffer.len()).div_ceil(SECTOR);
        if world.files[self.file].gone.range(sectors).next().is_some() {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        let bytes = world.files[self.file]
            .cache
            .get(start..start + buffer.len());
        buffer.copy_from_slice(bytes.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        let bytes: Vec<u8> = slices
            .iter()
            .flat_map(|slice| slice.iter().copied())
            .collect();
        let (mut world, power) = self.begin("write", offset, bytes.len())?;
        let World { dice, faults, .. } = &mut *world;
        let fails = power == Power::On && dice.happens(faults.write_fails);
        // A write that the power or the device interrupts gets somewhere, or nowhere.
        let whole = power == Power::On && !fails;
        let length = if whole {
            bytes.len()
        } else {
            dice.below(bytes.len() as u64 + 1) as usize
        };
        let (start, end) = (offset as usize, offset as usize + length);
        world.grow(self.file, end)?;
        if start < end {
            let content = &mut world.files[self.file];
            content.cache[start..end].copy_from_slice(&bytes[..length]);
            let sectors = start / SECTOR..end.div_ceil(SECTOR);
            content.gone.retain(|sector| !sectors.contains(sector));
            content.dirty.extend(sectors);
        }
        match (power, fails) {
            (Power::Going, _) => Err(no_power()),
            (Power::On, true) => Err(failing("the write failed")),
            (Power::On, false) => Ok(()),
        }
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        let (mut world, power) = self.begin("allocate", 0, bytes as usize)?;
        world.grow(self.file, bytes as usize)?;
        match power {
            Power::On => Ok(()),
            Power::Going => Err(no_power()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        let (mut world, power) = self.begin("sync", 0, 0)?;
        let World {
            dice,
            faults,
            files,
            ..
        } = &mut *world;
        let fails = power == Power::On && dice.happens(faults.sync_fails);
        files[self.file].sync(dice, power, fails);
        match (power, fails) {
            (Power::Going, _) => Err(no_power()),
            (Power::On, true) => Err(failing("the sync failed")),
            (Power::On, false) => Ok(()),
        }
    }

    fn size(&self) -> io::Result<u64> {
        let (world, power) = self.begin("size", 0, 0)?;
        match power {
            Power::On => Ok(world.files[self.file].cache.len() as u64),
            Power::Going => Err(no_power()),
        }
    }
}
