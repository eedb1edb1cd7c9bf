//! The stages of the hot path, one by one: `cargo bench --bench stages`.

#[path = "paths/body.rs"]
mod body;
#[path = "paths/cpu.rs"]
mod cpu;
#[path = "paths/stage.rs"]
mod stage;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use libdeflater::{CompressionLvl, Compressor};
use stage::{Receiver, Recycled};

/// Puts as they come in; throughput is in bytes of records.
fn puts(criterion: &mut Criterion) {
    let batches = [100, 1024, 10 * 1024].map(body::batch);
    for put in batches.into_iter().chain([body::single(1024)]) {
        let mut slab = Vec::new();
        stage::decode(&put.json, &mut slab);
        let size = put.bytes / put.records;
        let name = format!("{} of {} × {size} B", put.operation, put.records);
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(put.bytes));
        group.bench_function("sha-256", |it| {
            it.iter(|| stage::sha256(black_box(&put.json)))
        });
        let mut decoded = Vec::new();
        group.bench_function("decode", |it| {
            it.iter(|| stage::decode(&put.json, &mut decoded))
        });
        group.bench_function("crc32c", |it| it.iter(|| stage::crc32c(black_box(&slab))));
        let mut receiver = Receiver::start(&put.answer);
        group.bench_function("send, receive and answer", |it| {
            it.iter(|| receiver.receive(&put.json))
        });
        receiver.stop();
        group.finish();
    }
}

fn commits(criterion: &mut Criterion) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("there is room");
    let mut recycled = Recycled::new(folder.path(), 64 * 1024 * 1024);
    let mut group = criterion.benchmark_group("write and sync");
    for bytes in [4 * 1024, 64 * 1024, 1024 * 1024, 8 * 1024 * 1024] {
        let frames = vec![7; bytes];
        group.throughput(Throughput::Bytes(bytes as u64));
        let name = format!("{} KiB", bytes / 1024);
        group.bench_function(name, |it| it.iter(|| recycled.write_and_sync(&frames)));
    }
    group.finish();
}

fn packing(criterion: &mut Criterion) {
    let lines: String = (0..40_000)
        .map(|n| {
            let id = fastrand::u64(..);
            format!(
                "{{\"n\":{n},\"path\":\"/cart/{}\",\"id\":\"{id:x}\"}}\n",
                n % 97
            )
        })
        .collect();
    let mut group = criterion.benchmark_group("gzip");
    group.throughput(Throughput::Bytes(lines.len() as u64));
    for level in [1, 6] {
        let level_known = CompressionLvl::new(level).expect("libdeflate knows levels 1 to 12");
        let mut compressor = Compressor::new(level_known);
        let mut packed = vec![0; compressor.gzip_compress_bound(lines.len())];
        group.bench_function(format!("level {level}"), |it| {
            it.iter(|| compressor.gzip_compress(lines.as_bytes(), &mut packed))
        });
    }
    group.finish();
}

criterion_group!(stages, puts, commits, packing);
criterion_main!(stages);
