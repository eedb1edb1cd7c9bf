//! Two ways to a sink: answers in requests of bounded size, each with its verdict, and arrivals whole.

use std::collections::BTreeMap;

use standpipe::buffer::{Cut, LogError, Outlet, Shape, Verdict, Verdicts};
use standpipe::model::{Failure, Seq, SeqRange, Timestamp, limits};

use super::oracle::{Given, Place, Reader, check_undelivered};
use super::stream::{Gone, Read, Stream, record, words};

/// Delivers a transformer's answers in parts, until it is told to stop.
pub async fn in_parts(stream: Stream, outlet: Outlet) {
    for cut in stream.open_cuts(Reader::Answers, &outlet) {
        if deliver_parts(&stream, &outlet, &cut).await.is_err() {
            return;
        }
    }
    while stream.goes_on() {
        stream.chance().pause([100, 60, 30][stream.number]).await;
        let shape = Shape::InParts(Verdicts::default());
        let cut = match stream.cut(Reader::Answers, &outlet, &shape).await {
            Ok(Some(cut)) => cut,
            Ok(None) => continue,
            Err(Gone) => return,
        };
        if deliver_parts(&stream, &outlet, &cut).await.is_err() {
            return;
        }
    }
}

async fn deliver_parts(stream: &Stream, outlet: &Outlet, cut: &Cut) -> Result<(), Gone> {
    let read = stream.read(outlet, &cut.ranges).await?;
    see(stream, &read);
    let verdicts = judge_all(stream, outlet, cut).await?;
    let mut failed = 0;
    for read in &read {
        let given = given(read);
        let (record, place) = match (&given.1, &verdicts[&read.seq]) {
            (Given::Failed(code), _) => (given.0, Place::FailedOutput(code.clone())),
            (_, Verdict::Failed(failure)) => (given.0, Place::FailedOutput(failure.code.clone())),
            (given_, Verdict::Delivered) => (given.0, Place::Sink(Some(given_.clone()))),
            (given_, Verdict::AtRest { .. }) => {
                let code = stream.world.oracle().verdict(cut.id.0, read.seq);
                match code.as_deref() {
                    Some("delivered") | None => (given.0, Place::Sink(Some(given_.clone()))),
                    Some(code) => (given.0, Place::FailedOutput(code.to_owned())),
                }
            }
        };
        failed += u64::from(matches!(place, Place::FailedOutput(_)));
        stream
            .world
            .oracle()
            .rest(&stream.world, record, cut.id.0, place);
    }
    stream.settle(outlet, cut, failed).await
}

/// Which answer this is, and to what.
fn given(read: &Read) -> ((usize, u64), Given) {
    match &read.failed {
        Some((code, data)) => (record(data), Given::Failed(code.clone())),
        None => (record(&read.text), Given::Ok(words(&read.text)[2])),
    }
}

fn see(stream: &Stream, read: &[Read]) {
    for read in read {
        let (record, given) = given(read);
        let empty = read.failed.is_none() || read.text.is_empty();
        stream
            .world
            .check(empty, || format!("{record:?} failed and has bytes"));
        let mut oracle = stream.world.oracle();
        oracle.see(&stream.world, record, given);
        oracle.check_arrival(&stream.world, record, read.arrival);
    }
}

/// Requests one after the other until each record has a verdict. The answer is what the log says then.
async fn judge_all(
    stream: &Stream,
    outlet: &Outlet,
    cut: &Cut,
) -> Result<BTreeMap<Seq, Verdict>, Gone> {
    let largest = [1, 2, 40, 1000][(cut.id.0 % 4) as usize];
    loop {
        let open = outlet.open_cuts();
        let open = open.iter().find(|open| open.id == cut.id);
        let Some(Shape::InParts(verdicts)) = open.map(|open| &open.shape) else {
            panic!("seed {}: {cut:?} is not open", stream.chance().seed);
        };
        stream
            .world
            .oracle()
            .check_verdicts(&stream.world, cut.id.0, verdicts);
        let ranges = cut.ranges.iter();
        let left: Vec<SeqRange> = ranges.flat_map(|range| verdicts.left(*range)).collect();
        let Some(first) = left.first().copied() else {
            return Ok(by_record(verdicts));
        };
        let is_full = limits::VERDICTS_PER_CUT_MAX <= verdicts.iter().len();
        if is_full {
            let one = SeqRange::new(first.start(), first.start().plus(1));
            let odd = Verdict::Failed(failure("Odd", String::new()));
            let refused = outlet.verdict(cut.id, one, odd).await;
            stream.world.check(refused == Err(LogError::Stale), || {
                format!("one verdict too many: {refused:?}")
            });
        }
        if verdicts.are_full() || stream.chance().happens(5) {
            file(stream, outlet, cut, verdicts).await?;
            continue;
        }
        if stream.chance().happens(10) && verdicts.may_be_divided(2) {
            divide(stream, outlet, cut, first).await?;
            continue;
        }
        let next = cut.ranges.iter().find_map(|range| verdicts.next(*range));
        let next = next.expect("something is left");
        let count = next.count().min(1 + stream.chance().below(largest));
        let part = SeqRange::new(next.start(), next.start().plus(count));
        judge(stream, outlet, cut, part).await?;
    }
}

