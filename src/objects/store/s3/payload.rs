//! What is said about a body before it is sent: how long it is, its checksum, and what is signed.

use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};

use aws_runtime::auth::PayloadSigningOverride;
use aws_sdk_s3::config::Intercept;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use http_body::{Frame, SizeHint};
use sha2::{Digest, Sha256};

use crate::model::{Body, BodyError};

/// Who vouches for the body on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// The request's signature covers the body's hash.
    Body,
    /// TLS does: hashing 128 MiB would cost more than all the rest of an upload.
    Tls,
}

pub struct Payload {
    bytes: u64,
    crc32c: crc_fast::Digest,
    sha256: Option<Sha256>,
}

impl Payload {
    pub fn new(signing: Signing) -> Payload {
        Payload {
            bytes: 0,
            crc32c: crc_fast::Digest::new(CrcAlgorithm::Crc32Iscsi),
            sha256: match signing {
                Signing::Body => Some(Sha256::new()),
                Signing::Tls => None,
            },
        }
    }

    pub fn of(signing: Signing, whole: &[u8]) -> Payload {
        let mut payload = Payload::new(signing);
        payload.add(whole);
        payload
    }

    pub fn add(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        self.crc32c.update(piece);
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(piece);
        }
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// As S3 writes it: big-endian, base64.
    pub fn crc32c(&self) -> String {
        let sum = u32::try_from(self.crc32c.finalize()).expect("a CRC32C has 32 bits");
        STANDARD.encode(sum.to_be_bytes())
    }

    pub fn signed(self) -> Signed {
        Signed(match self.sha256 {
            None => PayloadSigningOverride::UnsignedPayload,
            Some(sha256) => {
                let hash = sha256.finalize();
                let hex = hash.iter().map(|byte| format!("{byte:02x}")).collect();
                PayloadSigningOverride::Precomputed(hex)
            }
        })
    }
}

/// Tells the signer what we know: by itself it would hash only what is in memory.
#[derive(Debug)]
pub struct Signed(PayloadSigningOverride);

impl Intercept for Signed {
    fn name(&self) -> &'static str {
        "standpipe payload"
    }

    fn modify_before_signing(
        &self,
        _: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(self.0.clone());
        Ok(())
    }
}

type Slabs = BoxStream<'static, Result<Bytes, BodyError>>;

/// The records from the log. What breaks them off is also put into `broken`.
pub fn slabs(body: &Body, broken: Arc<OnceLock<BodyError>>) -> Slabs {
    let slabs = body.open().map(move |records| match records {
        Ok(records) => Ok(records.slab().clone()),
        Err(cause) => {
            let _ = broken.set(cause.clone());
            Err(cause)
        }
    });
    slabs.boxed()
}

/// A body of so many bytes, on its way.
pub fn stream(slabs: Slabs, bytes: u64) -> ByteStream {
    let body = Streamed {
        left: bytes,
        // HTTP asks once more after the end, for trailers.
        slabs: Mutex::new(slabs.fuse().boxed()),
    };
    ByteStream::new(SdkBody::from_body_1_x(body))
}

struct Streamed {
    left: u64,
    /// Never locked: the SDK asks for `Sync`, which a stream behind `&mut` does not need.
    slabs: Mutex<Slabs>,
}

impl http_body::Body for Streamed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let slabs = self.slabs.get_mut();
        let slabs = slabs.unwrap_or_else(PoisonError::into_inner);
        let polled = slabs.poll_next_unpin(context);
        if let Poll::Ready(Some(Ok(slab))) = &polled {
            self.left = self.left.saturating_sub(slab.len() as u64);
        }
        polled.map_ok(Frame::data)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
