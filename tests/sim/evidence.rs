//! What a run left behind, gathered for the oracle: from buckets and from directories.

use std::collections::BTreeMap;
use std::io::Read;

use bytes::Bytes;

use crate::disk::SimDisk;
use crate::oracle::{Failing, Found, Kind};
use crate::settings;
use crate::world::{Buckets, Deed, Effect, Object, Place};

/// Every object that was ever stored in a bucket, in order.
pub fn stored(buckets: &Buckets) -> Vec<Found> {
    let stored = buckets
        .effects()
        .iter()
        .filter_map(|effect| match &effect.deed {
            Deed::Stored(object) => Some(found(effect, object)),
            Deed::UploadBegun | Deed::UploadAborted { .. } => None,
        });
    stored.collect()
}

/// What is in the buckets now.
pub fn in_buckets(buckets: &Buckets) -> Vec<Found> {
    let mut last: BTreeMap<&Place, &Effect> = BTreeMap::new();
    for effect in buckets.effects() {
        if let Deed::Stored(_) = effect.deed {
            last.insert(&effect.place, effect);
        }
    }
    let objects = buckets.objects().iter();
    objects
        .map(|(place, object)| found(last[place], object))
        .collect()
}

fn found(effect: &Effect, object: &Object) -> Found {
    let (bucket, key) = &effect.place;
    Found {
        machine: effect.machine.to_owned(),
        place: format!("s3://{bucket}/{key}"),
        kind: kind(key),
        at: Some(effect.at),
        content: unpacked(key, &object.content),
        packed: object.content.clone(),
    }
}

/// What is in a machine's directory sink, but for files that readers skip.
pub fn in_directory(machine: &str, disk: &SimDisk) -> Vec<Found> {
    let files = disk.paths().into_iter().filter_map(|path| {
        let key = path
            .strip_prefix(settings::OUT)?
            .strip_prefix('/')?
            .to_owned();
        let content: Bytes = disk.peek(&path)?.into();
        (!is_unfinished(&key)).then(|| Found {
            machine: machine.to_owned(),
            place: format!("{machine}:{key}"),
            kind: kind(&key),
            at: None,
            content: unpacked(&key, &content),
            packed: content,
        })
    });
    files.collect()
}

/// By the name of its folder.
pub fn kind(key: &str) -> Kind {
    let failing = [
        ("processing-failed/", Failing::Processing),
        ("http-endpoint-failed/", Failing::HttpEndpoint),
        ("splunk-failed/", Failing::Splunk),
    ];
    let failing = failing.into_iter().find(|it| key.contains(it.0));
    match failing {
        Some((_, failing)) => Kind::Failed(failing),
        None if key.starts_with(settings::BACKUP) => Kind::Backup,
        None => Kind::Records,
    }
}

/// Temporary files that nobody removed.
pub fn leftovers(disk: &SimDisk) -> Vec<String> {
    let paths = disk.paths().into_iter();
    paths
        .filter(|path| path.starts_with(settings::OUT) && is_unfinished(path))
        .collect()
}

fn is_unfinished(key: &str) -> bool {
    key.rsplit('/')
        .next()
        .is_some_and(|name| name.starts_with('.'))
}

fn unpacked(key: &str, content: &[u8]) -> Vec<u8> {
    if !key.ends_with(".gz") {
        return content.to_vec();
    }
    let mut plain = Vec::new();
    let mut member = flate2::bufread::GzDecoder::new(content);
    member
        .read_to_end(&mut plain)
        .expect("an object is a whole gzip member");
    assert!(member.into_inner().is_empty(), "{key}: one member");
    plain
}