/// What has a verdict comes to rest, and may be told twice.
async fn file(
    stream: &Stream,
    outlet: &Outlet,
    cut: &Cut,
    verdicts: &Verdicts,
) -> Result<(), Gone> {
    let Some(judged) = verdicts.unfiled(&cut.ranges) else {
        return Ok(());
    };
    let failed = verdicts.iter().map(|(range, verdict)| match verdict {
        Verdict::Delivered | Verdict::AtRest { .. } => 0,
        Verdict::Failed(_) => range.count(),
    });
    let at_rest = Verdict::AtRest {
        failed: failed.sum(),
    };
    for _ in 0..1 + stream.chance().below(2) {
        let given = || outlet.verdict(cut.id, judged, at_rest.clone());
        stream.until_durable(given).await?;
    }
    Ok(())
}

async fn divide(stream: &Stream, outlet: &Outlet, cut: &Cut, part: SeqRange) -> Result<(), Gone> {
    let border = part.start().plus(1 + stream.chance().below(part.count()));
    let given = || outlet.divide(cut.id, part, vec![border]);
    stream.until_durable(given).await?;
    stream.world.oracle().divide(cut.id.0, border);
    Ok(())
}

async fn judge(stream: &Stream, outlet: &Outlet, cut: &Cut, part: SeqRange) -> Result<(), Gone> {
    let verdict = verdict(stream);
    let given = || outlet.verdict(cut.id, part, verdict.clone());
    stream.until_durable(given).await?;
    stream.world.oracle().judge(cut.id.0, part, &verdict);
    if stream.chance().happens(50) {
        // A lost answer is asked for again, and says something else.
        let other = self::verdict(stream);
        let given = || outlet.verdict(cut.id, part, other.clone());
        stream.until_durable(given).await?;
    }
    Ok(())
}

fn verdict(stream: &Stream) -> Verdict {
    match stream.chance().below(4) {
        0 => {
            let message = "no ".repeat(stream.chance().below(60) as usize);
            Verdict::Failed(failure("A", message))
        }
        1 => Verdict::Failed(failure("B", String::new())),
        _ => Verdict::Delivered,
    }
}

fn failure(code: &str, message: String) -> Failure {
    Failure::new(code, message, 2, Timestamp::from_millis(5))
}

fn by_record(verdicts: &Verdicts) -> BTreeMap<Seq, Verdict> {
    let each = verdicts.iter().flat_map(|(range, verdict)| {
        let seqs = range.start().get()..range.end().get();
        seqs.map(|seq| (Seq::new(seq), verdict.clone()))
    });
    each.collect()
}

/// Delivers what arrived as it is, until it is told to stop.
pub async fn directly(stream: Stream, outlet: Outlet) {
    for cut in stream.open_cuts(Reader::Arrivals, &outlet) {
        if deliver_whole(&stream, &outlet, &cut).await.is_err() {
            return;
        }
    }
    while stream.goes_on() {
        stream.chance().pause([100, 60, 30][stream.number]).await;
        let cut = match stream.cut(Reader::Arrivals, &outlet, &Shape::Whole).await {
            Ok(Some(cut)) => cut,
            Ok(None) => continue,
            Err(Gone) => return,
        };
        if deliver_whole(&stream, &outlet, &cut).await.is_err() {
            return;
        }
    }
}

pub async fn deliver_whole(stream: &Stream, outlet: &Outlet, cut: &Cut) -> Result<(), Gone> {
    let read = stream.read(outlet, &cut.ranges).await?;
    check_undelivered(&stream.world, cut, &read);
    for read in &read {
        let mut oracle = stream.world.oracle();
        oracle.rest(
            &stream.world,
            record(&read.text),
            cut.id.0,
            Place::Sink(None),
        );
    }
    stream.settle(outlet, cut, 0).await
}
