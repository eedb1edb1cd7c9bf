//! What control frames say: cut, settle, quarantined.
//!
//! A settlement repeats spans and counts, so it stands by itself when its cut is damaged.

use super::ledger::{Position, Span};
use super::wire::{Reader, Writer};
use super::{CutId, Settled};
use crate::model::{LogTime, Seq, Timestamp};

/// A batch that is on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCut {
    pub id: CutId,
    pub spans: Vec<Span>,
    pub first_arrival: Timestamp,
    pub first_logged: LogTime,
    pub plan: Vec<u8>,
}

impl OpenCut {
    pub fn write_to(&self, writer: &mut Writer) {
        writer.number(self.id.0);
        write_spans(writer, &self.spans);
        writer.number(self.first_arrival.as_millis());
        writer.number(self.first_logged.as_millis());
        writer.bytes(&self.plan);
    }

    pub fn read_from(reader: &mut Reader<'_>) -> Option<OpenCut> {
        Some(OpenCut {
            id: CutId(reader.number()?),
            spans: read_spans(reader)?,
            first_arrival: Timestamp::from_millis(reader.number()?),
            first_logged: LogTime::from_millis(reader.number()?),
            plan: reader.bytes()?.to_vec(),
        })
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        self.write_to(&mut writer);
        writer.into_bytes()
    }

    pub fn decode(body: &[u8]) -> Option<OpenCut> {
        let mut reader = Reader::new(body);
        let cut = OpenCut::read_from(&mut reader)?;
        reader.end().map(|()| cut)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    pub cut: CutId,
    pub how: Settled,
    pub spans: Vec<Span>,
}

impl Settlement {
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.number(self.cut.0);
        writer.number(match self.how {
            Settled::Delivered => 1,
            Settled::Expired => 2,
        });
        write_spans(&mut writer, &self.spans);
        writer.into_bytes()
    }

    pub fn decode(body: &[u8]) -> Option<Settlement> {
        let mut reader = Reader::new(body);
        let settlement = Settlement {
            cut: CutId(reader.number()?),
            how: match reader.number()? {
                1 => Settled::Delivered,
                2 => Settled::Expired,
                _ => return None,
            },
            spans: read_spans(&mut reader)?,
        };
        reader.end().map(|()| settlement)
    }
}

pub fn encode_quarantined(spans: &[Span]) -> Vec<u8> {
    let mut writer = Writer::default();
    write_spans(&mut writer, spans);
    writer.into_bytes()
}

pub fn decode_quarantined(body: &[u8]) -> Option<Vec<Span>> {
    let mut reader = Reader::new(body);
    let spans = read_spans(&mut reader)?;
    reader.end().map(|()| spans)
}

pub fn write_position(writer: &mut Writer, position: Position) {
    writer.number(position.seq.get());
    writer.number(position.byte);
}

pub fn read_position(reader: &mut Reader<'_>) -> Option<Position> {
    Some(Position {
        seq: Seq::new(reader.number()?),
        byte: reader.number()?,
    })
}

pub fn write_span(writer: &mut Writer, span: Span) {
    write_position(writer, span.start);
    writer.number(span.records());
    writer.number(span.bytes());
}

pub fn read_span(reader: &mut Reader<'_>) -> Option<Span> {
    let start = read_position(reader)?;
    let (records, bytes) = (reader.number()?, reader.number()?);
    let end = Position {
        seq: Seq::new(start.seq.get().checked_add(records)?),
        byte: start.byte.checked_add(bytes)?,
    };
    Span::between(start, end)
}

pub fn write_spans(writer: &mut Writer, spans: &[Span]) {
    writer.number(spans.len() as u64);
    for span in spans {
        write_span(writer, *span);
    }
}

pub fn read_spans(reader: &mut Reader<'_>) -> Option<Vec<Span>> {
    let count = reader.number()?;
    (0..count).map(|_| read_span(reader)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span() -> Span {
        let start = Position::ZERO.plus(3, 30);
        Span::between(start, start.plus(4, 40)).unwrap()
    }

    #[test]
    fn bodies_read_back_as_they_were_written() {
        let cut = OpenCut {
            id: CutId(7),
            spans: vec![span()],
            first_arrival: Timestamp::from_millis(1 << 40),
            first_logged: LogTime::from_millis(12),
            plan: b"a plan".to_vec(),
        };
        assert_eq!(OpenCut::decode(&cut.encode()), Some(cut));
        for how in [Settled::Delivered, Settled::Expired] {
            let settlement = Settlement {
                cut: CutId(7),
                how,
                spans: vec![span()],
            };
            assert_eq!(Settlement::decode(&settlement.encode()), Some(settlement));
        }
        let spans = vec![span()];
        assert_eq!(decode_quarantined(&encode_quarantined(&spans)), Some(spans));
    }

    #[test]
    fn a_body_with_something_behind_it_is_refused() {
        let mut body = encode_quarantined(&[span()]);
        body.push(0);
        assert_eq!(decode_quarantined(&body), None);
    }
}
