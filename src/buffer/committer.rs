//! The group commit: everything that waits becomes one write and one sync.
//!
//! No timer: while one group is being synced, the next one gathers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::control::{OpenCut, Settlement, Shape};
use super::entry::{Answer, Effect, Entry};
use super::ledger::Position;
use super::pool::Fill;
use super::queue::{
    AnswerArrivals, Append, GiveVerdict, NewCut, Quarantine, Request, Settle, Taker, Waited,
};
use super::reader::ReaderId;
use super::shared::Shared;
use super::writer::Writer;
use super::{AppendError, CutId, Health, LogError};
use crate::model::ReaderKind;
use crate::model::limits;
use crate::outside::disk::off_thread;
use crate::telemetry::happened;

/// The group-commit loop.
pub struct Committer {
    writer: Writer,
    taker: Taker,
}

impl Committer {
    pub(super) fn new(writer: Writer) -> Committer {
        let taker = Taker(writer.shared().queue.clone());
        Committer { writer, taker }
    }

    /// Runs until every `Intake` and `Outlet` is gone, then writes *end*. A second failed sync ends
    /// intake, not the loop (B6).
    pub async fn run(self) {
        let Committer { mut writer, taker } = self;
        let shared = writer.shared().clone();
        let mut growing = JoinSet::new();
        loop {
            if growing.is_empty() && shared.pool.wants_more() {
                growing.spawn(grow(shared.clone()));
            }
            tokio::select! {
                biased;
                waited = taker.0.wait() => match waited {
                    Waited::Requests => {
                        shared.inner().committing_since = Some(Instant::now());
                        writer = off_thread(&shared.disk, move || {
                            commit(&mut writer);
                            writer
                        }).await;
                        shared.inner().committing_since = None;
                    }
                    Waited::Closed => break,
                },
                Some(grown) = growing.join_next() => match grown {
                    Ok(()) => {}
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                },
            }
        }
        shared.pool.stop();
        off_thread(&shared.disk, move || end(&mut writer)).await;
        while growing.join_next().await.is_some() {}
    }
}

/// One more file, in the background.
async fn grow(shared: Arc<Shared>) {
    let disk = shared.disk.clone();
    let grown = off_thread(&disk, move || shared.pool.grow(Fill::Zeros)).await;
    if let Err(error) = grown {
        // B7: back-pressure, not trouble.
        happened::buffer::growth_failed(&error);
    }
}

/// One group: what waits, up to the bound.
fn commit(writer: &mut Writer) {
    let shared = writer.shared().clone();
    let mut requests = shared.queue.take(shared.geometry.group_bytes_max);
    if writer.has_stopped() {
        requests.into_iter().for_each(Request::fail);
        return;
    }
    writer.reclaim();
    make_room(&shared, &requests);
    // Few extents, and long ones. The sort is stable: a stream's requests stay in order (D2).
    requests.sort_by_key(Request::stream);
    let Admitted { entries, refused } = admit(&shared, requests);
    if entries.is_empty() {
        return;
    }
    let written = writer.write(entries);
    // A settlement may have made room, and nobody else may come to notice it.
    writer.reclaim();
    if !refused && room_for_others(&shared) <= room_for_arrivals(&shared) {
        note_fullness(&shared, false);
    }
    if written.is_err() {
        // B6: everything that is queued, for it may rest on what was lost.
        let queued = shared.queue.take(usize::MAX);
        queued.into_iter().for_each(Request::fail);
    }
}

/// When puts come faster than the background fills files, room that is only reserved must do.
fn make_room(shared: &Shared, requests: &[Request]) {
    let appends = requests.iter().map(|request| match request {
        Request::Append(append) => append.length(),
        Request::Answer(answer) => answer.length(),
        Request::Cut(_) | Request::Verdict(_) | Request::Settle(_) | Request::Quarantine(_) => 0,
    });
    let wanted = appends.sum::<usize>() + room_for_others(shared) + room_for_answers(shared);
    while room(shared) < wanted && shared.pool.wants_more() {
        if let Err(error) = shared.pool.grow(Fill::Reserve) {
            happened::buffer::growth_failed(&error);
        }
    }
}

/// The last bytes of a segment are for cuts and settlements, which make room.
fn room_for_others(shared: &Shared) -> usize {
    shared.geometry.segment_bytes as usize / 8
}

/// A clean stop proves all before it, so *end* is a group of its own.
fn end(writer: &mut Writer) {
    if writer.has_stopped() {
        return;
    }
    let now = writer.shared().clock.now();
    let nobody = ReaderId {
        stream: 0,
        kind: ReaderKind::Arrivals,
    };
    let end = Entry::control(nobody, Effect::End, now, Answer::Nobody);
    // If it fails, the next start finds a crash, which is as good.
    let _ = writer.write(vec![end]);
}

