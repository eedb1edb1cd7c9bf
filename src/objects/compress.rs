//! Records in, an object's bytes out: concatenated, without anything between them, then packed.
//!
//! GZIP is exactly one member, as Firehose writes it, for HTTP clients that decode by
//! `Content-Encoding` stop after the first. What fits in memory is packed in one go by libdeflate
//! (faster and smaller), the rest as a stream by zlib. Either gives the same bytes each time: no
//! time, no name in the header.

use std::io::Write;

use bytes::Bytes;
use flate2::write::GzEncoder;
use futures_util::StreamExt;

use crate::model::{Body, BodyError, Chunks, Compression, limits};
use crate::objects::room::Room;

/// Level 6 of both libraries: the knee of size against time (docs/performance.md).
const LEVEL: u32 = 6;

/// An object's bytes, a part at a time.
pub struct Parts {
    chunks: Chunks,
    /// Of the records in it.
    plain_bytes: usize,
    packer: Packer,
    /// Packed, and not yet asked for.
    piece: Bytes,
    room: Room,
}

enum Packer {
    /// As they are.
    Plain,
    /// All of it at once.
    Whole,
    Stream(Box<GzEncoder<Vec<u8>>>),
    Finished,
}

impl Parts {
    pub fn open(body: &Body, compression: Compression, room: Room) -> Parts {
        let packer = match compression {
            Compression::Uncompressed => Packer::Plain,
            Compression::Gzip if body.bytes() <= limits::OBJECT_WHOLE_BYTES_MAX as u64 => {
                Packer::Whole
            }
            Compression::Gzip => {
                let level = flate2::Compression::new(LEVEL);
                Packer::Stream(Box::new(GzEncoder::new(Vec::new(), level)))
            }
        };
        Parts {
            chunks: body.open(),
            plain_bytes: usize::try_from(body.bytes()).unwrap_or(usize::MAX),
            packer,
            piece: Bytes::new(),
            room,
        }
    }

    /// The next `bytes` of the object; fewer only at its end, and then nothing. Not cancel-safe.
    pub async fn next(&mut self, bytes: usize) -> Result<Bytes, BodyError> {
        let mut part = Vec::new();
        while part.len() < bytes {
            if self.piece.is_empty() {
                let Some(piece) = self.pack_more().await? else {
                    break;
                };
                self.piece = piece;
            }
            if part.is_empty() && bytes <= self.piece.len() {
                return Ok(self.piece.split_to(bytes));
            }
            if part.capacity() == 0 {
                part = self.room.spare().take(bytes.min(self.plain_bytes));
            }
            let missing = bytes - part.len();
            let taken = self.piece.split_to(missing.min(self.piece.len()));
            part.extend_from_slice(&taken);
        }
        Ok(self.room.spare().lend(part))
    }

    /// Some more of the object; `None` at its end.
    async fn pack_more(&mut self) -> Result<Option<Bytes>, BodyError> {
        match std::mem::replace(&mut self.packer, Packer::Finished) {
            Packer::Plain => {
                let Some(records) = self.chunks.next().await.transpose()? else {
                    return Ok(None);
                };
                self.packer = Packer::Plain;
                Ok(Some(records.slab().clone()))
            }
            Packer::Whole => {
                let mut plain = Vec::with_capacity(self.plain_bytes);
                while let Some(records) = self.chunks.next().await {
                    plain.extend_from_slice(records?.slab());
                }
                let bytes = plain.len();
                Ok(Some(self.room.work(bytes, move || gzip(&plain)).await))
            }
            Packer::Stream(mut encoder) => {
                let Some(records) = self.chunks.next().await.transpose()? else {
                    let last = encoder.finish().expect("writing to memory never fails");
                    return Ok(Some(last.into()));
                };
                let bytes = records.slab().len();
                let pack = move || {
                    let packed = encoder.write_all(records.slab());
                    packed.expect("writing to memory never fails");
                    let packed = std::mem::take(encoder.get_mut());
                    (encoder, packed)
                };
                let (encoder, packed) = self.room.work(bytes, pack).await;
                self.packer = Packer::Stream(encoder);
                Ok(Some(packed.into()))
            }
            Packer::Finished => Ok(None),
        }
    }
}

