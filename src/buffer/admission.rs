//! What of the requests that wait enters the next group, and what is refused or answered at once.
//!
//! Everything is judged by the durable state, which the group itself will change. So a reader takes
//! records out of its lane (by a cut, an answer or a quarantine) once in a group; whoever comes second
//! is told to try again.

use std::collections::{BTreeMap, BTreeSet};

use super::control::{OpenCut, Settlement, Shape};
use super::entry::{Answer, Effect, Entry};
use super::ledger::Span;
use super::plans::Plans;
use super::queue::{AnswerArrivals, Append, GiveVerdict, NewCut, Quarantine, Request, Settle};
use super::reader::ReaderId;
use super::room::{self, Room};
use super::shared::Shared;
use super::state::State;
use super::verdicts::PartVerdict;
use super::{CutId, LogError};
use crate::model::ReaderKind;

/// A group before it has places.
pub struct Admitted {
    pub entries: Vec<Entry>,
    /// Appends for which there is no room (B7): to be told so once health says it.
    pub refused: Vec<Append>,
}

/// Turns requests into entries; records only while the log is not full (B7).
pub fn admit(shared: &Shared, requests: Vec<Request>, room: Room, is_full: bool) -> Admitted {
    let mut admission = Admission::of(shared, room, is_full);
    for request in requests {
        match request {
            Request::Append(append) => admission.append(append),
            Request::Answer(answers) => admission.answer(answers),
            Request::Cut(cut) => admission.cut(cut),
            Request::Verdict(verdict) => admission.verdict(verdict),
            Request::Settle(settle) => admission.settle(settle),
            Request::Quarantine(quarantine) => admission.quarantine(quarantine),
        }
    }
    admission.admitted
}

struct Admission<'a> {
    shared: &'a Shared,
    room_for_arrivals: usize,
    room_for_answers: usize,
    room_for_last_answers: usize,
    plans: Plans,
    next_cut: u64,
    /// Those that took records out of their lane in this group.
    took: BTreeSet<ReaderId>,
    /// Cuts that got verdicts in this group, with them.
    judged: BTreeMap<CutId, OpenCut>,
    used_last_resort: bool,
    admitted: Admitted,
}

