//! Writing frames: groups into the current segment, and the next segment when that is full or lost.
//!
//! Synchronous and single: the committer owns it. After a group's sync the frames enter the state,
//! the new tails are shown to readers, and whoever asked is answered; never before (B1, B2).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::entry::{Effect, Entry};
use super::frame::{Header, Place};
use super::gather::Gathered;
use super::ledger::Position;
use super::reader::LaneId;
use super::segment::{GROUP_ALIGNMENT, Head, frames_at, segment_name};
use super::shared::{Inner, SegmentFile, Shared};
use super::state::Sealed;
use super::{Health, snapshot};
use crate::outside::disk::DiskFile;
use crate::telemetry::happened;

pub struct Writer {
    shared: Arc<Shared>,
    current: Option<Current>,
    next_id: u64,
    /// B6: a sync failed, and none has succeeded since.
    failed_once: bool,
}

struct Current {
    id: u64,
    file: Arc<dyn DiskFile>,
    frames_at: u32,
    /// Everything below is durable, and the next group begins here.
    end: u32,
}

/// The log cannot be written, now or for good.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("no free segment is left")]
    NoSegment,
    #[error("what the last start left does not fit beside the head of a segment")]
    Segment,
    #[error("failed to {what}")]
    Disk {
        what: &'static str,
        #[source]
        cause: io::Error,
    },
    #[error("the log could not be written before")]
    Stopped,
}

fn failed(what: &'static str) -> impl FnOnce(io::Error) -> WriteError {
    move |cause| WriteError::Disk { what, cause }
}

/// Frames with their places, behind each other.
struct Group {
    frames: Vec<(Header, Entry)>,
    start: u32,
    end: u32,
}

impl Writer {
    pub fn new(shared: Arc<Shared>, next_id: u64) -> Writer {
        Writer {
            shared,
            current: None,
            next_id,
            failed_once: false,
        }
    }

    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub fn has_stopped(&self) -> bool {
        self.shared.inner().health == Health::Failed
    }

    /// Writes, syncs and answers entries in order, one sync for each stretch that fits a segment.
    /// An error: these were told so, and everything else that is queued must be told, too (B6).
    pub fn write(&mut self, entries: Vec<Entry>) -> Result<(), WriteError> {
        let mut rest = VecDeque::from(entries);
        let mut result = Ok(());
        while result.is_ok() && !rest.is_empty() {
            result = self.write_some(&mut rest);
        }
        for entry in rest {
            entry.fail();
        }
        result
    }

    fn write_some(&mut self, rest: &mut VecDeque<Entry>) -> Result<(), WriteError> {
        let current = self.current.as_ref().ok_or(WriteError::Stopped)?;
        let Some(group) = self.lay_out(current, rest) else {
            return self.open_segment(Vec::new());
        };
        match self.write_and_sync(&group) {
            Ok(()) => {
                self.failed_once = false;
                self.publish(group);
                Ok(())
            }
            Err(error) => {
                happened::buffer::sync_failed(&self.shared.metrics, &error);
                // B6: nothing of the group is acknowledged, and this segment is not written again.
                group.frames.into_iter().for_each(|(_, entry)| entry.fail());
                self.replace_segment();
                Err(error)
            }
        }
    }

    /// B6: the successor's head says where the failed segment ends, and is durable before anything
    /// else is acknowledged. A second failure before a good sync stops the log.
    fn replace_segment(&mut self) {
        if self.failed_once {
            return self.stop();
        }
        self.failed_once = true;
        if self.open_segment(Vec::new()).is_err() {
            self.stop();
        }
    }

    fn stop(&mut self) {
        self.current = None;
        let before = std::mem::replace(&mut self.shared.inner().health, Health::Failed);
        if before != Health::Failed {
            happened::buffer::stopped();
        }
    }