/// One member, in one go. Long work: `Room::work` is the place for it.
pub fn gzip(plain: &[u8]) -> Bytes {
    let level = libdeflater::CompressionLvl::new(LEVEL as i32).expect("6 is a level");
    let mut compressor = libdeflater::Compressor::new(level);
    let mut packed = vec![0; compressor.gzip_compress_bound(plain.len())];
    let bytes = compressor.gzip_compress(plain, &mut packed);
    packed.truncate(bytes.expect("the bound is room enough"));
    packed.into()
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::sync::Arc;

    use flate2::bufread::GzDecoder;

    use super::*;
    use crate::model::{Records, RecordsBuilder};
    use crate::objects::room::WORTH_A_THREAD_BYTES;

    fn records(bytes: &[u8]) -> Records {
        let mut builder = RecordsBuilder::default();
        builder.push(bytes);
        builder.build().unwrap()
    }

    /// So many bytes of something that packs well but not too well, a MiB at a time. Panics when asked
    /// again after its end.
    fn body(bytes: usize) -> (Vec<u8>, Body) {
        let mut dice = crate::outside::Dice::seeded(bytes as u64);
        let plain: Vec<u8> = (0..bytes).map(|_| b'a' + dice.below(16) as u8).collect();
        let shared = Arc::new(plain.clone());
        let open = move || {
            let pieces: Vec<_> = shared.chunks(1 << 20).map(|it| Ok(records(it))).collect();
            let next = async |mut pieces: std::vec::IntoIter<_>| Some((pieces.next()?, pieces));
            futures_util::stream::unfold(pieces.into_iter(), next).boxed()
        };
        (plain, Body::new(bytes as u64, open))
    }

    async fn parts(body: &Body, compression: Compression, bytes: usize) -> Vec<Bytes> {
        let mut parts = Parts::open(body, compression, Room::new(1 << 20, 1));
        let mut all = Vec::new();
        loop {
            let part = parts.next(bytes).await.unwrap();
            if part.is_empty() {
                return all;
            }
            all.push(part);
        }
    }

    async fn check_gzip(bytes: usize) {
        let (plain, body) = body(bytes);
        let packed = parts(&body, Compression::Gzip, 100_000).await;
        let (last, full) = packed.split_last().unwrap();
        assert!(full.iter().all(|part| part.len() == 100_000));
        assert!(last.len() <= 100_000);
        let packed = packed.concat();
        let mut unpacked = Vec::new();
        let mut member = GzDecoder::new(packed.as_slice());
        member.read_to_end(&mut unpacked).unwrap();
        assert!(plain == unpacked, "{bytes} bytes came back changed");
        assert_eq!(
            member.into_inner(),
            b"",
            "one member, and nothing behind it"
        );
        assert_eq!(packed[4..8], [0; 4], "no time in the header");
        let again = parts(&body, Compression::Gzip, 7_777_777).await.concat();
        assert!(packed == again, "a repeat gives the same bytes");
    }

    #[tokio::test]
    async fn gzip_is_one_member_whole_or_streamed() {
        for bytes in [0, 1, WORTH_A_THREAD_BYTES, 1 << 20] {
            check_gzip(bytes).await;
        }
        check_gzip(limits::OBJECT_WHOLE_BYTES_MAX).await;
        check_gzip(limits::OBJECT_WHOLE_BYTES_MAX + 1).await;
        check_gzip(12_000_000).await;
    }

    #[tokio::test]
    async fn uncompressed_is_what_was_put() {
        let (plain, body) = body(3_000_000);
        let parts = parts(&body, Compression::Uncompressed, 1_000_000).await;
        assert_eq!(parts.len(), 3);
        assert!(plain == parts.concat());
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_an_error_and_not_a_short_object() {
        let cause = BodyError(Arc::new(std::io::Error::other("gone")));
        for compression in [Compression::Uncompressed, Compression::Gzip] {
            for announced in [2, 100_000_000] {
                let cause = cause.clone();
                let open = move || {
                    let pieces = [Ok(records(b"a")), Err(cause.clone())];
                    futures_util::stream::iter(pieces).boxed()
                };
                let body = Body::new(announced, open);
                let mut parts = Parts::open(&body, compression, Room::new(1 << 20, 1));
                assert!(parts.next(1_000_000).await.is_err());
            }
        }
    }
}
