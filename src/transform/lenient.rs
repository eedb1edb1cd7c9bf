//! Members of a function's answer that may be anything: where a text or a list is wanted, another
//! value is noted and no reason to give up on the whole.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A text, borrowed where it has no escapes.
#[derive(Debug, Default)]
pub(super) enum Text<'a> {
    /// Not there, or null.
    #[default]
    Absent,
    Is(Cow<'a, str>),
    /// Another value.
    Other,
}

impl Text<'_> {
    pub fn get(&self) -> Option<&str> {
        match self {
            Text::Is(text) => Some(text),
            Text::Absent | Text::Other => None,
        }
    }
}

/// A list of whatever; `None` where there is another value, or none.
#[derive(Debug, Default)]
pub(super) struct List<'a>(pub Option<Vec<&'a RawValue>>);

struct TextVisitor;
struct ListVisitor;

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for List<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<List<'a>, D::Error> {
        deserializer.deserialize_any(ListVisitor)
    }
}

/// Every kind of value but those that are wanted.
macro_rules! otherwise {
    ($value:expr => $($visit:ident($kind:ty)),*) => {
        $(fn $visit<E>(self, _: $kind) -> Result<Self::Value, E> {
            Ok($value)
        })*
    };
}

impl<'a> Visitor<'a> for TextVisitor {
    type Value = Text<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<Text<'a>, E> {
        Ok(Text::Is(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'a>, E> {
        Ok(Text::Is(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Text<'a>, E> {
        Ok(Text::Absent)
    }

    otherwise!(Text::Other => visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64));

    fn visit_seq<A: SeqAccess<'a>>(self, mut list: A) -> Result<Text<'a>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Text::Other)
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Text<'a>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Text::Other)
    }
}

impl<'a> Visitor<'a> for ListVisitor {
    type Value = List<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    otherwise!(
        List(None) => visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64),
        visit_str(&str)
    );

    fn visit_unit<E>(self) -> Result<List<'a>, E> {
        Ok(List(None))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut list: A) -> Result<List<'a>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(List(Some(values)))
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<List<'a>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(List(None))
    }
}
