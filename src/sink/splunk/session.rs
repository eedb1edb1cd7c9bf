//! A channel at Splunk, and the cookies that lead it to the same indexer again.
//!
//! An acknowledgement is known only to the indexer that took the data, and only under the channel it
//! was sent on. Load balancers keep a client at its indexer by cookies, if they are given back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};
use uuid::Uuid;

use crate::model::limits;
use crate::outside::Dice;

/// More than any balancer sets.
const COOKIES_MAX: usize = 16;
const COOKIE_BYTES_MAX: usize = 4096;

/// Clones speak on the same channel.
#[derive(Clone, Debug)]
pub struct Session {
    pub channel: Uuid,
    cookies: BTreeMap<String, String>,
    met_trouble: Arc<AtomicBool>,
}

impl Session {
    fn new(channel: Uuid) -> Session {
        Session {
            channel,
            cookies: BTreeMap::new(),
            met_trouble: Arc::default(),
        }
    }

    /// It is not used again: the next one begins with a clean slate, and perhaps at another indexer.
    pub fn retire(&self) {
        self.met_trouble.store(true, Ordering::Relaxed);
    }

    fn is_good(&self) -> bool {
        !self.met_trouble.load(Ordering::Relaxed)
    }

    /// Keeps what an answer says to bring along.
    pub fn absorb(&mut self, headers: &HeaderMap) {
        for line in headers.get_all(SET_COOKIE) {
            let Some((name, value)) = line.to_str().ok().and_then(|line| {
                let pair = line.split(';').next()?;
                let (name, value) = pair.split_once('=')?;
                Some((name.trim(), value.trim()))
            }) else {
                continue;
            };
            let known = self.cookies.contains_key(name) || self.cookies.len() < COOKIES_MAX;
            if known && !name.is_empty() && name.len() + value.len() <= COOKIE_BYTES_MAX {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    pub fn cookies(&self) -> Option<HeaderValue> {
        let pairs = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let line = pairs.collect::<Vec<_>>().join("; ");
        let mut value = HeaderValue::from_str(&line)
            .ok()
            .filter(|value| !value.is_empty())?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// As many as there are requests under way at once, or were.
#[derive(Debug)]
pub struct Sessions {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    idle: Vec<Session>,
    dice: Dice,
}

impl Sessions {
    pub fn new(dice: Dice) -> Sessions {
        let idle = Vec::new();
        Sessions {
            inner: Mutex::new(Inner { idle, dice }),
        }
    }

    pub fn take(&self) -> Session {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.idle.retain(Session::is_good);
        match inner.idle.pop() {
            Some(session) => session,
            None => {
                let drawn = inner.dice.u128().to_be_bytes();
                Session::new(uuid::Builder::from_random_bytes(drawn).into_uuid())
            }
        }
    }

    pub fn give_back(&self, session: Session) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if session.is_good() && inner.idle.len() < limits::DELIVERIES_PER_STREAM_MAX {
            inner.idle.push(session);
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(answers: &[&str], expected: Expect) {
        let mut session = Session::new(Uuid::nil());
        for line in answers {
            let mut headers = HeaderMap::new();
            headers.append(
                SET_COOKIE,
                HeaderValue::from_bytes(line.as_bytes()).unwrap(),
            );
            session.absorb(&headers);
        }
        let cookies = session.cookies();
        expected.assert_eq(
            cookies
                .as_ref()
                .map_or("none", |value| value.to_str().unwrap()),
        );
    }

    #[test]
    fn a_balancers_cookies_are_given_back() {
        check(&[], expect!["none"]);
        check(
            &[
                "AWSALB=abc; Expires=Mon, 30 Nov 2026 00:00:00 GMT; Path=/",
                "b=2",
            ],
            expect!["AWSALB=abc; b=2"],
        );
        check(&["a=1", "a=2"], expect!["a=2"]);
        check(&["", "; Path=/", "=x", "flag", "ü=1"], expect!["none"]);
    }

    #[test]
    fn cookies_have_a_bound() {
        let mut session = Session::new(Uuid::nil());
        for nth in 0..100 {
            let mut headers = HeaderMap::new();
            headers.append(SET_COOKIE, format!("c{nth}=v").parse().unwrap());
            session.absorb(&headers);
        }
        assert_eq!(session.cookies.len(), COOKIES_MAX);
    }

    #[test]
    fn each_worker_has_a_channel_of_its_own_and_keeps_it() {
        let sessions = Sessions::new(Dice::seeded(1));
        let (one, other) = (sessions.take(), sessions.take());
        assert_ne!(one.channel, other.channel);
        let channel = one.channel;
        assert_eq!(channel.get_version(), Some(uuid::Version::Random));
        sessions.give_back(one);
        assert_eq!(sessions.take().channel, channel);
    }

    #[test]
    fn a_channel_that_met_trouble_is_not_used_again() {
        let sessions = Sessions::new(Dice::seeded(1));
        let session = sessions.take();
        let (channel, asking) = (session.channel, session.clone());
        sessions.give_back(session);
        asking.retire();
        let next = sessions.take();
        assert_ne!(next.channel, channel);
        // Met while a request was under way on it.
        let channel = next.channel;
        next.clone().retire();
        sessions.give_back(next);
        assert_ne!(sessions.take().channel, channel);
    }
}
