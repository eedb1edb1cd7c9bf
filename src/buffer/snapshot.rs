//! The state as bytes, behind each segment's head: what makes every older control frame superfluous.
//!
//! Bounded: streams are configured, open cuts per stream and their plans are limited, and a ledger
//! has at most one island for each open cut.

use super::StreamFacts;
use super::control::{
    OpenCut, read_position, read_span, read_spans, write_position, write_span, write_spans,
};
use super::ledger::{Ledger, Span};
use super::state::{Part, Rest, Sealed, State, Stream};
use super::wire::{Reader, Writer};
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
    write_position(writer, stream.tail);
    let done: Vec<Span> = stream.done.spans().collect();
    write_spans(writer, &done);
    writer.number(stream.cuts.len() as u64);
    stream.cuts.values().for_each(|cut| cut.write_to(writer));
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
    writer.number(stream.parts.len() as u64);
    for (segment, part) in &stream.parts {
        writer.number(*segment);
        write_span(writer, part.span);
        writer.number(part.arrival.as_millis());
        writer.number(part.logged.as_millis());
    }
}

/// `None` where these are not a snapshot's bytes.
pub fn decode(bytes: &[u8]) -> Option<State> {
    let mut reader = Reader::new(bytes);
    let reader = &mut reader;
    let directory = u128::from(reader.number()?) << 64 | u128::from(reader.number()?);
    let mut state = State::new(DirectoryId(directory));
    state.life = reader.number()?;
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
        for (segment, part) in parts {
            state.insert_part(id, segment, part);
        }
    }
    (reader.number()? == 0).then_some(state)
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
    stream.tail = read_position(reader)?;
    stream.done = Ledger::default();
    for span in read_spans(reader)? {
        stream.done.add(span);
    }
    for _ in 0..reader.number()? {
        let cut = OpenCut::read_from(reader)?;
        stream.cuts.insert(cut.id, cut);
    }
    stream.rest = Rest {
        delivered: reader.number()?,
        failed: reader.number()?,
        dropped: reader.number()?,
        expired: reader.number()?,
        quarantined: reader.number()?,
    };
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
    Some((stream, parts))
}
