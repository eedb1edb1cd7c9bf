//! The group commit: everything that waits becomes one write and one sync.
//!
//! No timer: while one group is being synced, the next one gathers.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::admission::{Admitted, admit};
use super::entry::{Answer, Effect, Entry};
use super::pool::{self, Fill, GROW_PAUSE};
use super::queue::{Append, Request, Taker, Waited};
use super::reader::ReaderId;
use super::room::{self, News, Room};
use super::shared::Shared;
use super::writer::Writer;
use super::{AppendError, Health};
use crate::model::ReaderKind;
use crate::outside::disk::off_thread;
use crate::telemetry::{Say, happened};

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
        note_fullness(&shared, Room::of(&shared).is_full(false));
        loop {
            if growing.is_empty() && shared.pool.wants_more() {
                growing.spawn(grow(shared.clone()));
            }
            let is_full = shared.inner().health == Health::Full;
            tokio::select! {
                biased;
                Some(grown) = growing.join_next() => match grown {
                    Ok(true) => note_room(&shared),
                    Ok(false) => {}
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                },
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
                // B7: the file system may have room again, and nobody puts where puts are refused.
                () = async { sleep(GROW_PAUSE).await }, if is_full => {
                    note_fullness(&shared, Room::of(&shared).is_full(true));
                }
            }
        }
        shared.pool.stop();
        off_thread(&shared.disk, move || end(&mut writer)).await;
        while growing.join_next().await.is_some() {}
    }
}

/// One more file, in the background; whether it stands. B7: if not it is back-pressure, not trouble,
/// and the pool tells it.
async fn grow(shared: Arc<Shared>) -> bool {
    let disk = shared.disk.clone();
    let grown = off_thread(&disk, move || shared.pool.grow(Fill::Zeros, pool::ENOUGH)).await;
    matches!(grown, Some(Ok(())))
}

/// One group: what waits, up to the bound.
fn commit(writer: &mut Writer) {
    let shared = writer.shared().clone();
    let mut requests = shared.queue.take(shared.geometry.group_bytes_max);
    if writer.has_stopped() {
        requests.into_iter().for_each(Request::refuse);
        return;
    }
    writer.reclaim();
    let was_full = shared.inner().health == Health::Full;
    let room = make_room(&shared, &requests, was_full);
    let is_full = room.is_full(was_full);
    // Few extents, and long ones. The sort is stable: a stream's requests stay in order (D2).
    requests.sort_by_key(Request::stream);
    let Admitted { entries, refused } = admit(&shared, requests, room, is_full);
    // Health says so before anybody who was refused can ask.
    note_fullness(&shared, is_full);
    note_refused(&shared, &refused, is_full);
    for append in refused {
        drop(append.answer.send(Err(AppendError::Full)));
    }
    if entries.is_empty() {
        return;
    }
    let written = writer.write(entries);
    // A settlement may have made room, and nobody else may come to notice it.
    writer.reclaim();
    note_room(&shared);
    if written.is_err() {
        // B6: everything that is queued, for it may rest on what was lost.
        let queued = shared.queue.take(usize::MAX);
        queued.into_iter().for_each(Request::fail);
    }
}

/// When puts come faster than the background fills files, room that is only reserved must do.
fn make_room(shared: &Shared, requests: &[Request], was_full: bool) -> Room {
    let appends = requests.iter().map(|request| match request {
        Request::Append(append) => room::for_append(shared, append),
        Request::Answer(answer) => answer.draft.length(),
        Request::Cut(_) | Request::Verdict(_) | Request::Settle(_) | Request::Quarantine(_) => 0,
    });
    let mut room = Room::of(shared);
    let appends = appends.sum::<usize>();
    let wanted = appends + room.least(was_full);
    while room.for_arrivals() < wanted {
        let enough = match room.lacks_files_for(appends) {
            true => usize::MAX,
            false => pool::ENOUGH,
        };
        if shared.pool.grow(Fill::Reserve, enough).is_none() && !shared.pool.wait_for_one() {
            break;
        }
        room = room.with(shared.pool.count());
    }
    room
}

/// A full log says so itself. Where others have room, whoever is refused wants more than is left.
fn note_refused(shared: &Shared, refused: &[Append], is_full: bool) {
    let lengths = refused.iter().map(Append::length);
    let Some(length) = lengths.max().filter(|_| !is_full) else {
        return;
    };
    if let Say::Aloud { kept_back } = shared.inner().told.too_large(Instant::now()) {
        happened::buffer::too_large(length, kept_back);
    }
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

/// Something was freed, or the log grew. That it has become full only a put can tell: more files
/// may be made for it.
fn note_room(shared: &Shared) {
    if !Room::of(shared).is_full(true) {
        note_fullness(shared, false);
    }
}

/// Tells when the log gets full and when it no longer is, not each time that it is met so.
fn note_fullness(shared: &Shared, is_full: bool) {
    let mut inner = shared.inner();
    inner.health = match (inner.health, is_full) {
        (Health::Failed, _) => return,
        (Health::Good | Health::Full, true) => Health::Full,
        (Health::Good | Health::Full, false) => Health::Good,
    };
    shared.metrics.log_full.set(i64::from(is_full));
    match inner.told.news(is_full, Instant::now()) {
        Some(News::Full) => happened::buffer::full(),
        Some(News::Room) => happened::buffer::no_longer_full(),
        None => {}
    }
}

#[cfg(test)]
mod tests;
