//! One instant in one time zone, and all that a time pattern may ask of it.

use jiff::Zoned;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;

use crate::model::Timestamp;

pub struct Moment(Zoned);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    Year,
    WeekBasedYear,
    Month,
    Quarter,
    WeekOfYear,
    WeekOfMonth,
    DayOfYear,
    DayOfMonth,
    /// 1 for the 1st to the 7th, 2 for the 8th to the 14th.
    AlignedWeekOfMonth,
    /// The modified Julian day.
    JulianDay,
    /// From Sunday, which is 1.
    DayOfWeek,
    Hour,
    HourFromOne,
    HalfDayHour,
    HalfDayHourFromOne,
    Minute,
    Second,
    MilliOfDay,
    NanoOfDay,
    NanoOfSecond,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    Month,
    MonthShort,
    MonthLetter,
    Quarter,
    QuarterShort,
    QuarterDigit,
    Day,
    DayShort,
    DayLetter,
    Era,
    EraShort,
    EraLetter,
    HalfDay,
    DayPart,
    Zone,
}

/// How the distance to UTC is written, and what no distance looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offset {
    /// `+01`, `+0530`.
    Hours { zero: &'static str },
    /// `+0100`.
    Digits { zero: &'static str },
    /// `+01:00`.
    Colon { zero: &'static str },
    /// `GMT+1`, `GMT+5:30`.
    GmtShort,
    /// `GMT+01:00`.
    Gmt,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
const QUARTERS: [&str; 4] = ["1st quarter", "2nd quarter", "3rd quarter", "4th quarter"];

impl Moment {
    pub fn at(timestamp: Timestamp, time_zone: &TimeZone) -> Moment {
        let millis = i64::try_from(timestamp.as_millis()).unwrap_or(i64::MAX);
        // Clocks beyond the year 9999 are taken for the end of it: a key must come out.
        let instant = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
        Moment(instant.to_zoned(time_zone.clone()))
    }

    /// Between them these have the longest form of everything: a Wednesday in September (with three
    /// digits of the year's day, in summer time or not), an afternoon, and a day in winter.
    pub fn widest(time_zone: &TimeZone) -> impl Iterator<Item = Moment> {
        let hours = [(9, 30, 23), (9, 30, 15), (12, 30, 23)];
        let time_zone = time_zone.clone();
        hours.into_iter().map(move |(month, day, hour)| {
            let civil = date(2026, month, day).at(hour, 59, 59, 999_999_999);
            let zoned = time_zone.to_ambiguous_zoned(civil).compatible();
            Moment(zoned.expect("2026 is far from the ends of time"))
        })
    }

    pub fn number(&self, number: Number) -> i64 {
        let Moment(at) = self;
        let hour = i64::from(at.hour());
        let from_one = |hour: i64, hours: i64| if hour == 0 { hours } else { hour };
        let second_of_day = (hour * 60 + i64::from(at.minute())) * 60 + i64::from(at.second());
        let nano_of_day = second_of_day * 1_000_000_000 + i64::from(at.subsec_nanosecond());
        match number {
            Number::Year => at.year().into(),
            Number::WeekBasedYear => week(at.date()).0,
            Number::Month => at.month().into(),
            Number::Quarter => i64::from(at.month() - 1) / 3 + 1,
            Number::WeekOfYear => week(at.date()).1,
            Number::WeekOfMonth => {
                let first = at.date().first_of_month().weekday().to_sunday_zero_offset();
                i64::from(at.day() - 1 + first) / 7 + 1
            }
            Number::DayOfYear => at.day_of_year().into(),
            Number::DayOfMonth => at.day().into(),
            Number::AlignedWeekOfMonth => i64::from(at.day() - 1) / 7 + 1,
            Number::JulianDay => {
                let epoch = date(1858, 11, 17);
                (at.date() - epoch).get_days().into()
            }
            Number::DayOfWeek => i64::from(at.weekday().to_sunday_one_offset()),
            Number::Hour => hour,
            Number::HourFromOne => from_one(hour, 24),
            Number::HalfDayHour => hour % 12,
            Number::HalfDayHourFromOne => from_one(hour % 12, 12),
            Number::Minute => at.minute().into(),
            Number::Second => at.second().into(),
            Number::MilliOfDay => nano_of_day / 1_000_000,
            Number::NanoOfDay => nano_of_day,
            Number::NanoOfSecond => at.subsec_nanosecond().into(),
        }
    }

    pub fn text(&self, text: Text) -> String {
        let Moment(at) = self;
        let month = MONTHS[at.month() as usize - 1];
        let day = DAYS[at.weekday().to_sunday_zero_offset() as usize];
        let quarter = self.number(Number::Quarter) as usize;
        match text {
            Text::Month => month.to_owned(),
            Text::MonthShort => month[..3].to_owned(),
            Text::MonthLetter => month[..1].to_owned(),
            Text::Quarter => QUARTERS[quarter - 1].to_owned(),
            Text::QuarterShort => format!("Q{quarter}"),
            Text::QuarterDigit => quarter.to_string(),
            Text::Day => day.to_owned(),
            Text::DayShort => day[..3].to_owned(),
            Text::DayLetter => day[..1].to_owned(),
            Text::Era => "Anno Domini".to_owned(),
            Text::EraShort => "AD".to_owned(),
            Text::EraLetter => "A".to_owned(),
            Text::HalfDay => if at.hour() < 12 { "AM" } else { "PM" }.to_owned(),
            Text::DayPart => day_part(at.hour(), at.minute()).to_owned(),
            Text::Zone => at
                .time_zone()
                .to_offset_info(at.timestamp())
                .abbreviation()
                .to_owned(),
        }
    }

    pub fn offset(&self, offset: Offset) -> String {
        let seconds = self.0.offset().seconds();
        let sign = if seconds < 0 { '-' } else { '+' };
        // Seconds of an offset ended with local mean time, long before 1970.
        let (hours, minutes) = (seconds.abs() / 3600, seconds.abs() / 60 % 60);
        match offset {
            Offset::Hours { zero } | Offset::Digits { zero } | Offset::Colon { zero }
                if seconds == 0 =>
            {
                zero.to_owned()
            }
            Offset::GmtShort | Offset::Gmt if seconds == 0 => "GMT".to_owned(),
            Offset::Hours { .. } if minutes == 0 => format!("{sign}{hours:02}"),
            Offset::Hours { .. } | Offset::Digits { .. } => format!("{sign}{hours:02}{minutes:02}"),
            Offset::Colon { .. } => format!("{sign}{hours:02}:{minutes:02}"),
            Offset::GmtShort if minutes == 0 => format!("GMT{sign}{hours}"),
            Offset::GmtShort => format!("GMT{sign}{hours}:{minutes:02}"),
            Offset::Gmt => format!("GMT{sign}{hours:02}:{minutes:02}"),
        }
    }
}

/// Week-based year and week: weeks begin on Sunday, and the week of January 1 is the first.
fn week(day: Date) -> (i64, i64) {
    let year = i64::from(day.year());
    let first = day.first_of_year().weekday().to_sunday_zero_offset();
    let week = i64::from(day.day_of_year() - 1 + i16::from(first)) / 7 + 1;
    // The last days of December may share their week with the next January 1.
    let until_saturday = 6 - day.weekday().to_sunday_zero_offset();
    let left = day.days_in_year() - day.day_of_year();
    if left < i16::from(until_saturday) {
        (year + 1, 1)
    } else {
        (year, week)
    }
}

fn day_part(hour: i8, minute: i8) -> &'static str {
    match (hour, minute) {
        (0, 0) => "midnight",
        (12, 0) => "noon",
        (6..12, _) => "in the morning",
        (12..18, _) => "in the afternoon",
        (18..21, _) => "in the evening",
        _ => "at night",
    }
}
