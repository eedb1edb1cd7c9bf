//! The group commit: everything that waits becomes one write and one sync.
//!
//! No timer: while one group is being synced, the next one gathers.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::control::{OpenCut, Settlement};
use super::entry::{Answer, Effect, Entry};
use super::pool::Fill;
use super::queue::{Append, NewCut, Quarantine, Request, Settle, Taker, Waited};
use super::shared::Shared;
use super::writer::Writer;
use super::{AppendError, CutId, Health, LogError};
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
    if !refused && room_for_others(&shared) <= room_for_records(&shared) {
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
        Request::Cut(_) | Request::Settle(_) | Request::Quarantine(_) => 0,
    });
    let wanted = appends.sum::<usize>() + room_for_others(shared);
    while room_for_records(shared) < wanted && shared.pool.wants_more() {
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
    let end = Entry::control(0, Effect::End, now, Answer::Nobody);
    // If it fails, the next start finds a crash, which is as good.
    let _ = writer.write(vec![end]);
}

/// How many bytes of records may be written before the reserve is touched (B7): what is left of this
/// segment, and of each free one beyond the reserve what no snapshot takes.
fn room_for_records(shared: &Shared) -> usize {
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
    let mut room = room_for_records(shared);
    let is_full = room < room_for_others(shared);
    let mut refused = Vec::new();
    let mut entries = Vec::new();
    let mut next_cut = shared.inner().state.next_cut;
    let mut cut_streams = BTreeSet::new();
    for request in requests {
        match request {
            Request::Append(append) => match room.checked_sub(append.length()) {
                Some(left) if !is_full => {
                    room = left;
                    add_append(append, &mut entries);
                }
                Some(_) | None => refused.push(append),
            },
            Request::Cut(cut) => {
                let first_of_stream = cut_streams.insert(cut.stream);
                if !first_of_stream || !may_cut(shared, &cut) {
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

/// A cut takes what is neither cut nor at rest, and leaves room for itself in every snapshot.
fn may_cut(shared: &Shared, cut: &NewCut) -> bool {
    let inner = shared.inner();
    let streams = &inner.state.streams;
    let is_free = streams.get(&cut.stream).is_some_and(|stream| {
        let mut open = stream.cuts.values().flat_map(|open| &open.spans);
        let is_open = open.any(|span| span.range().shared(cut.span.range()).is_some());
        cut.span.end.seq <= stream.tail.seq && !is_open
    });
    let plans = |plans: usize, stream: &super::state::Stream| {
        plans
            + stream
                .cuts
                .values()
                .map(|open| open.plan.len() + 64)
                .sum::<usize>()
    };
    let held = streams.values().fold(cut.plan.len(), plans);
    is_free && held <= shared.geometry.plans_bytes_max()
}

fn cut_entry(shared: &Shared, cut: NewCut, id: u64) -> Entry {
    let open = OpenCut {
        id: CutId(id),
        spans: vec![cut.span],
        first_arrival: cut.first_arrival,
        first_logged: cut.first_logged,
        plan: cut.plan,
    };
    let now = shared.clock.now();
    Entry::control(cut.stream, Effect::Cut(open), now, Answer::Cut(cut.answer))
}

/// `None` where the cut is at rest already: then it is answered here.
fn settle_entry(shared: &Shared, settle: Settle) -> Option<Entry> {
    let inner = shared.inner();
    let stream = inner.state.streams.get(&settle.stream);
    let Some(cut) = stream.and_then(|stream| stream.cuts.get(&settle.cut)) else {
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
        settle.stream,
        effect,
        shared.clock.now(),
        answer,
    ))
}

fn quarantine_entry(shared: &Shared, quarantine: Quarantine) -> Entry {
    let effect = Effect::Quarantine(quarantine.spans);
    let answer = Answer::Done(quarantine.answer);
    Entry::control(quarantine.stream, effect, shared.clock.now(), answer)
}
