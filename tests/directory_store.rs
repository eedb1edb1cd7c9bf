//! Objects in a directory, on a disk that loses its power during any one operation: each is there
//! whole or not at all, and what was said to be there is there.

#[path = "sim/disk/mod.rs"]
mod disk;

use disk::SimDisk;
use futures_util::StreamExt;
use standpipe::model::{Body, Compression, RecordsBuilder};
use standpipe::objects::store::directory::{Directory, Settings};
use standpipe::objects::{Object, Room, Store};
use standpipe::outside::Dice;

/// In the root, in a folder that is there, and in folders that are not.
const KEYS: [&str; 4] = [
    "clicks",
    "old/clicks",
    "2026/03/14/clicks",
    "2026/03/15/clicks",
];
/// What four puts take, and more.
const OPERATIONS: u64 = 60;
/// What remains of what was not synced depends on the seed.
const SEEDS: u64 = 20;

fn store(disk: &SimDisk) -> Directory {
    let settings = Settings { path: "out".into() };
    Directory::new(settings, disk.door(), Room::new(64 << 20, 1))
}

fn object(key: &str, content: &str) -> Object {
    let mut records = RecordsBuilder::default();
    records.push(content.as_bytes());
    let records = records.build().unwrap();
    let open = move || futures_util::stream::iter([Ok(records.clone())]).boxed();
    Object {
        key: key.to_owned(),
        body: Body::new(content.len() as u64, open),
        compression: Compression::Uncompressed,
        metadata: Vec::new(),
    }
}

/// Several sectors, so that it can be torn.
fn content(of: &str) -> String {
    format!("{of} ").repeat(500)
}

/// One life that ends in a power cut, what is left of it, and the life after it.
async fn run(seed: u64, fuse: u64) {
    let disk = SimDisk::new(Dice::seeded(seed));
    let (old, new) = (content("old"), content("new"));
    store(&disk).put(&object(KEYS[1], &old)).await.unwrap();
    disk.light_fuse(fuse);
    let life = store(&disk);
    let mut said = Vec::new();
    for key in KEYS {
        if life.put(&object(key, &new)).await.is_ok() {
            said.push(key);
        }
    }
    assert!(fuse < OPERATIONS || disk.power_is_gone() || said.len() == KEYS.len());
    disk.power_cut();
    for key in KEYS {
        let found = disk.peek(key);
        let is_whole = found.as_deref().is_none_or(|found| found == new.as_bytes());
        let is_old = key == KEYS[1] && found.as_deref() == Some(old.as_bytes());
        assert!(
            is_whole || is_old,
            "seed {seed}, fuse {fuse}: {key} is torn"
        );
        let is_new = found.as_deref() == Some(new.as_bytes());
        let kept = is_new || !said.contains(&key);
        assert!(kept, "seed {seed}, fuse {fuse}: {key} is lost");
    }
    assert!(disk.peek(KEYS[1]).is_some(), "seed {seed}, fuse {fuse}");

    let life = store(&disk);
    life.clean(&KEYS.map(str::to_owned)).await.unwrap();
    for key in KEYS {
        life.put(&object(key, &new)).await.unwrap();
    }
    let files = disk.paths().into_iter();
    let mut files: Vec<_> = files.filter(|path| disk.peek(path).is_some()).collect();
    files.sort();
    let mut expected = KEYS;
    expected.sort_unstable();
    assert_eq!(files, expected, "seed {seed}, fuse {fuse}: a leftover");
}

#[tokio::test]
async fn d1_an_object_is_whole_or_absent_wherever_the_power_goes() {
    for fuse in 1..=OPERATIONS {
        for seed in 0..SEEDS {
            run(seed, fuse).await;
        }
    }
}
