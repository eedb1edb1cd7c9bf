//! The state as bytes, behind each segment's head: what makes every older control frame superfluous.
//!
//! Bounded: streams are configured, open cuts per stream, their plans and verdicts are limited, and a
//! ledger has at most one island for each open cut.
//!
//! What a stream has beside one lane with one reader (answers, a backup, cuts in parts) stands behind
//! everything else, and only for streams that have it.

use super::control::{
    OpenCut, Shape, read_position, read_span, read_spans, write_position, write_span, write_spans,
};
use super::lane::{LaneState, Part, ReaderState};
use super::ledger::Span;
use super::reader::{Lane, LaneId};
use super::state::{Sealed, State};
use super::stream::{Rest, Stream};
use super::verdicts::Verdicts;
use super::wire::{Reader, Writer};
use super::{CutId, StreamFacts};
use crate::model::{DirectoryId, LogTime, Timestamp};

pub fn encode(state: &State) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.number((state.directory.0 >> 64) as u64);
    writer.number(state.directory.0 as u64);
    writer.number(state.life);
    writer.number(state.clock.as_millis());
    writer.number(state.next_cut);
    writer.number(u64::from(state.next_stream));
    writer.number(state.segments.len() as u64);
    for (id, sealed) in &state.segments {
        writer.number(*id);
        writer.number(sealed.life);
        writer.number(u64::from(sealed.frames_at));
        writer.number(u64::from(sealed.end));
    }
    writer.number(state.streams.len() as u64);
    for stream in state.streams.values() {
        write_stream(&mut writer, stream);
    }
    // The newest position of every pull source's key: none as yet.
    writer.number(0);
    let more: Vec<&Stream> = state.streams.values().filter(|s| has_more(s)).collect();
    writer.number(more.len() as u64);
    more.iter()
        .for_each(|stream| write_more(&mut writer, stream));
    writer.into_bytes()
}

fn write_stream(writer: &mut Writer, stream: &Stream) {
    let facts = &stream.facts;
    writer.number(u64::from(facts.id));
    writer.bytes(facts.name.as_str().as_bytes());
    writer.number(u64::from(facts.version));
    writer.number(stream.fingerprint);
    writer.number(facts.created.as_millis());
    // 0 is the year 1970, when nothing was updated.
    writer.number(facts.updated.map_or(0, Timestamp::as_millis));
    write_position(writer, stream.arrivals.tail);
    write_reader(writer, &stream.arrivals.main);
    let Rest {
        delivered,
        failed,
        dropped,
        expired,
        quarantined,
    } = stream.rest;
    for count in [delivered, failed, dropped, expired, quarantined] {
        writer.number(count);
    }
    write_parts(writer, &stream.arrivals);
}

fn write_reader(writer: &mut Writer, reader: &ReaderState) {
    let done: Vec<Span> = reader.done.spans().collect();
    write_spans(writer, &done);
    writer.number(reader.cuts.len() as u64);
    reader.cuts.values().for_each(|cut| cut.write_to(writer));
}

fn write_parts(writer: &mut Writer, lane: &LaneState) {
    writer.number(lane.parts.len() as u64);
    for (segment, part) in &lane.parts {
        writer.number(*segment);
        write_span(writer, part.span);
        writer.number(part.arrival.as_millis());
        writer.number(part.logged.as_millis());
    }
}

fn has_more(stream: &Stream) -> bool {
    let answers = stream.answers != LaneState::default();
    answers || stream.arrivals.backup.is_some() || verdicts(stream).next().is_some()
}

/// Of every cut that is delivered in parts.
fn verdicts(stream: &Stream) -> impl Iterator<Item = (CutId, &Verdicts)> {
    stream.open_cuts().filter_map(|cut| match &cut.shape {
        Shape::Whole => None,
        Shape::InParts(verdicts) => Some((cut.id, verdicts)),
    })
}

fn write_more(writer: &mut Writer, stream: &Stream) {
    writer.number(u64::from(stream.facts.id));
    write_position(writer, stream.answers.tail);
    write_reader(writer, &stream.answers.main);
    write_parts(writer, &stream.answers);
    writer.number(u64::from(stream.arrivals.backup.is_some()));
    let backup = stream.arrivals.backup.as_ref();
    backup
        .into_iter()
        .for_each(|backup| write_reader(writer, backup));
    writer.number(verdicts(stream).count() as u64);
    for (cut, verdicts) in verdicts(stream) {
        writer.number(cut.0);
        verdicts.write_to(writer);
    }
}

