//! Reading a segment from front to back: frames, and what is damaged between them.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::frame::{ALIGNMENT, HEADER_BYTES, Header, MAGIC, Place};
use super::life;
use super::salvage;
use crate::outside::disk::DiskFile;

/// What one look into the file reads at least.
const WINDOW_BYTES: usize = 1 << 20;

/// A file seen through a window that moves along: memory is bounded whatever the file's size. What
/// cannot be read looks like zeros, and is remembered.
pub struct Window {
    source: Source,
    end: u32,
    start: u32,
    bytes: Vec<u8>,
    gone: Vec<Range<u64>>,
}

enum Source {
    File(Arc<dyn DiskFile>),
    #[cfg(test)]
    Bytes(Vec<u8>),
}

impl Window {
    /// Sees nothing of the file from `end` on.
    pub fn new(file: Arc<dyn DiskFile>, end: u32) -> Window {
        Window {
            source: Source::File(file),
            end,
            start: 0,
            bytes: Vec::new(),
            gone: Vec::new(),
        }
    }

    #[cfg(test)]
    pub fn over_bytes(bytes: Vec<u8>) -> Window {
        Window {
            end: bytes.len() as u32,
            source: Source::Bytes(bytes),
            start: 0,
            bytes: Vec::new(),
            gone: Vec::new(),
        }
    }

    pub fn end(&self) -> u32 {
        self.end
    }

    /// `None` where that reaches past the end.
    pub fn get(&mut self, at: u32, length: usize) -> io::Result<Option<&[u8]>> {
        if u64::from(self.end) < u64::from(at) + length as u64 {
            return Ok(None);
        }
        let held = self.start <= at && (at - self.start) as usize + length <= self.bytes.len();
        if !held {
            let wanted = length.max(WINDOW_BYTES).min((self.end - at) as usize);
            self.bytes.resize(wanted, 0);
            match &self.source {
                Source::File(file) => {
                    let gone = salvage::read(file.as_ref(), &mut self.bytes, u64::from(at))?;
                    self.gone.extend(gone);
                }
                #[cfg(test)]
                Source::Bytes(bytes) => {
                    self.bytes
                        .copy_from_slice(&bytes[at as usize..at as usize + wanted]);
                }
            }
            self.start = at;
        }
        let from = (at - self.start) as usize;
        Ok(Some(&self.bytes[from..from + length]))
    }

    /// Whether any of the stretch was looked at and could not be read.
    pub fn is_gone(&self, from: u32, to: u32) -> bool {
        let (from, to) = (u64::from(from), u64::from(to));
        self.gone
            .iter()
            .any(|gone| gone.start < to && from < gone.end)
    }

    /// Where what cannot be read from `at` on ends; `at` itself where that can be read.
    pub fn gone_upto(&self, at: u32) -> u32 {
        let mut end = u64::from(at);
        while let Some(gone) = self.gone.iter().find(|gone| gone.contains(&end)) {
            end = gone.end;
        }
        u32::try_from(end).unwrap_or(u32::MAX)
    }
}

/// What lies at a place.
#[derive(Debug)]
pub enum Found<'a> {
    /// Header and payload are as they were written. The bytes are the whole frame's.
    Frame(Header, &'a [u8]),
    /// The header is whole, so it is known what is lost.
    Rotten(Header),
    /// Nothing that can be understood.
    Gap { offset: u32, length: u32 },
}

impl Found<'_> {
    pub fn start(&self) -> u32 {
        match self {
            Found::Frame(header, _) | Found::Rotten(header) => header.place.offset,
            Found::Gap { offset, .. } => *offset,
        }
    }

    pub fn end(&self) -> u32 {
        match self {
            Found::Frame(header, _) | Found::Rotten(header) => header.place.offset + header.length,
            Found::Gap { offset, length } => offset + length,
        }
    }
}

/// Which stretch of which segment is read.
#[derive(Clone, Copy, Debug)]
pub struct Stretch {
    pub segment: u64,
    pub life: u64,
    pub from: u32,
    pub to: u32,
}

/// Whether payloads are read and checked, or only headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    Headers,
    Payloads,
}

/// Walks over the stretch. What follows the last frame that can be found is not reported: the
/// answer is where that ends.
pub fn scan(
    window: &mut Window,
    stretch: Stretch,
    depth: Depth,
    mut visit: impl FnMut(Found<'_>),
) -> io::Result<u32> {
    let mut at = stretch.from;
    loop {
        let Some(header) = header_at(window, stretch, at)? else {
            let Some(next) = next_header(window, stretch, at)? else {
                return Ok(at);
            };
            let length = next - at;
            visit(Found::Gap { offset: at, length });
            at = next;
            continue;
        };
        let whole = match depth {
            Depth::Headers => Some(&[][..]),
            Depth::Payloads => {
                let frame = window.get(at, header.length as usize)?;
                frame.filter(|frame| header.matches_payload(frame))
            }
        };
        visit(match whole {
            Some(frame) => Found::Frame(header, frame),
            None => Found::Rotten(header),
        });
        at += header.length;
    }
}

fn header_at(window: &mut Window, stretch: Stretch, at: u32) -> io::Result<Option<Header>> {
    if u64::from(stretch.to) < u64::from(at) + HEADER_BYTES as u64 {
        return Ok(None);
    }
    let place = Place {
        segment: stretch.segment,
        offset: at,
    };
    let bytes = window.get(at, HEADER_BYTES)?;
    let header = bytes.and_then(|bytes| Header::decode(bytes, place, stretch.life));
    Ok(header.filter(|header| u64::from(at) + u64::from(header.length) <= u64::from(stretch.to)))
}

/// The first place behind `at` where a header stands.
fn next_header(window: &mut Window, stretch: Stretch, at: u32) -> io::Result<Option<u32>> {
    let mut from = at.next_multiple_of(ALIGNMENT as u32);
    while from < stretch.to {
        let length = WINDOW_BYTES.min((stretch.to - from) as usize);
        let Some(bytes) = window.get(from, length)? else {
            return Ok(None);
        };
        let magics: Vec<u32> = bytes
            .chunks_exact(ALIGNMENT)
            .zip((from..).step_by(ALIGNMENT))
            .filter(|(chunk, place)| *chunk == MAGIC && at < *place)
            .map(|(_, place)| place)
            .collect();
        for place in magics {
            if header_at(window, stretch, place)?.is_some() {
                return Ok(Some(place));
            }
        }
        from += length as u32;
    }
    Ok(None)
}

/// The first header of whatever life that was written for this segment: ids are never used twice, so
/// what an earlier use of the file left behind is none; nor is what was put (`life`).
pub fn first_header(
    window: &mut Window,
    segment: u64,
    drawn: Option<u64>,
) -> io::Result<Option<Header>> {
    let mut from = 0;
    while from < window.end() {
        let length = WINDOW_BYTES.min((window.end() - from) as usize);
        let bytes = window.get(from, length)?.unwrap_or_default();
        let chunks = bytes.chunks_exact(ALIGNMENT);
        let magics = chunks.zip((from..).step_by(ALIGNMENT));
        let magics: Vec<u32> = magics
            .filter(|(chunk, _)| *chunk == MAGIC)
            .map(|(_, offset)| offset)
            .collect();
        for offset in magics {
            let place = Place { segment, offset };
            let bytes = window.get(offset, HEADER_BYTES)?;
            let header = bytes.and_then(|bytes| Header::decode_of_any_life(bytes, place));
            let header = header.filter(|header| life::is_of(header.life, drawn));
            if header.is_some() {
                return Ok(header);
            }
        }
        from += length as u32;
    }
    Ok(None)
}
