//! A real file system under a temporary folder, and what an earlier life may have left there.

use std::fs;

use futures_util::StreamExt;
use tempfile::TempDir;

use super::*;
use crate::model::{Body, BodyError, Compression, RecordsBuilder};
use crate::outside::disk::RealDisk;

fn directory(path: &Path) -> Directory {
    let settings = Settings {
        path: path.to_owned(),
    };
    Directory::new(
        settings,
        Arc::new(RealDisk::new(path)),
        Room::new(64 << 20, 1),
    )
}

fn object(key: &str, record: &str) -> Object {
    let mut records = RecordsBuilder::default();
    records.push(record.as_bytes());
    let records = records.build().unwrap();
    let open = move || futures_util::stream::iter([Ok(records.clone())]).boxed();
    Object {
        key: key.to_owned(),
        body: Body::new(record.len() as u64, open),
        compression: Compression::Uncompressed,
        metadata: Vec::new(),
    }
}

/// All files below `root`, with their content.
fn files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(root).unwrap().display().to_string();
            found.push(format!("{name}={}", fs::read_to_string(&path).unwrap()));
        }
    }
    found.sort();
    found
}

/// The answer's code, and what is below the root then.
async fn check(root: &TempDir, object: &Object, code: &str, expected: &[&str]) {
    let answer = directory(root.path()).put(object).await;
    let seen = match answer {
        Ok(_) => "ok".to_owned(),
        Err(refusal) => {
            assert!(refusal.needs_operator || refusal.code == "Buffer.Unreadable");
            refusal.code
        }
    };
    assert_eq!(
        (seen.as_str(), files(root.path())),
        (code, expected.iter().map(|it| (*it).to_owned()).collect())
    );
}

#[tokio::test]
async fn folders_that_somebody_removed_are_made_again() {
    // From review: they were remembered as made, for good.
    let root = TempDir::new().unwrap();
    let directory = directory(root.path());
    directory.put(&object("a/b/c", "one")).await.unwrap();
    fs::remove_dir_all(root.path().join("a")).unwrap();
    directory.put(&object("a/b/c", "two")).await.unwrap_err();
    directory.put(&object("a/b/c", "two")).await.unwrap();
    assert_eq!(files(root.path()), ["a/b/c=two"]);
}

#[tokio::test]
async fn an_object_appears_whole_under_its_key_and_a_repeat_replaces_it() {
    let root = TempDir::new().unwrap();
    check(&root, &object("a/b/c", "one"), "ok", &["a/b/c=one"]).await;
    check(&root, &object("a/b/c", "two"), "ok", &["a/b/c=two"]).await;
    check(
        &root,
        &object("d", "three"),
        "ok",
        &["a/b/c=two", "d=three"],
    )
    .await;
}

#[tokio::test]
async fn the_directory_itself_is_made_but_not_its_parent() {
    let root = TempDir::new().unwrap();
    let made = directory(&root.path().join("out"));
    made.put(&object("a", "one")).await.unwrap();
    assert_eq!(files(root.path()), ["out/a=one"]);
    let orphan = directory(&root.path().join("no/out"));
    let refusal = orphan.put(&object("a", "one")).await.unwrap_err();
    assert_eq!(refusal.code, "Directory.Missing");
}

#[tokio::test]
async fn keys_that_would_escape_are_refused_and_empty_segments_fall_away() {
    let root = TempDir::new().unwrap();
    for key in ["../a", "a/../../b", "a/./b", "", "/", "a\0b"] {
        check(&root, &object(key, "x"), "Directory.Key", &[]).await;
    }
    check(&root, &object("/a//b", "x"), "ok", &["a/b=x"]).await;
}

#[tokio::test]
async fn what_stands_in_the_way_is_left_alone() {
    let root = TempDir::new().unwrap();
    fs::write(root.path().join("a"), "mine").unwrap();
    check(&root, &object("a/b", "x"), "Directory.Taken", &["a=mine"]).await;
    fs::create_dir(root.path().join("f")).unwrap();
    check(&root, &object("f", "x"), "Directory.Taken", &["a=mine"]).await;
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_nothing_and_an_older_object_as_it_was() {
    let root = TempDir::new().unwrap();
    check(&root, &object("a", "one"), "ok", &["a=one"]).await;
    let cause = BodyError(Arc::new(io::Error::other("gone")));
    let open = move || futures_util::stream::iter([Err(cause.clone())]).boxed();
    let broken = Object {
        body: Body::new(3, open),
        ..object("a", "")
    };
    check(&root, &broken, "Buffer.Unreadable", &["a=one"]).await;
}

#[tokio::test]
async fn leftovers_of_an_earlier_life_are_removed_and_nothing_else() {
    let root = TempDir::new().unwrap();
    let place = Place::of("a/b").unwrap();
    fs::create_dir(root.path().join("a")).unwrap();
    fs::write(root.path().join(&place.partial), "half").unwrap();
    let others = Place::of("a/c").unwrap();
    fs::write(root.path().join(&others.partial), "somebody else's").unwrap();
    let store = directory(root.path());
    let keys = ["a/b", "never/started"].map(str::to_owned);
    store.clean(&keys).await.unwrap();
    let left = format!("{}=somebody else's", others.partial.display());
    assert_eq!(files(root.path()), [left.as_str()]);
    // A leftover that was not cleaned is in nobody's way either.
    check(&root, &object("a/c", "whole"), "ok", &["a/c=whole"]).await;
}

#[tokio::test]
async fn an_object_larger_than_a_piece_is_whole() {
    let root = TempDir::new().unwrap();
    let pieces: Vec<_> = (0..30).map(|n| format!("{n:010}").repeat(10_000)).collect();
    let whole = pieces.concat();
    let open = move || {
        let records = pieces.clone().into_iter().map(|piece| {
            let mut builder = RecordsBuilder::default();
            builder.push(piece.as_bytes());
            Ok(builder.build().unwrap())
        });
        futures_util::stream::iter(records).boxed()
    };
    let large = Object {
        body: Body::new(3_000_000, open),
        ..object("large", "")
    };
    let stored = directory(root.path()).put(&large).await.unwrap();
    assert_eq!(stored.bytes, 3_000_000);
    let read = fs::read_to_string(root.path().join("large")).unwrap();
    assert!(read == whole);
}
