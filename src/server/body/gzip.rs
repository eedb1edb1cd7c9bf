//! Bodies that were packed for the way, as log shippers do with one switch.
//!
//! A few bytes can unpack to gigabytes, so each step is counted like bytes that arrive. To be done
//! once it is known who sent them.

use std::io::Read;

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;

use super::{Budget, Payload, ReadError};
use crate::model::limits;

/// Between two steps others have their turn.
const STEP_BYTES: u64 = 256 * 1024;
/// Logs are packed to a fifth and less.
const UNPACKED_TIMES: usize = 5;

impl Payload {
    /// What was packed. The hash is still that of the bytes that were sent.
    pub async fn unpacked(self, budget: &Budget) -> Result<Payload, ReadError> {
        let mut decoder = MultiGzDecoder::new(&self.bytes[..]);
        let likely = self.bytes.len().saturating_mul(UNPACKED_TIMES);
        let likely = likely.min(limits::REQUEST_BODY_BYTES_MAX);
        let mut whole = budget.spare.take(likely);
        let mut taken = budget.take(0).ok_or(ReadError::Busy)?;
        loop {
            let mut step = decoder.by_ref().take(STEP_BYTES);
            let bytes = step.read_to_end(&mut whole).map_err(ReadError::NotGzip)?;
            if bytes == 0 {
                break;
            }
            if limits::REQUEST_BODY_BYTES_MAX < whole.len() {
                return Err(ReadError::TooLarge);
            }
            taken.add(budget.take(bytes).ok_or(ReadError::Busy)?);
            tokio::task::yield_now().await;
        }
        let bytes: Bytes = budget.spare.lend(whole);
        Ok(Payload {
            bytes,
            sha256: self.sha256,
            taken,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use expect_test::{Expect, expect};
    use flate2::write::GzEncoder;

    use super::*;
    use crate::outside::stop;
    use crate::server::body::{Hashing, read};

    fn packed(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    async fn unpacked(sent: &[u8], budget: &Budget) -> Result<Payload, ReadError> {
        let (_stopper, stop) = stop::channel();
        let mut body = crate::server::incoming(sent.to_vec());
        let payload = read(&mut body, budget, Hashing::Unneeded, &stop).await?;
        payload.unpacked(budget).await
    }

    async fn check(sent: &[u8], budget: &Budget, expected: &Expect) {
        let before = budget.left();
        expected.assert_eq(&match unpacked(sent, budget).await {
            Ok(payload) if payload.len() < 20 => payload.escape_ascii().to_string(),
            Ok(payload) => format!("{} bytes", payload.len()),
            Err(error) => error.to_string(),
        });
        assert_eq!(budget.left(), before, "all is given back");
    }

    #[tokio::test]
    async fn what_was_packed_comes_out_whole_or_not_at_all() {
        let budget = Budget::default();
        check(&packed(b"a\nb\n"), &budget, &expect![[r"a\nb\n"]]).await;
        check(&packed(b""), &budget, &expect![""]).await;
        // Files of members that were appended to each other are gzip too.
        let members = [packed(b"a\n"), packed(b"b\n")].concat();
        check(&members, &budget, &expect![[r"a\nb\n"]]).await;
        let whole = packed(b"a\nb\n");
        let no_gzip = expect!["the body is not gzip"];
        check(&whole[..whole.len() - 1], &budget, &no_gzip).await;
        check(&[&whole[..], b"x"].concat(), &budget, &no_gzip).await;
        check(b"a\nb\n", &budget, &no_gzip).await;
        check(b"", &budget, &no_gzip).await;
    }

    #[tokio::test]
    async fn it_may_be_as_large_as_a_body_and_no_larger() {
        let most = limits::REQUEST_BODY_BYTES_MAX;
        let budget = Budget::default();
        let largest = packed(&vec![b'x'; most]);
        check(&largest, &budget, &expect!["12582912 bytes"]).await;
        let too_large = expect!["the body is larger than 12582912 bytes"];
        check(&packed(&vec![b'x'; most + 1]), &budget, &too_large).await;
        // A gigabyte is not unpacked to find that out.
        let bomb = largest.repeat(80);
        check(&bomb, &budget, &too_large).await;
    }

    #[tokio::test]
    async fn what_comes_out_is_counted_beside_what_was_sent() {
        let plain = vec![b'x'; 1000];
        let sent = packed(&plain);
        let budget = Budget::new(sent.len() + plain.len());
        check(&sent, &budget, &expect!["1000 bytes"]).await;
        let budget = Budget::new(sent.len() + plain.len() - 1);
        check(&sent, &budget, &expect!["too many requests are being read"]).await;
    }
}