/// Every arrival behind a transformer needs room for its answer, or the log fills with what cannot be
/// answered. A function that makes records longer fills it all the same: then answers wait, until
/// deliveries have made room.
fn room_for_answers(shared: &Shared) -> usize {
    let inner = shared.inner();
    let transformed = shared.transformed.iter();
    let streams = transformed.filter_map(|id| inner.state.streams.get(id));
    let unanswered = streams.flat_map(|stream| stream.uncut(ReaderKind::Arrivals));
    unanswered.map(|span| span.bytes() as usize).sum()
}

fn room_for_arrivals(shared: &Shared) -> usize {
    room(shared).saturating_sub(room_for_answers(shared))
}

/// How many bytes of records may be written before the reserve is touched (B7): what is left of this
/// segment, and of each free one beyond the reserve what no snapshot takes.
fn room(shared: &Shared) -> usize {
    let segment = shared.geometry.segment_bytes as usize;
    let written = shared
        .inner()
        .current
        .map_or(segment, |(_, current)| current.end as usize);
    let spare = shared.pool.len().checked_sub(limits::SEGMENTS_RESERVED);
    spare.map_or(0, |spare| {
        segment.saturating_sub(written) + spare * segment / 2
    })
}

struct Admitted {
    entries: Vec<Entry>,
    /// Whether anybody was told that the log is full.
    refused: bool,
}

/// Turns requests into entries; records only while the reserve stands (B7).
fn admit(shared: &Shared, requests: Vec<Request>) -> Admitted {
    let mut room = room(shared);
    let reserved = room_for_answers(shared);
    let is_full = room.saturating_sub(reserved) < room_for_others(shared);
    let mut room_for_arrivals = room.saturating_sub(reserved);
    let mut refused = Vec::new();
    let mut entries = Vec::new();
    let mut next_cut = shared.inner().state.next_cut;
    let mut cut_readers = BTreeSet::new();
    let mut answered = BTreeMap::new();
    for request in requests {
        match request {
            Request::Append(append) => {
                let length = append.length();
                let with_answer = match shared.transformed.contains(&append.stream) {
                    true => 2 * length,
                    false => length,
                };
                match room_for_arrivals.checked_sub(with_answer) {
                    Some(left) if !is_full => {
                        room_for_arrivals = left;
                        room = room.saturating_sub(length);
                        add_append(append, &mut entries);
                    }
                    Some(_) | None => refused.push(append),
                }
            }
            Request::Answer(request) => match room.checked_sub(request.length()) {
                Some(left) if may_answer(shared, &request, &mut answered) => {
                    room = left;
                    add_answers(request, &mut entries);
                }
                Some(_) => drop(request.answer.send(Err(LogError::Failed))),
                None => drop(request.answer.send(Err(LogError::Full))),
            },
            Request::Verdict(verdict) => entries.extend(verdict_entry(shared, verdict)),
            Request::Cut(cut) => {
                let first_of_reader = cut_readers.insert(cut.reader);
                if !first_of_reader || !may_cut(shared, &cut) {
                    drop(cut.answer.send(Err(LogError::Failed)));
                    continue;
                }
                entries.push(cut_entry(shared, cut, next_cut));
                next_cut += 1;
            }
            Request::Settle(settle) => entries.extend(settle_entry(shared, settle)),
            Request::Quarantine(quarantine) => {
                entries.push(quarantine_entry(shared, quarantine));
            }
        }
    }
    // Health says so before anybody who was refused can ask.
    note_fullness(shared, is_full || !refused.is_empty());
    let admitted = Admitted {
        entries,
        refused: !refused.is_empty(),
    };
    for append in refused {
        drop(append.answer.send(Err(AppendError::Full)));
    }
    admitted
}

/// Tells when the log gets full and when it no longer is, not each time that it is met so.
fn note_fullness(shared: &Shared, is_full: bool) {
    let mut inner = shared.inner();
    match (inner.health, is_full) {
        (Health::Good, true) => {
            inner.health = Health::Full;
            happened::buffer::full(&shared.metrics);
        }
        (Health::Full, false) => {
            inner.health = Health::Good;
            happened::buffer::no_longer_full(&shared.metrics);
        }
        (Health::Good, false) | (Health::Full, true) | (Health::Failed, _) => {}
    }
}

fn add_append(append: Append, entries: &mut Vec<Entry>) {
    let records = append
        .drafts
        .iter()
        .map(|draft| u64::from(draft.count))
        .sum();
    let mut drafts = append.drafts.into_iter();
    let last = drafts.next_back();
    entries.extend(drafts.map(|draft| Entry::records(draft, Answer::Nobody)));
    let answer = Answer::Append(records, append.answer);
    entries.extend(last.map(|draft| Entry::records(draft, answer)));
}

