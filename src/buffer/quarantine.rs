//! B5: damaged stretches are copied to `quarantine/` before their records come to rest.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};

use super::ledger::{Position, Span};
use super::reading::Reader;
use super::salvage;
use crate::model::{Seq, SeqRange};
use crate::outside::disk::{Disk, DiskFile};

pub const FOLDER: &str = "quarantine";
/// What is copied at once.
const COPY_BYTES: usize = 1 << 20;

/// A stretch of a segment's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub segment: u64,
    pub offset: u32,
    pub length: u32,
}

impl Stretch {
    /// Where its copy stands.
    fn path(self) -> PathBuf {
        let Stretch {
            segment,
            offset,
            length,
        } = self;
        let name = format!("segment-{segment:020}-{offset:010}-{length}.bin");
        [FOLDER, &name].iter().collect()
    }
}

/// A file that was a segment, as far as its name goes, is kept whole.
pub fn keep(disk: &dyn Disk, name: &str, stretch: Stretch) -> io::Result<()> {
    disk.rename(Path::new(name), &stretch.path())?;
    disk.sync_folder(Path::new(FOLDER))?;
    disk.sync_folder(Path::new(""))
}

/// One copy is enough: a stretch that was copied before is left as it is. A copy that a crash cut
/// short has another name, and is made anew.
pub fn copy(disk: &dyn Disk, file: &dyn DiskFile, stretch: Stretch) -> io::Result<()> {
    let Stretch { offset, length, .. } = stretch;
    let path = stretch.path();
    if disk.open(&path).is_ok() {
        return Ok(());
    }
    let incomplete = path.with_extension("incomplete");
    let copy = match disk.create(&incomplete) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            disk.remove(&incomplete)?;
            disk.create(&incomplete)?
        }
        created => created?,
    };
    let end = u64::from(offset) + u64::from(length);
    let mut piece = vec![0; COPY_BYTES.min(length as usize)];
    for at in (u64::from(offset)..end).step_by(COPY_BYTES) {
        let bytes = piece.len().min((end - at) as usize);
        // What cannot be read at all is zeros in the copy.
        salvage::read(file, &mut piece[..bytes], at)?;
        copy.write_at(&[IoSlice::new(&piece[..bytes])], at - u64::from(offset))?;
    }
    copy.sync()?;
    disk.rename(&incomplete, &path)?;
    disk.sync_folder(Path::new(FOLDER))
}

impl Reader {
    /// Copies the extents that hold `range`, as far as they can be found, and says which spans are
    /// to be settled: what of the range is not at rest.
    pub fn copy_damaged(&self, range: SeqRange) -> (Vec<Span>, io::Result<Vec<Stretch>>) {
        let (live, parts) = {
            let inner = self.shared.inner();
            let stream = inner.state.streams.get(&self.id.stream);
            let live = stream
                .map(|stream| stream.live(self.id.kind))
                .unwrap_or_default();
            let lane = inner.state.lane(self.id.lane());
            let parts = lane.into_iter().flat_map(|lane| &lane.parts);
            let overlapping = parts.filter(|(_, p)| p.span.range().shared(range).is_some());
            let parts: Vec<(u64, Span)> = overlapping.map(|(id, p)| (*id, p.span)).collect();
            (live, parts)
        };
        let mut known: Vec<Position> = live.iter().flat_map(|s| [s.start, s.end]).collect();
        known.extend(parts.iter().flat_map(|(_, span)| [span.start, span.end]));
        let mut copied = Ok(Vec::new());
        for (segment, _) in parts {
            let found = self.with_index(segment, |index| {
                let near = index.behind(self.id.lane(), range.start()).iter();
                let within = near.take_while(|extent| extent.span.start.seq < range.end());
                within.copied().collect::<Vec<_>>()
            });
            let Ok((extents, pinned)) = found else {
                continue;
            };
            for extent in extents {
                known.extend([extent.span.start, extent.span.end]);
                let stretch = Stretch {
                    segment,
                    offset: extent.offset,
                    length: extent.length,
                };
                let done = copy(self.shared.disk.as_ref(), pinned.file.as_ref(), stretch);
                copied = copied.and_then(|mut stretches: Vec<Stretch>| {
                    stretches.push(stretch);
                    done.map(|()| stretches)
                });
            }
        }
        let at = |seq: Seq| between_neighbours(&known, seq);
        let shared = live.iter().filter_map(|span| span.range().shared(range));
        let spans = shared.filter_map(|range| Span::between(at(range.start()), at(range.end())));
        (spans.collect(), copied)
    }
}

/// The place of a record among places that are known: exact where it is one of them, else a guess,
/// for nobody can read any more how long the records were.
fn between_neighbours(known: &[Position], seq: Seq) -> Position {
    let below = known.iter().filter(|place| place.seq <= seq).max();
    let above = known.iter().filter(|place| seq <= place.seq).min();
    let byte = match (below, above) {
        (Some(below), Some(above)) if below.seq < above.seq => {
            let records = u128::from(above.seq.get() - below.seq.get());
            let bytes = u128::from(above.byte.saturating_sub(below.byte));
            let share = u128::from(seq.get() - below.seq.get());
            below.byte + (bytes * share / records) as u64
        }
        (Some(place), _) | (None, Some(place)) => place.byte,
        (None, None) => 0,
    };
    Position { seq, byte }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_between_two_known_ones_is_guessed_in_proportion() {
        let at = |seq, byte| Position::ZERO.plus(seq, byte);
        let known = [at(0, 0), at(10, 100), at(20, 300)];
        let check = |seq: u64, byte: u64| {
            assert_eq!(between_neighbours(&known, Seq::new(seq)), at(seq, byte));
        };
        check(0, 0);
        check(10, 100);
        check(15, 200);
        check(25, 300);
    }
}
