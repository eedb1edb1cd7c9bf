//! Time patterns, as Java's `DateTimeFormatter` reads them: letters are evaluated, how often a letter
//! stands says how wide or how long, and `'text in quotes'` is literal (`''` is a quote).
//!
//! | letters | | letters | |
//! |---|---|---|---|
//! | `y` `u` | year | `H` `k` `K` `h` | hour: 0–23, 1–24, 0–11, 1–12 |
//! | `Y` `w` `W` | week-based year, week of it, of the month | `m` `s` `S` | minute, second, fraction |
//! | `M` `L` `Q` `q` | month, quarter | `A` `N` `n` | milli and nano of day, nano of second |
//! | `d` `D` `F` `g` | day of month, of year, its week, Julian | `a` `B` | am or pm, part of the day |
//! | `E` `e` `c` | day of week | `z` `O` `X` `x` `Z` | zone and offset |
//! | `G` | era | | |
//!
//! Weeks are those of the United States, as Java's are on Amazon's machines: they begin on Sunday,
//! and January 1 is always in week 1. `C I J P R T U V b f i j l o p r t` are refused by Firehose. Of
//! what it takes we refuse `v` and `zzzz`, zone names that need tables of words, and optional
//! sections in brackets.

use super::moment::{Number, Offset, Text};

pub use super::moment::Moment;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Token>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Literal(char),
    /// With leading zeros up to this width.
    Number(Number, usize),
    /// The last two digits: `yy`.
    TwoDigits(Number),
    /// So many digits of the second's fraction.
    Fraction(usize),
    Text(Text),
    Offset(Offset),
}

impl Pattern {
    /// `None` where Java, or Firehose, would refuse it.
    pub fn parse(pattern: &str) -> Option<Pattern> {
        let mut tokens = Vec::new();
        let mut rest = pattern.chars().peekable();
        while let Some(first) = rest.next() {
            match first {
                '\'' => tokens.extend(quoted(&mut rest)?),
                '[' | ']' | '{' | '}' | '#' => return None,
                letter if letter.is_ascii_alphabetic() => {
                    let mut count = 1;
                    while rest.next_if_eq(&letter).is_some() {
                        count += 1;
                    }
                    tokens.push(Token::of(letter, count)?);
                }
                literal => tokens.push(Token::Literal(literal)),
            }
        }
        (!tokens.is_empty()).then_some(Pattern(tokens))
    }

    pub fn write(&self, moment: &Moment, text: &mut String) {
        for token in &self.0 {
            match token {
                Token::Literal(literal) => text.push(*literal),
                Token::Number(number, width) => {
                    text.push_str(&format!("{:0width$}", moment.number(*number)));
                }
                Token::TwoDigits(number) => {
                    text.push_str(&format!("{:02}", moment.number(*number) % 100));
                }
                Token::Fraction(digits) => {
                    let nanos = format!("{:09}", moment.number(Number::NanoOfSecond));
                    text.push_str(&nanos[..*digits]);
                }
                Token::Text(words) => text.push_str(&moment.text(*words)),
                Token::Offset(offset) => text.push_str(&moment.offset(*offset)),
            }
        }
    }
}

/// What stands behind an opening quote, up to and with the closing one.
fn quoted(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Vec<Token>> {
    if rest.next_if_eq(&'\'').is_some() {
        return Some(vec![Token::Literal('\'')]);
    }
    let mut literal = Vec::new();
    loop {
        match rest.next()? {
            '\'' if rest.next_if_eq(&'\'').is_none() => return Some(literal),
            character => literal.push(Token::Literal(character)),
        }
    }
}

impl Token {
    fn of(letter: char, count: usize) -> Option<Token> {
        number(letter, count)
            .or_else(|| text(letter, count).map(Token::Text))
            .or_else(|| offset(letter, count).map(Token::Offset))
    }
}

fn number(letter: char, count: usize) -> Option<Token> {
    use Number::*;
    let (number, width_max) = match letter {
        'y' | 'u' => (Year, 19),
        'Y' => (WeekBasedYear, 19),
        'M' | 'L' => (Month, 2),
        'Q' | 'q' => (Quarter, 2),
        'w' => (WeekOfYear, 2),
        'W' => (WeekOfMonth, 1),
        'D' => (DayOfYear, 3),
        'd' => (DayOfMonth, 2),
        'F' => (AlignedWeekOfMonth, 1),
        'g' => (JulianDay, 19),
        'e' => (DayOfWeek, 2),
        'c' => (DayOfWeek, 1),
        'H' => (Hour, 2),
        'k' => (HourFromOne, 2),
        'K' => (HalfDayHour, 2),
        'h' => (HalfDayHourFromOne, 2),
        'm' => (Minute, 2),
        's' => (Second, 2),
        'A' => (MilliOfDay, 19),
        'N' => (NanoOfDay, 19),
        'n' => (NanoOfSecond, 19),
        'S' => return (count <= 9).then_some(Token::Fraction(count)),
        _ => return None,
    };
    if count == 2 && matches!(letter, 'y' | 'u' | 'Y') {
        return Some(Token::TwoDigits(number));
    }
    (count <= width_max).then_some(Token::Number(number, count))
}

fn text(letter: char, count: usize) -> Option<Text> {
    Some(match (letter, count) {
        ('M' | 'L', 3) => Text::MonthShort,
        ('M' | 'L', 4) => Text::Month,
        ('M' | 'L', 5) => Text::MonthLetter,
        ('Q' | 'q', 3) => Text::QuarterShort,
        ('Q' | 'q', 4) => Text::Quarter,
        ('Q' | 'q', 5) => Text::QuarterDigit,
        ('E', 1..=3) | ('e' | 'c', 3) => Text::DayShort,
        ('E' | 'e' | 'c', 4) => Text::Day,
        ('E' | 'e' | 'c', 5) => Text::DayLetter,
        ('G', 1..=3) => Text::EraShort,
        ('G', 4) => Text::Era,
        ('G', 5) => Text::EraLetter,
        ('a', 1) => Text::HalfDay,
        ('B', 1 | 4 | 5) => Text::DayPart,
        ('z', 1..=3) => Text::Zone,
        _ => return None,
    })
}

fn offset(letter: char, count: usize) -> Option<Offset> {
    Some(match (letter, count) {
        ('O', 1) => Offset::GmtShort,
        ('O', 4) | ('Z', 4) => Offset::Gmt,
        ('Z', 1..=3) => Offset::Digits { zero: "+0000" },
        ('Z', 5) | ('X', 3 | 5) => Offset::Colon { zero: "Z" },
        ('X', 1) => Offset::Hours { zero: "Z" },
        ('X', 2 | 4) => Offset::Digits { zero: "Z" },
        ('x', 1) => Offset::Hours { zero: "+00" },
        ('x', 2 | 4) => Offset::Digits { zero: "+0000" },
        ('x', 3 | 5) => Offset::Colon { zero: "+00:00" },
        _ => return None,
    })
}