/// `None` where these are not a snapshot's bytes.
pub fn decode(bytes: &[u8]) -> Option<State> {
    let mut reader = Reader::new(bytes);
    let reader = &mut reader;
    let directory = u128::from(reader.number()?) << 64 | u128::from(reader.number()?);
    let mut state = State::new(DirectoryId(directory), reader.number()?);
    state.clock = LogTime::from_millis(reader.number()?);
    state.next_cut = reader.number()?;
    state.next_stream = reader.number_u32()?;
    for _ in 0..reader.number()? {
        let id = reader.number()?;
        let sealed = Sealed {
            life: reader.number()?,
            frames_at: reader.number_u32()?,
            end: reader.number_u32()?,
        };
        state.segments.insert(id, sealed);
    }
    for _ in 0..reader.number()? {
        let (stream, parts) = read_stream(reader)?;
        let id = stream.facts.id;
        state.streams.insert(id, stream);
        insert_parts(&mut state, id, Lane::Arrivals, parts);
    }
    if reader.number()? != 0 {
        return None;
    }
    // Written before any stream had more.
    if reader.is_at_end() {
        return Some(state);
    }
    for _ in 0..reader.number()? {
        read_more(reader, &mut state)?;
    }
    Some(state)
}

fn insert_parts(state: &mut State, stream: u32, lane: Lane, parts: Vec<(u64, Part)>) {
    for (segment, part) in parts {
        state.insert_part(LaneId { stream, lane }, segment, part);
    }
}

fn read_stream(reader: &mut Reader<'_>) -> Option<(Stream, Vec<(u64, Part)>)> {
    let facts = StreamFacts {
        id: reader.number_u32()?,
        name: std::str::from_utf8(reader.bytes()?).ok()?.parse().ok()?,
        version: reader.number_u32()?,
        created: Timestamp::default(),
        updated: None,
    };
    let mut stream = Stream::new(facts, reader.number()?);
    stream.facts.created = Timestamp::from_millis(reader.number()?);
    let updated = reader.number()?;
    stream.facts.updated = (updated != 0).then_some(Timestamp::from_millis(updated));
    stream.arrivals.tail = read_position(reader)?;
    stream.arrivals.main = read_reader(reader)?;
    stream.rest = Rest {
        delivered: reader.number()?,
        failed: reader.number()?,
        dropped: reader.number()?,
        expired: reader.number()?,
        quarantined: reader.number()?,
    };
    let parts = read_parts(reader)?;
    Some((stream, parts))
}

fn read_reader(reader: &mut Reader<'_>) -> Option<ReaderState> {
    let mut state = ReaderState::default();
    for span in read_spans(reader)? {
        state.done.add(span);
    }
    for _ in 0..reader.number()? {
        let cut = OpenCut::read_from(reader)?;
        state.cuts.insert(cut.id, cut);
    }
    Some(state)
}

fn read_parts(reader: &mut Reader<'_>) -> Option<Vec<(u64, Part)>> {
    let mut parts = Vec::new();
    for _ in 0..reader.number()? {
        let segment = reader.number()?;
        let part = Part {
            span: read_span(reader)?,
            arrival: Timestamp::from_millis(reader.number()?),
            logged: LogTime::from_millis(reader.number()?),
        };
        parts.push((segment, part));
    }
    Some(parts)
}

fn read_more(reader: &mut Reader<'_>, state: &mut State) -> Option<()> {
    let id = reader.number_u32()?;
    let stream = state.streams.get_mut(&id)?;
    stream.answers.tail = read_position(reader)?;
    stream.answers.main = read_reader(reader)?;
    let parts = read_parts(reader)?;
    stream.arrivals.backup = match reader.number()? {
        0 => None,
        _ => Some(read_reader(reader)?),
    };
    for _ in 0..reader.number()? {
        let id = CutId(reader.number()?);
        let verdicts = Verdicts::read_from(reader)?;
        stream.open_cut_mut(id)?.shape = Shape::InParts(verdicts);
    }
    insert_parts(state, id, Lane::Answers, parts);
    Some(())
}

#[cfg(test)]
mod tests;