    /// Gives as many entries as fit the current segment their places and sequence numbers; `None`
    /// where not even one fits.
    fn lay_out(&self, current: &Current, rest: &mut VecDeque<Entry>) -> Option<Group> {
        let inner = self.shared.inner();
        let logged = self.shared.log_clock.now();
        let geometry = &self.shared.geometry;
        let stretch_end = current.end as usize + geometry.stretch_bytes_max();
        let limit = stretch_end.min(geometry.segment_bytes as usize);
        let mut tails: BTreeMap<LaneId, Position> = BTreeMap::new();
        let mut frames: Vec<(Header, Entry)> = Vec::new();
        let mut at = current.end as usize;
        while let Some(entry) = rest.front() {
            let length = entry.draft.length();
            if limit < (at + length).next_multiple_of(GROUP_ALIGNMENT) {
                break;
            }
            let entry = rest.pop_front().expect("it is in front");
            let lane = entry.draft.lane();
            let known = || inner.state.lane(lane).map(|lane| lane.tail);
            let tail = tails
                .entry(lane)
                .or_insert_with(|| known().unwrap_or_default());
            let header = Header {
                length: length as u32,
                payload_crc: entry.draft.payload_crc,
                kind: entry.draft.kind,
                reader: entry.draft.reader,
                life: inner.state.life,
                place: Place {
                    segment: current.id,
                    offset: at as u32,
                },
                durable_upto: Place {
                    segment: current.id,
                    offset: current.end,
                },
                first: *tail,
                arrival: entry.draft.arrival,
                logged: entry.logged.unwrap_or(logged),
                stream: entry.draft.stream,
                count: entry.draft.count,
                blocks: entry.draft.blocks.len() as u32,
                slab: entry.draft.slab.len() as u32,
            };
            // B3: the next frame of this lane starts where this one ends.
            *tail = header.end();
            at += length;
            frames.push((header, entry));
        }
        let end = at.next_multiple_of(GROUP_ALIGNMENT) as u32;
        let (last, _) = frames.last_mut()?;
        last.length += end - at as u32;
        Some(Group {
            frames,
            start: current.end,
            end,
        })
    }

    fn write_and_sync(&mut self, group: &Group) -> Result<(), WriteError> {
        let current = self.current.as_mut().ok_or(WriteError::Stopped)?;
        let bytes = gather(group);
        bytes
            .write_to(current.file.as_ref(), group.start)
            .map_err(failed("write to the log"))?;
        current.file.sync().map_err(failed("sync the log"))?;
        current.end = group.end;
        self.shared.metrics.log_syncs.inc();
        let written = u64::from(group.end - group.start);
        self.shared.metrics.log_written_bytes.inc_by(written);
        Ok(())
    }

    /// The group is durable: it enters the state (B2) and whoever asked is answered (B1).
    fn publish(&mut self, group: Group) {
        let mut inner = self.shared.inner();
        if let Some((_, sealed)) = &mut inner.current {
            sealed.end = group.end;
        }
        let mut touched = BTreeSet::new();
        for (header, entry) in &group.frames {
            apply(&mut inner, header, entry);
            touched.insert(header.lane());
        }
        for lane in touched {
            let tail = inner.state.lane(lane).map(|lane| lane.tail.seq);
            if let (Some(shown), Some(tail)) = (self.shared.tails.get(&lane), tail) {
                shown.raise(tail);
            }
        }
        drop(inner);
        for (header, entry) in group.frames {
            entry.succeed(&header);
        }
    }

    /// Opens the next segment; what recovery found but nothing proves durable is written into it
    /// *before* its head, so that a crash in between leaves the old segment in charge (B8).
    pub fn open_segment(&mut self, again: Vec<Entry>) -> Result<(), WriteError> {
        let previous = self.current.take();
        let free = self.shared.pool.take();
        let Some(name) = free else {
            self.current = previous;
            return Err(WriteError::NoSegment);
        };
        let opened = self.try_open_segment(previous, &name, again);
        if let Err(error) = &opened {
            // B6: the new name, head or folder may or may not be there: only a restart can tell.
            happened::buffer::sync_failed(&self.shared.metrics, error);
            self.stop();
        }
        opened
    }

    fn try_open_segment(
        &mut self,
        previous: Option<Current>,
        free: &str,
        again: Vec<Entry>,
    ) -> Result<(), WriteError> {
        let id = self.next_id;
        self.next_id += 1;
        let name = segment_name(id);
        let disk = self.shared.disk.clone();
        disk.rename(Path::new(free), Path::new(&name))
            .map_err(failed("rename a free segment"))?;
        // B1: without this the new name may be lost, and with it all that we will acknowledge.
        disk.sync_folder(Path::new(""))
            .map_err(failed("sync the folder"))?;
        let file = disk
            .open(Path::new(&name))
            .map_err(failed("open a segment"))?;
        let (snapshot, life) = self.snapshot(previous);
        let frames_at = frames_at(snapshot.len());
        let mut current = Current {
            id,
            file: file.clone(),
            frames_at,
            end: frames_at,
        };
        let mut rest = VecDeque::from(again);
        let again = self.lay_out(&current, &mut rest);
        if !rest.is_empty() {
            // It fitted the segments of the last life; `max_size` must have been lowered since.
            return Err(WriteError::Segment);
        }
        if let Some(group) = &again {
            let bytes = gather(group);
            bytes
                .write_to(file.as_ref(), group.start)
                .map_err(failed("write again"))?;
            file.sync().map_err(failed("sync what was written again"))?;
            current.end = group.end;
        }
        let head = Head {
            id,
            life,
            frames_at,
            proven_upto: current.end,
            snapshot,
        };
        file.write_at(&[io::IoSlice::new(&head.encode())], 0)
            .map_err(failed("write a segment's head"))?;
        file.sync().map_err(failed("sync a segment's head"))?;
        self.install(current, life);
        if let Some(group) = again {
            self.publish(group);
        }
        Ok(())
    }

