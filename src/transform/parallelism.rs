//! How many invocations may be under way at once: more only while the function keeps up.
//!
//! Pure. It starts with one; every round in which all of them were answered at the first attempt while
//! more was waiting allows one more, and a function that cannot keep up gets half as many.

/// How an invocation went for the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    KeptUp,
    /// It was throttled, unavailable, or too slow, be it only at first.
    FellBehind,
}

/// Whether more is waiting than may be under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    Met,
    Waiting,
}

#[derive(Clone, Debug)]
pub struct Parallelism {
    most: usize,
    allowed: usize,
    /// Invocations that kept up since the last change.
    kept_up: usize,
}

impl Parallelism {
    /// `most` is at least one.
    pub fn up_to(most: usize) -> Parallelism {
        assert!(0 < most, "a function that is never invoked answers nothing");
        Parallelism {
            most,
            allowed: 1,
            kept_up: 0,
        }
    }

    pub fn allowed(&self) -> usize {
        self.allowed
    }

    /// An invocation ended.
    pub fn ended(&mut self, pace: Pace, demand: Demand) {
        match (pace, demand) {
            (Pace::FellBehind, _) => {
                self.allowed = (self.allowed / 2).max(1);
                self.kept_up = 0;
            }
            (Pace::KeptUp, Demand::Met) => {}
            (Pace::KeptUp, Demand::Waiting) => {
                self.kept_up += 1;
                if self.allowed <= self.kept_up && self.allowed < self.most {
                    self.allowed += 1;
                    self.kept_up = 0;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// `+` kept up and more waits, `.` kept up and nothing waits, `-` fell behind: what is allowed
    /// after each.
    #[track_caller]
    fn check(most: usize, invocations: &str, expected: Expect) {
        let mut parallelism = Parallelism::up_to(most);
        let mut allowed = String::new();
        for invocation in invocations.chars() {
            match invocation {
                '+' => parallelism.ended(Pace::KeptUp, Demand::Waiting),
                '.' => parallelism.ended(Pace::KeptUp, Demand::Met),
                '-' => parallelism.ended(Pace::FellBehind, Demand::Waiting),
                other => panic!("{other}"),
            }
            allowed += &parallelism.allowed().to_string();
        }
        expected.assert_eq(&allowed);
    }

    #[test]
    fn it_grows_by_one_a_round_up_to_the_most() {
        check(5, "+++++++++++++++++", expect!["22333444455555555"]);
        check(1, "+++", expect!["111"]);
    }

    #[test]
    fn it_does_not_grow_while_nothing_waits() {
        check(5, "......+..+...+", expect!["11111122222223"]);
    }

    #[test]
    fn a_function_that_falls_behind_gets_half_as_many() {
        check(
            10,
            "++++++++++-+++-----++",
            expect!["223334444522331111122"],
        );
    }
}