impl Admission<'_> {
    fn of(shared: &Shared, room: Room, is_full: bool) -> Admission<'_> {
        let inner = shared.inner();
        let held = inner.state.streams.iter().map(|(id, stream)| {
            let open = stream.open_cuts();
            let held = open.map(|open| room_in_snapshot(shared, &open.plan, &open.shape));
            (*id, held.sum())
        });
        Admission {
            shared,
            // What is left then is for cuts and settlements.
            room_for_arrivals: match is_full {
                true => 0,
                false => room.for_arrivals(),
            },
            room_for_answers: room.for_answers(),
            room_for_last_answers: room.for_last_answers(),
            plans: Plans::new(shared.geometry.plans_bytes_max(), held.collect()),
            next_cut: inner.state.next_cut,
            took: BTreeSet::new(),
            judged: BTreeMap::new(),
            used_last_resort: false,
            admitted: Admitted {
                entries: Vec::new(),
                refused: Vec::new(),
            },
        }
    }

    fn append(&mut self, append: Append) {
        let length = append.length();
        let with_answer = room::for_append(self.shared, &append);
        let Some(left) = self.room_for_arrivals.checked_sub(with_answer) else {
            self.admitted.refused.push(append);
            return;
        };
        self.room_for_arrivals = left;
        self.room_for_answers = self.room_for_answers.saturating_sub(length);
        let records = append.drafts.iter().map(|draft| u64::from(draft.count));
        let waiter = Answer::Append(records.sum(), append.answer);
        let frames = append.drafts.into_iter();
        let entries = frames.map(|draft| Entry::records(draft, Answer::Nobody));
        self.admitted.entries.extend(entries);
        // The last frame of a put is waited for.
        if let Some(last) = self.admitted.entries.last_mut() {
            last.answer = waiter;
        }
    }

    fn answer(&mut self, request: AnswerArrivals) {
        let reader = ReaderId {
            stream: request.stream,
            kind: ReaderKind::Arrivals,
        };
        let length = request.draft.length();
        if let Err(error) = self.may_answer(reader, request.of, length) {
            drop(request.answer.send(Err(error)));
            return;
        }
        self.took.insert(reader);
        self.used_last_resort |= self.room_for_answers < length;
        self.room_for_answers = self.room_for_answers.saturating_sub(length);
        let beyond = length.saturating_sub(room::for_answer(request.of));
        self.room_for_arrivals = self.room_for_arrivals.saturating_sub(beyond);
        let waiter = Answer::Done(request.answer);
        let entry = Entry::answers(request.of, request.draft, waiter);
        self.admitted.entries.push(entry);
    }

    /// Answers follow those before them: they begin with the first arrival that has none.
    fn may_answer(&self, reader: ReaderId, of: Span, length: usize) -> Result<(), LogError> {
        if self.took.contains(&reader) {
            return Err(LogError::Failed);
        }
        let inner = self.shared.inner();
        let stream = inner.state.streams.get(&reader.stream);
        let stream = stream.ok_or(LogError::Stale)?;
        let next = stream.uncut(reader.kind).first().copied();
        if !next.is_some_and(|next| next.start == of.start && next.contains(of)) {
            return Err(LogError::Stale);
        }
        let nothing_waits = stream.live(ReaderKind::Answers).is_empty();
        drop(inner);
        if length <= self.room_for_answers {
            return Ok(());
        }
        // A log that is full of arrivals gets room only by answering them: a stream none of whose
        // answers waits to be delivered may use one segment of the reserve.
        let may_use_reserve = !self.used_last_resort && nothing_waits;
        match may_use_reserve && length <= self.room_for_last_answers {
            true => Ok(()),
            false => Err(LogError::Full),
        }
    }

    fn cut(&mut self, cut: NewCut) {
        if let Err(error) = self.make_room_for(&cut) {
            drop(cut.answer.send(Err(error)));
            return;
        }
        self.took.insert(cut.reader);
        let open = OpenCut {
            id: CutId(self.next_cut),
            spans: vec![cut.span],
            first_arrival: cut.first_arrival,
            first_logged: cut.first_logged,
            plan: cut.plan,
            shape: cut.shape,
        };
        self.next_cut += 1;
        self.control(cut.reader, Effect::Cut(open), Answer::Cut(cut.answer));
    }

    /// A cut takes what is neither cut nor at rest, and then room for itself in every snapshot.
    fn make_room_for(&mut self, cut: &NewCut) -> Result<(), LogError> {
        if self.took.contains(&cut.reader) {
            return Err(LogError::Failed);
        }
        let inner = self.shared.inner();
        let stream = inner.state.streams.get(&cut.reader.stream);
        let uncut = stream.map(|stream| stream.uncut(cut.reader.kind));
        let mut uncut = uncut.into_iter().flatten();
        if !uncut.any(|span| span.contains(cut.span)) {
            return Err(LogError::Stale);
        }
        let wanted = room_in_snapshot(self.shared, &cut.plan, &cut.shape);
        match self.plans.take(cut.reader.stream, wanted) {
            true => Ok(()),
            false => Err(LogError::Full),
        }
    }

    fn verdict(&mut self, given: GiveVerdict) {
        match self.judged_with(&given) {
            Ok(Some(cut)) => {
                self.judged.insert(cut.id, cut);
                let effect = Effect::Verdict(given.verdict);
                self.control(given.reader, effect, Answer::Done(given.answer));
            }
            Ok(None) => drop(given.answer.send(Ok(()))),
            Err(error) => drop(given.answer.send(Err(error))),
        }
    }

    /// The cut with this verdict; `None` where that says nothing new, or the cut is at rest already.
    fn judged_with(&mut self, given: &GiveVerdict) -> Result<Option<OpenCut>, LogError> {
        let PartVerdict { cut, .. } = given.verdict;
        let shared = self.shared;
        let inner = shared.inner();
        let Some(known) = open_cut(&inner.state, given.reader, cut) else {
            return Ok(None);
        };
        let known = self.judged.get(&cut).unwrap_or(known);
        let mut judged = known.clone();
        judged.judge(&given.verdict);
        let is_bounded = match &judged.shape {
            Shape::Whole => false,
            Shape::InParts(_) => judged.has_bounded_verdicts(&given.verdict.said),
        };
        if !is_bounded {
            return Err(LogError::Stale);
        }
        let room = |cut: &OpenCut| room_in_snapshot(shared, &cut.plan, &cut.shape);
        let more = room(&judged).saturating_sub(room(known));
        let reserve = shared.geometry.verdicts_bytes_max();
        if !self.plans.grow(given.reader.stream, more, reserve) {
            return Err(LogError::Full);
        }
        Ok(Some(judged).filter(|judged| judged != known))
    }

    /// A cut that is at rest already stays so: it is answered here.
    fn settle(&mut self, settle: Settle) {
        let spans = {
            let inner = self.shared.inner();
            let cut = open_cut(&inner.state, settle.reader, settle.cut);
            cut.map(|cut| cut.spans.clone())
        };
        let Some(spans) = spans else {
            drop(settle.answer.send(Ok(())));
            return;
        };
        let effect = Effect::Settle(Settlement {
            cut: settle.cut,
            how: settle.how,
            spans,
        });
        self.control(settle.reader, effect, Answer::Done(settle.answer));
    }

    fn quarantine(&mut self, quarantine: Quarantine) {
        self.took.insert(quarantine.reader);
        let effect = Effect::Quarantine(quarantine.spans);
        self.control(quarantine.reader, effect, Answer::Done(quarantine.answer));
    }

    fn control(&mut self, reader: ReaderId, effect: Effect, waiter: Answer) {
        let now = self.shared.clock.now();
        let entry = Entry::control(reader, effect, now, waiter);
        self.admitted.entries.push(entry);
    }
}

fn open_cut(state: &State, reader: ReaderId, cut: CutId) -> Option<&OpenCut> {
    let stream = state.streams.get(&reader.stream)?;
    stream.reader(reader.kind)?.cuts.get(&cut)
}

/// What a cut takes of every snapshot, for as long as it is open.
fn room_in_snapshot(shared: &Shared, plan: &[u8], shape: &Shape) -> usize {
    let verdicts = match shape {
        Shape::Whole => 0,
        Shape::InParts(_) => shared.geometry.verdicts_bytes_max(),
    };
    plan.len() + 64 + verdicts
}