    /// The state with the previous segment sealed where its last good sync left it.
    fn snapshot(&mut self, previous: Option<Current>) -> (Vec<u8>, u64) {
        let mut inner = self.shared.inner();
        if let Some(previous) = previous {
            let sealed = Sealed {
                life: inner.state.life,
                frames_at: previous.frames_at,
                end: previous.end,
            };
            inner.state.segments.insert(previous.id, sealed);
            inner.indexes.seal(previous.id);
            inner.current = None;
        }
        inner.state.clock = self.shared.log_clock.now();
        (snapshot::encode(&inner.state), inner.state.life)
    }

    fn install(&mut self, current: Current, life: u64) {
        let mut inner = self.shared.inner();
        let sealed = Sealed {
            life,
            frames_at: current.frames_at,
            end: current.end,
        };
        inner.current = Some((current.id, sealed));
        let file = SegmentFile::new(current.file.clone());
        inner.files.insert(current.id, file);
        drop(inner);
        self.current = Some(current);
    }

    /// Makes segments free in which nothing is alive and that nobody reads. The newest head must be
    /// durable before, which it is: segments are sealed by their successor.
    pub fn reclaim(&mut self) {
        let mut inner = self.shared.inner();
        let dead: Vec<u64> = inner
            .state
            .segments
            .keys()
            .copied()
            .filter(|id| is_free(&inner, *id))
            .collect();
        let mut freed = Vec::new();
        for id in dead {
            inner.state.segments.remove(&id);
            inner.indexes.forget(id);
            freed.extend(inner.files.remove(&id).map(|file| (id, file.file)));
        }
        drop(inner);
        for (id, file) in freed {
            let name = segment_name(id);
            // A file that cannot even be asked for its size is left alone until the next start.
            let put = file
                .size()
                .and_then(|bytes| self.shared.pool.put(name, bytes));
            if let Err(error) = put {
                happened::buffer::segment_lost(id, &error);
            }
        }
        let inner = self.shared.inner();
        self.shared.show_segments(&inner);
    }
}

/// B4: nothing in it is alive and nobody reads it.
fn is_free(inner: &Inner, segment: u64) -> bool {
    let being_read = inner
        .files
        .get(&segment)
        .is_some_and(SegmentFile::is_being_read);
    inner.state.is_dead(segment) && !being_read
}

fn gather(group: &Group) -> Gathered {
    let mut bytes = Gathered::default();
    for (header, entry) in &group.frames {
        let used = super::frame::HEADER_BYTES + header.payload_bytes();
        bytes.copy(&header.encode());
        bytes.add(&entry.draft.blocks);
        bytes.add(&entry.draft.slab);
        bytes.add(&entry.draft.ends);
        bytes.zeros(header.length as usize - used);
    }
    bytes
}

/// A durable frame becomes part of the state.
fn apply(inner: &mut Inner, header: &Header, entry: &Entry) {
    let state = &mut inner.state;
    state.clock = state.clock.max(header.logged);
    match &entry.effect {
        Effect::Records => {
            let hole = state.add_records(header);
            assert!(hole.is_none(), "B3: frames of a lane are dense");
            inner.indexes.current.add(header);
        }
        Effect::Answers(of) => {
            let hole = state.add_answers(header, *of);
            assert_eq!(hole, Ok(None), "answers are admitted in order");
            inner.indexes.current.add(header);
        }
        Effect::Cut(cut) => state.add_cut(header.reader_id(), cut.clone()),
        Effect::Verdict(verdict) => state.add_verdict(header.reader_id(), verdict),
        Effect::Settle(settlement) => state.settle(header.reader_id(), settlement),
        Effect::Quarantine(spans) => state.quarantine(header.reader_id(), spans),
        Effect::End => {}
    }
}