/// Answers follow those before them: they begin with the first arrival that has none.
fn may_answer(
    shared: &Shared,
    request: &AnswerArrivals,
    answered: &mut BTreeMap<u32, Position>,
) -> bool {
    let (Some(first), Some(last)) = (request.answers.first(), request.answers.last()) else {
        return false;
    };
    let inner = shared.inner();
    let Some(stream) = inner.state.streams.get(&request.stream) else {
        return false;
    };
    let before = answered.get(&request.stream).copied();
    let from = before.map_or(0, |before| before.seq.get());
    let waiting = stream.uncut(ReaderKind::Arrivals);
    let next = waiting.iter().find(|span| from < span.end.seq.get());
    let may = next.is_some_and(|next| {
        let start = before.map_or(next.start, |before| before.max(next.start));
        start == first.of.start && last.of.end.seq <= next.end.seq
    });
    if may {
        answered.insert(request.stream, last.of.end);
    }
    may
}

fn add_answers(request: AnswerArrivals, entries: &mut Vec<Entry>) {
    let last = request.answers.len() - 1;
    let mut answer = Some(request.answer);
    for (number, answers) in request.answers.iter().enumerate() {
        let waiter = answer.take_if(|_| number == last);
        let waiter = waiter.map_or(Answer::Nobody, Answer::Done);
        entries.push(Entry::answers(request.stream, answers, waiter));
    }
}

/// `None` where the cut is at rest already, or the part has a verdict: then it is answered here.
fn verdict_entry(shared: &Shared, given: GiveVerdict) -> Option<Entry> {
    let inner = shared.inner();
    let stream = inner.state.streams.get(&given.reader.stream);
    let reader = stream.and_then(|stream| stream.reader(given.reader.kind));
    let cut = reader.and_then(|reader| reader.cuts.get(&given.verdict.cut));
    let verdicts = cut.map(|cut| &cut.shape);
    match verdicts {
        Some(Shape::InParts(verdicts)) if verdicts.of(given.verdict.part).is_none() => {}
        Some(Shape::InParts(_)) | None => {
            drop(given.answer.send(Ok(())));
            return None;
        }
        Some(Shape::Whole) => {
            drop(given.answer.send(Err(LogError::Failed)));
            return None;
        }
    }
    let now = shared.clock.now();
    let effect = Effect::Verdict(given.verdict);
    Some(Entry::control(
        given.reader,
        effect,
        now,
        Answer::Done(given.answer),
    ))
}

/// A cut takes what is neither cut nor at rest, and leaves room for itself in every snapshot.
fn may_cut(shared: &Shared, cut: &NewCut) -> bool {
    let inner = shared.inner();
    let streams = &inner.state.streams;
    let is_free = streams.get(&cut.reader.stream).is_some_and(|stream| {
        let mut open = stream.cuts(cut.reader.kind).flat_map(|open| &open.spans);
        let is_open = open.any(|span| span.range().shared(cut.span.range()).is_some());
        cut.span.end.seq <= stream.lane(cut.reader.kind.lane()).tail.seq && !is_open
    });
    let open = streams.values().flat_map(|stream| stream.open_cuts());
    let held: usize = open
        .map(|open| room_in_snapshot(&open.plan, &open.shape))
        .sum();
    let wanted = room_in_snapshot(&cut.plan, &cut.shape);
    is_free && held + wanted <= shared.geometry.plans_bytes_max()
}

/// What a cut takes of every snapshot, for as long as it is open.
fn room_in_snapshot(plan: &[u8], shape: &Shape) -> usize {
    let verdicts = match shape {
        Shape::Whole => 0,
        Shape::InParts(_) => limits::VERDICTS_PER_CUT_BYTES_MAX,
    };
    plan.len() + 64 + verdicts
}

fn cut_entry(shared: &Shared, cut: NewCut, id: u64) -> Entry {
    let open = OpenCut {
        id: CutId(id),
        spans: vec![cut.span],
        first_arrival: cut.first_arrival,
        first_logged: cut.first_logged,
        plan: cut.plan,
        shape: cut.shape,
    };
    let now = shared.clock.now();
    Entry::control(cut.reader, Effect::Cut(open), now, Answer::Cut(cut.answer))
}

/// `None` where the cut is at rest already: then it is answered here.
fn settle_entry(shared: &Shared, settle: Settle) -> Option<Entry> {
    let inner = shared.inner();
    let stream = inner.state.streams.get(&settle.reader.stream);
    let reader = stream.and_then(|stream| stream.reader(settle.reader.kind));
    let Some(cut) = reader.and_then(|reader| reader.cuts.get(&settle.cut)) else {
        drop(settle.answer.send(Ok(())));
        return None;
    };
    let settlement = Settlement {
        cut: settle.cut,
        how: settle.how,
        spans: cut.spans.clone(),
    };
    let effect = Effect::Settle(settlement);
    let answer = Answer::Done(settle.answer);
    Some(Entry::control(
        settle.reader,
        effect,
        shared.clock.now(),
        answer,
    ))
}

fn quarantine_entry(shared: &Shared, quarantine: Quarantine) -> Entry {
    let effect = Effect::Quarantine(quarantine.spans);
    let answer = Answer::Done(quarantine.answer);
    Entry::control(quarantine.reader, effect, shared.clock.now(), answer)
}

#[cfg(test)]
mod tests;
