//! The source record backup: each record as it arrived, at its own pace.

use standpipe::buffer::{Cut, Outlet, Shape};
use tokio::time::Instant;

use super::lives::End;
use super::oracle::Reader;
use super::stream::{Gone, Stream, record};

/// Copies until it is told to stop.
pub async fn copy(stream: Stream, outlet: Outlet) {
    for cut in stream.open_cuts(Reader::Backup, &outlet) {
        if store(&stream, &outlet, &cut).await.is_err() {
            return;
        }
    }
    while Instant::now() < stream.until {
        if stream.end == End::Healed && outlet.waiting().records == 0 && !stream.goes_on() {
            return;
        }
        stream.chance().pause([400, 200, 100][stream.number]).await;
        match stream.cut(Reader::Backup, &outlet, &Shape::Whole).await {
            Ok(Some(cut)) => {
                if store(&stream, &outlet, &cut).await.is_err() {
                    return;
                }
            }
            Ok(None) => {}
            Err(Gone) => return,
        }
    }
}

async fn store(stream: &Stream, outlet: &Outlet, cut: &Cut) -> Result<(), Gone> {
    let read = stream.read(outlet, &cut.ranges).await?;
    for read in &read {
        let mut oracle = stream.world.oracle();
        oracle.copy(&stream.world, record(&read.text), cut.id.0);
    }
    stream.settle(outlet, cut, 0).await
}
