//! Which segments are replayed: the highest with a valid head, and those above it that lost theirs.
//!
//! A segment above the newest head may be one whose making was cut short. Then nothing in it was
//! acknowledged, for frames follow a head that is durable; only what a new life writes again (B8)
//! stands there before its head does. Which of the two it is shows when it is replayed.

use std::path::Path;
use std::sync::Arc;

use super::Directory;
use crate::buffer::OpenError;
use crate::buffer::life;
use crate::buffer::scan::{Depth, Found, Stretch, Window, first_header, scan};
use crate::buffer::segment::{Head, HeadError, free_name, segment_name};
use crate::buffer::snapshot;
use crate::buffer::state::State;
use crate::outside::disk::{Disk, DiskFile};

/// Ascending; the first has a head.
pub struct Chain {
    /// The head's snapshot.
    pub state: State,
    pub links: Vec<Link>,
    /// Above the head, cut short: with neither head nor frame.
    pub empty: Vec<u64>,
}

pub struct Link {
    pub id: u64,
    pub life: u64,
    pub frames_at: u32,
    /// Everything below is proven durable by the head or a frame.
    pub proven_upto: u32,
    pub origin: Origin,
    pub file: Arc<dyn DiskFile>,
    pub size: u32,
}

/// Where is said with what a segment began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Head,
    /// Only frames can tell. Where a file between the newest head and this segment is gone, which.
    Frames {
        missing: Option<u64>,
    },
}

impl Link {
    pub fn window(&self) -> Window {
        Window::new(self.file.clone(), self.size)
    }

    /// From one place to another, as far as the file reaches.
    pub fn stretch(&self, from: u32, to: u32) -> Stretch {
        Stretch {
            segment: self.id,
            life: self.life,
            from,
            to: to.min(self.size),
        }
    }
}

/// What the segments' files are, as far as it must be looked at.
pub struct Findings {
    /// `None` where nothing was ever written.
    pub chain: Option<Chain>,
    /// Segments by their names that hold what neither a daemon nor a crash leaves: no head, no frame,
    /// and no head of a former use either. There are none without a chain.
    pub strange: Vec<u64>,
}

pub fn find(disk: &dyn Disk, directory: &Directory) -> Result<Findings, OpenError> {
    let drawn = drawn(disk, directory)?;
    let (mut links, mut empty, mut strange) = (Vec::new(), Vec::new(), Vec::new());
    for (&id, &bytes) in directory.segments.iter().rev() {
        let failed = |cause| OpenError::disk("read", segment_name(id), cause);
        let file = disk.open(Path::new(&segment_name(id))).map_err(failed)?;
        let size = u32::try_from(bytes).unwrap_or(u32::MAX);
        let mut window = Window::new(file.clone(), size);
        let head = match Head::read(&mut window, id, drawn).map_err(failed)? {
            Ok(head) => snapshot::decode(&head.snapshot).map(|state| (head, state)),
            Err(HeadError::Newer(version)) => {
                let name = segment_name(id);
                return Err(OpenError::Newer { name, version });
            }
            Err(HeadError::Invalid) => None,
        };
        let Some((head, state)) = head else {
            match headless(&mut window, drawn, id, file)? {
                Some(link) => links.push(link),
                None if Head::may_have_stood(&mut window).map_err(failed)? => empty.push(id),
                None => strange.push(id),
            }
            continue;
        };
        let mut newest = Link {
            id,
            life: head.life,
            frames_at: head.frames_at,
            proven_upto: head.proven_upto,
            origin: Origin::Head,
            file,
            size,
        };
        newest.proven_upto = proven_upto(&mut window, &newest).map_err(failed)?;
        note_missing(&mut links, directory, id);
        links.push(newest);
        links.reverse();
        let chain = Some(Chain {
            state,
            links,
            empty,
        });
        return Ok(Findings { chain, strange });
    }
    match (links.last(), strange.last()) {
        // Without a frame it is a first start that was cut short.
        (None, None) => Ok(Findings {
            chain: None,
            strange,
        }),
        (Some(link), _) => Err(OpenError::NoHead {
            name: segment_name(link.id),
        }),
        (None, Some(id)) => Err(OpenError::NothingLeft {
            name: segment_name(*id),
        }),
    }
}

/// What all lives of this directory have in common, from the first file that begins with a head, of
/// whatever use; `None` where none does.
fn drawn(disk: &dyn Disk, directory: &Directory) -> Result<Option<u64>, OpenError> {
    let segments = directory.segments.iter().rev();
    let segments = segments.map(|(id, bytes)| (segment_name(*id), *bytes));
    let free = directory.free.iter();
    let free = free.map(|(number, bytes)| (free_name(*number), *bytes));
    for (name, bytes) in segments.chain(free) {
        let failed = |cause| OpenError::disk("read", name.clone(), cause);
        let file = disk.open(Path::new(&name)).map_err(failed)?;
        let size = u32::try_from(bytes).unwrap_or(u32::MAX);
        if let Ok(head) = Head::read_first(&mut Window::new(file, size)).map_err(failed)? {
            return Ok(Some(life::drawn(head.life)));
        }
    }
    Ok(None)
}

/// What frames say of a segment without a head; `None` where there are none.
fn headless(
    window: &mut Window,
    drawn: Option<u64>,
    id: u64,
    file: Arc<dyn DiskFile>,
) -> Result<Option<Link>, OpenError> {
    let failed = |cause| OpenError::disk("read", segment_name(id), cause);
    let size = window.end();
    let Some(first) = first_header(window, id, drawn).map_err(failed)? else {
        return match window.is_gone(0, size) {
            // It may have held anything.
            true => Err(OpenError::Unreadable {
                name: segment_name(id),
            }),
            false => Ok(None),
        };
    };
    // What was durable when the first group was written ends where that begins.
    let frames_at = first.durable_upto.offset.min(first.place.offset);
    let mut link = Link {
        id,
        life: first.life,
        frames_at,
        proven_upto: frames_at,
        origin: Origin::Frames { missing: None },
        file,
        size,
    };
    link.proven_upto = proven_upto(window, &link).map_err(failed)?;
    Ok(Some(link))
}

/// The highest place below which a valid frame, or what is known before, says that all was synced.
fn proven_upto(window: &mut Window, link: &Link) -> std::io::Result<u32> {
    let mut highest = link.proven_upto;
    let whole = link.stretch(link.frames_at, link.size);
    scan(window, whole, Depth::Headers, |found| {
        if let Found::Frame(header, _) | Found::Rotten(header) = found {
            highest = highest.max(header.durable_upto.offset);
        }
    })?;
    Ok(highest)
}

fn note_missing(headless: &mut [Link], directory: &Directory, newest: u64) {
    for link in headless {
        let mut between = newest + 1..link.id;
        link.origin = Origin::Frames {
            missing: between.find(|id| !directory.segments.contains_key(id)),
        };
    }
}
