//! What happens to a disk between two lives, other than a power cut.

use crate::disk::SimDisk;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decay {
    Bit,
    /// A page of a segment cannot be read any more.
    Sectors,
    OneHeadCopy,
    BothHeadCopies,
    /// Nobody could notice but the oracle.
    NewestSegment,
}

/// What the oracle has to know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hit {
    Nothing,
    /// Records may be damaged; in the newest segment, perhaps nobody can tell which.
    Frames {
        newest: bool,
    },
    /// Costs nothing, but a start may be refused.
    Head,
    Unseen,
}

pub const EVERY_DECAY: &[Decay] = &[
    Decay::Bit,
    Decay::Sectors,
    Decay::OneHeadCopy,
    Decay::BothHeadCopies,
];

/// What each of a head's copies begins with.
const HEAD_MAGIC: &[u8] = b"\xf5sgmnt\r\n";
/// In a head: behind the checksum of its prefix, so that only its own tells.
const LIFE_AT: usize = 40;
const PAGE: usize = 4096;

impl Decay {
    /// Where there is one segment only, nothing could stand in for its head: it is spared.
    pub fn hit(self, disk: &SimDisk, mut below: impl FnMut(u64) -> usize) -> Hit {
        let paths = disk.paths();
        let segments: Vec<&String> = paths.iter().filter(|p| p.starts_with("segment-")).collect();
        let [.., before, newest] = segments[..] else {
            return Hit::Nothing;
        };
        let bytes = disk.peek(newest).unwrap_or_default();
        match self {
            Decay::Bit => match disk.rot("segment-") {
                Some((path, _)) => Hit::Frames {
                    newest: path == **newest,
                },
                None => Hit::Nothing,
            },
            Decay::Sectors => {
                let path = segments[below(segments.len() as u64)];
                let pages = disk.peek(path).map_or(1, |bytes| bytes.len() / PAGE);
                let at = below(pages as u64) * PAGE;
                disk.lose(path, at..at + PAGE);
                Hit::Frames {
                    newest: path == newest,
                }
            }
            Decay::OneHeadCopy => {
                disk.scribble(newest, LIFE_AT, &[0xee]);
                Hit::Nothing
            }
            Decay::BothHeadCopies if number(before) + 1 == number(newest) => {
                let pages = (0..bytes.len() / 2).step_by(PAGE);
                let copies = pages.filter(|at| bytes[*at..].starts_with(HEAD_MAGIC));
                copies.for_each(|at| disk.scribble(newest, at + LIFE_AT, &[0xee]));
                Hit::Head
            }
            Decay::BothHeadCopies => Hit::Nothing,
            Decay::NewestSegment => {
                disk.scribble(newest, 0, &vec![0xee; bytes.len()]);
                Hit::Unseen
            }
        }
    }
}

fn number(path: &str) -> u64 {
    let digits: String = path.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}
