//! The function that transforms records: asked twice, it says two things. What it says of one
//! invocation may come piece by piece, and each life may have another function.

use std::sync::Arc;

use bytes::Bytes;
use standpipe::buffer::{Answered, LogError, Mark, Outcome, Outlet, ReadError};
use standpipe::model::{ByteSize, Failure, SeqRange, Timestamp};

use super::oracle::{Given, Reader, Record, check_unanswered};
use super::stream::{Gone, Read, Stream, record, text};

/// Asks for answers side by side and logs them in order, until it is told to stop.
pub async fn transform(stream: Stream, outlet: Outlet) {
    // A life without the transformer may have left cuts of what arrived.
    for cut in stream.open_cuts(Reader::Arrivals, &outlet) {
        if super::delivery::deliver_whole(&stream, &outlet, &cut)
            .await
            .is_err()
        {
            return;
        }
    }
    let function = format!("arn:{}", stream.chance().below(3)).into();
    while stream.goes_on() {
        stream.chance().pause([100, 40, 20][stream.number]).await;
        let Ok(invocations) = invocations(&stream, &outlet, &function).await else {
            return;
        };
        if log(&stream, &outlet, invocations).await.is_err() {
            return;
        }
    }
}

struct Invocation {
    of: SeqRange,
    function: Arc<str>,
    answered: Vec<Answered>,
    given: Vec<(Record, Given)>,
}

async fn invocations(
    stream: &Stream,
    outlet: &Outlet,
    function: &Arc<str>,
) -> Result<Vec<Invocation>, Gone> {
    let mut invocations = Vec::new();
    let mut behind = Mark::default();
    for _ in 0..=stream.chance().below(3) {
        // Answers to the most of it are five times what a segment holds.
        let bytes = ByteSize::bytes([40, 400, 2_500, 20_000][stream.chance().below(4) as usize]);
        let candidate = match outlet.candidate_from(behind, bytes).await {
            Ok(Some(candidate)) => candidate,
            Ok(None) | Err(ReadError::Disk(_)) => break,
            Err(ReadError::Damaged(_)) if !invocations.is_empty() => break,
            Err(ReadError::Damaged(_)) => {
                // Looks again, and quarantines.
                stream.candidate(outlet, bytes.get()).await;
                break;
            }
        };
        behind = candidate
            .start
            .plus(candidate.range.count(), candidate.bytes);
        let read = stream.read(outlet, &[candidate.range]).await?;
        if read.len() as u64 != candidate.range.count() {
            // Something was quarantined: look again.
            break;
        }
        check_unanswered(&stream.world, &read);
        invocations.push(ask(stream, candidate.range, function, read));
    }
    Ok(invocations)
}

fn ask(stream: &Stream, of: SeqRange, function: &Arc<str>, read: Vec<Read>) -> Invocation {
    let mut invocation = Invocation {
        of,
        function: function.clone(),
        answered: Vec::new(),
        given: Vec::new(),
    };
    let drops_all = stream.chance().happens(50);
    for Read { text, arrival, .. } in read {
        let record = record(&text);
        let choice = match drops_all {
            true => 0,
            false => stream.chance().below(10),
        };
        let ask = stream.world.oracle().ask();
        let (given, outcome) = match choice {
            0 => (Given::Dropped, Outcome::Dropped),
            1 => {
                let failure = failure(stream, ask, arrival);
                let given = Given::Failed(format!("{} by {function}", failure.code));
                (given, Outcome::Failed(failure, text.clone().into()))
            }
            _ => (
                Given::Ok(ask),
                Outcome::Ok(answer(stream, record, ask, text.len())),
            ),
        };
        stream.world.oracle().give(record, given.clone(), arrival);
        invocation.given.push((record, given));
        invocation.answered.push(Answered {
            bytes: text.len() as u32,
            arrival,
            outcome,
        });
    }
    invocation
}

fn answer(stream: &Stream, record: Record, ask: u64, bytes: usize) -> Bytes {
    let longer = bytes * stream.world.habits.stretch;
    let mut answer = text(record, 0);
    answer += &format!("{ask} {}", "y".repeat(longer.saturating_sub(answer.len())));
    answer.into()
}

fn failure(stream: &Stream, ask: u64, now: Timestamp) -> Failure {
    let message = "no ".repeat(stream.chance().below(100) as usize);
    Failure::new(format!("F{ask}"), message, 4, now)
}

async fn log(stream: &Stream, outlet: &Outlet, invocations: Vec<Invocation>) -> Result<(), Gone> {
    if let [first, later, ..] = invocations.as_slice()
        && stream.chance().happens(100)
    {
        let logged = outlet
            .answer(later.of, &later.function, &later.answered)
            .await;
        stream.world.check(logged == Err(LogError::Stale), || {
            format!("{} was answered before {}", later.of, first.of)
        });
    }
    for Invocation {
        of,
        function,
        answered,
        given,
    } in invocations
    {
        let pieces = 1 + stream.chance().below(3) as usize;
        let each = answered.len().div_ceil(pieces);
        let mut start = of.start();
        for (answered, given) in answered.chunks(each).zip(given.chunks(each)) {
            let piece = SeqRange::new(start, start.plus(answered.len() as u64));
            let logged = || outlet.answer(piece, &function, answered);
            if stream.until_durable(logged).await?.is_none() {
                return Ok(());
            }
            start = piece.end();
            for (record, given) in given {
                let mut oracle = stream.world.oracle();
                oracle.see(&stream.world, *record, given.clone());
            }
            // The function is asked for the next piece: a life may end here.
            stream.chance().pause(10).await;
        }
    }
    Ok(())
}
