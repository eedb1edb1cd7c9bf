//! What looks like chance and is a function of its input, so that a repeat, even after a crash, draws
//! the same (D3, D5).

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// 32 bytes of these pieces, one behind the other. The first one names the purpose; the caller sees to
/// it that no two inputs give the same bytes.
pub fn seed(pieces: &[&[u8]]) -> [u8; 32] {
    let mut digest = Sha256::new();
    pieces.iter().for_each(|piece| digest.update(piece));
    digest.finalize().into()
}

/// The first half of it.
pub fn bytes(pieces: &[&[u8]]) -> [u8; 16] {
    *seed(pieces).first_chunk().expect("SHA-256 gives 32 bytes")
}

pub fn uuid(pieces: &[&[u8]]) -> Uuid {
    uuid::Builder::from_random_bytes(bytes(pieces)).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_input_draws_the_same() {
        let drawn = uuid(&[b"ab", b"c"]);
        assert_eq!(drawn, uuid(&[b"abc"]));
        assert_ne!(drawn, uuid(&[b"abd"]));
        // Of SHA-256's test vector, with a version and a variant.
        assert_eq!(drawn.to_string(), "ba7816bf-8f01-4fea-8141-40de5dae2223");
    }
}
