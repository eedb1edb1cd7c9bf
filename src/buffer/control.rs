//! What control frames say: cut, verdict, settle, quarantined.
//!
//! A settlement repeats spans and counts, so it stands by itself when its cut is damaged.

use super::ledger::{Position, Span};
use super::verdicts::{PartVerdict, Said, Verdicts};
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
    pub shape: Shape,
}

/// How a batch is delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    Whole,
    /// In requests of bounded size, and what became of them so far (D5); or what is left of that after
    /// a move.
    InParts(Verdicts),
}

/// Behind a cut that is delivered in parts.
const IN_PARTS: u64 = 1;

impl OpenCut {
    /// Without its shape.
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
            shape: Shape::Whole,
        })
    }

    /// What became of a part of it, or of its plan.
    pub fn judge(&mut self, given: &PartVerdict) {
        if let Said::Moved(plan) = &given.said {
            self.plan.clone_from(plan);
        }
        let verdicts = match (&mut self.shape, &given.said) {
            (Shape::InParts(verdicts), _) => verdicts,
            (Shape::Whole, Said::Judged(_) | Said::Divided(_)) => return,
            (whole @ Shape::Whole, Said::Moved(_)) => {
                *whole = Shape::InParts(Verdicts::default());
                return;
            }
        };
        let spans = self.spans.iter();
        for part in spans.filter_map(|span| span.range().shared(given.part)) {
            match &given.said {
                Said::Judged(verdict) => verdicts.add(part, verdict.clone()),
                Said::Divided(borders) => verdicts.divide(part, borders),
                Said::Moved(_) => verdicts.undivide(),
            }
        }
    }

    /// Whether snapshots have room for its verdicts, the last of which is this one.
    pub fn has_bounded_verdicts(&self, last: &Said) -> bool {
        match &self.shape {
            Shape::Whole => true,
            Shape::InParts(verdicts) => verdicts.are_bounded(last),
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        self.write_to(&mut writer);
        match self.shape {
            Shape::Whole => {}
            Shape::InParts(_) => writer.number(IN_PARTS),
        }
        writer.into_bytes()
    }

    /// A cut is logged before any of its parts has a verdict.
    pub fn decode(body: &[u8]) -> Option<OpenCut> {
        let mut reader = Reader::new(body);
        let mut cut = OpenCut::read_from(&mut reader)?;
        if !reader.is_at_end() {
            if reader.number()? != IN_PARTS {
                return None;
            }
            cut.shape = Shape::InParts(Verdicts::default());
        }
        reader.end().map(|()| cut)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    pub cut: CutId,
    pub how: Settled,
    pub spans: Vec<Span>,
}

/// Numbers are for good.
const DELIVERED: u64 = 1;
const EXPIRED: u64 = 2;
const PARTLY_FAILED: u64 = 3;

impl Settlement {
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.number(self.cut.0);
        match self.how {
            Settled::Delivered { failed: 0 } => writer.number(DELIVERED),
            Settled::Expired => writer.number(EXPIRED),
            Settled::Delivered { failed } => {
                writer.number(PARTLY_FAILED);
                writer.number(failed);
            }
        }
        write_spans(&mut writer, &self.spans);
        writer.into_bytes()
    }

    pub fn decode(body: &[u8]) -> Option<Settlement> {
        let mut reader = Reader::new(body);
        let settlement = Settlement {
            cut: CutId(reader.number()?),
            how: match reader.number()? {
                DELIVERED => Settled::Delivered { failed: 0 },
                EXPIRED => Settled::Expired,
                PARTLY_FAILED => Settled::Delivered {
                    failed: reader.number()?,
                },
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
    use proptest::prelude::*;

    use super::*;
    use crate::buffer::Verdict;
    use crate::model::SeqRange;

    proptest! {
        #[test]
        fn no_bytes_make_a_body_panic(body: Vec<u8>) {
            let _ = (OpenCut::decode(&body), Settlement::decode(&body), decode_quarantined(&body));
        }
    }

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
            shape: Shape::Whole,
        };
        assert_eq!(OpenCut::decode(&cut.encode()).as_ref(), Some(&cut));
        let in_parts = OpenCut {
            shape: Shape::InParts(Verdicts::default()),
            ..cut.clone()
        };
        assert_eq!(OpenCut::decode(&in_parts.encode()), Some(in_parts));
        let delivered = |failed| Settled::Delivered { failed };
        for how in [delivered(0), delivered(3), Settled::Expired] {
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
    fn a_moved_cut_has_another_plan_and_keeps_its_verdicts() {
        let mut cut = OpenCut {
            id: CutId(7),
            spans: vec![span()],
            first_arrival: Timestamp::default(),
            first_logged: LogTime::default(),
            plan: b"one object".to_vec(),
            shape: Shape::Whole,
        };
        let all = span().range();
        let first = SeqRange::new(all.start(), all.start().plus(1));
        let judge = |cut: &mut OpenCut, part, said| {
            let given = PartVerdict {
                cut: cut.id,
                part,
                said,
            };
            cut.judge(&given);
        };
        let delivered = || Said::Judged(Verdict::Delivered);
        judge(&mut cut, first, delivered());
        assert_eq!(cut.shape, Shape::Whole);
        judge(&mut cut, all, Said::Moved(b"requests".to_vec()));
        judge(&mut cut, first, delivered());
        judge(&mut cut, all, Said::Divided(vec![all.start().plus(2)]));
        judge(&mut cut, all, Said::Moved(b"an object".to_vec()));
        assert_eq!(cut.plan, b"an object");
        let mut verdicts = Verdicts::default();
        verdicts.add(first, Verdict::Delivered);
        assert_eq!(cut.shape, Shape::InParts(verdicts));
    }

    #[test]
    fn a_body_with_something_behind_it_is_refused() {
        let mut body = encode_quarantined(&[span()]);
        body.push(0);
        assert_eq!(decode_quarantined(&body), None);
    }
}
