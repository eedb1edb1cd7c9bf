//! What looks like chance in a key, and is a function of the batch (D3): a repeat, even after a
//! crash, draws the same, and two daemons never do.

use uuid::Uuid;

use super::KeyFacts;
use crate::model::{ErrorOutput, drawn};

/// Firehose's random strings: eleven of `[A-Za-z0-9]`.
const RANDOM_STRING_CHARACTERS: usize = 11;
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Each `random_string` differs from the one before.
pub struct Draws {
    seed: [u8; 32],
    random_strings: u32,
}

impl Draws {
    /// Lengths before texts keep two batches from ever giving the same input. `version` and
    /// `compression` are left out: they stand in the name as they are.
    pub fn of(facts: &KeyFacts<'_>) -> Draws {
        let (stream, reader) = (facts.stream.as_str(), facts.reader.as_str());
        let length = |text: &str| (text.len() as u64).to_be_bytes();
        let seed = drawn::seed(&[
            b"standpipe object 1",
            &facts.directory.0.to_be_bytes(),
            &length(stream),
            stream.as_bytes(),
            &length(reader),
            reader.as_bytes(),
            &facts.range.start().get().to_be_bytes(),
            &facts.range.end().get().to_be_bytes(),
            &facts.first_arrival.as_millis().to_be_bytes(),
        ]);
        Draws {
            seed,
            random_strings: 0,
        }
    }

    /// For measuring: every draw is as long as any other.
    pub fn widest() -> Draws {
        Draws {
            seed: [0; 32],
            random_strings: 0,
        }
    }

    pub fn uuid(&self) -> Uuid {
        self.named("uuid")
    }

    /// What failed of a batch has names of its own.
    pub fn failed_uuid(&self, error: ErrorOutput) -> Uuid {
        self.named(error.as_str())
    }

    fn named(&self, purpose: &str) -> Uuid {
        uuid::Builder::from_random_bytes(self.draw(purpose, 0)).into_uuid()
    }

    pub fn random_string(&mut self) -> String {
        let mut number = u128::from_be_bytes(self.draw("random-string", self.random_strings));
        self.random_strings += 1;
        let mut character = || {
            let chosen = ALPHABET[(number % 62) as usize];
            number /= 62;
            char::from(chosen)
        };
        (0..RANDOM_STRING_CHARACTERS).map(|_| character()).collect()
    }

    fn draw(&self, purpose: &str, nth: u32) -> [u8; 16] {
        drawn::bytes(&[&self.seed, purpose.as_bytes(), &nth.to_be_bytes()])
    }
}
