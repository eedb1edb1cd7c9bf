//! YAML text → tree with places. The only file that knows the parser.
//!
//! `serde-saphyr` expands `<<` merges and aliases within a budget, so that no alias bomb goes off,
//! and says where each node stands. Its guesses about types are not wanted (`012345678901` is an
//! account, not a number): for whatever it does not take for text we go back to the text.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Location, Options, Spanned};

use super::node::{Content, Entry, Node};
use super::place::{Origin, Place};
use super::problem::{Problem, Wrong};

/// Deeper than any configuration, far from what a stack holds.
const DEPTH_MAX: usize = 32;
/// Nodes after all aliases are expanded: thousands of streams fit.
const NODES_MAX: usize = 250_000;

/// Reads one document. A syntax error ends it; keys that stand twice are reported one by one.
pub fn parse(text: &str, origin: &Arc<Origin>, problems: &mut Vec<Problem>) -> Option<Node> {
    let source = Source { text, origin };
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options()) {
        Ok(raw) => Some(source.node(raw, "", problems)),
        Err(error) => {
            problems.push(source.syntax_problem(&error));
            None
        }
    }
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: DEPTH_MAX, max_nodes: NODES_MAX },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: NODES_MAX },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

/// What the parser hands over.
enum Raw {
    Nothing,
    Text(String),
    /// Taken for a number or a truth value, and printed again; the source knows how it was written.
    Guessed(String),
    List(Vec<Spanned<Raw>>),
    Block(Vec<(Spanned<String>, Spanned<Raw>)>),
}

struct Source<'a> {
    text: &'a str,
    origin: &'a Arc<Origin>,
}

impl Source<'_> {
    fn place(&self, location: Location) -> Place {
        Place {
            origin: self.origin.clone(),
            line: location.line(),
            column: location.column(),
        }
    }

    fn node(&self, raw: Spanned<Raw>, path: &str, problems: &mut Vec<Problem>) -> Node {
        let content = match raw.value {
            Raw::Nothing => Content::Nothing,
            Raw::Text(text) => Content::Scalar(text),
            Raw::Guessed(text) => {
                Content::Scalar(self.slice(raw.defined).map_or(text, str::to_owned))
            }
            Raw::List(items) => {
                let items = items.into_iter().enumerate();
                let node = |(index, item)| self.node(item, &format!("{path}[{index}]"), problems);
                Content::List(items.map(node).collect())
            }
            Raw::Block(pairs) => Content::Block(self.entries(pairs, path, problems)),
        };
        Node {
            place: self.place(raw.defined),
            content,
        }
    }

    fn entries(
        &self,
        pairs: Vec<(Spanned<String>, Spanned<Raw>)>,
        path: &str,
        problems: &mut Vec<Problem>,
    ) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            let place = self.place(key.defined);
            let path = join(path, &key.value);
            let value = self.node(value, &path, problems);
            if let Some(first) = entries.iter().find(|entry| entry.key == key.value) {
                let what = format!(
                    "the key stands here twice, first on line {}",
                    first.place.line
                );
                problems.push(Problem {
                    place: Some(place),
                    path,
                    wrong: Wrong::new(what),
                });
                continue;
            }
            entries.push(Entry {
                key: key.value,
                place,
                value,
            });
        }
        entries
    }

    /// A node's own text.
    fn slice(&self, location: Location) -> Option<&str> {
        let span = location.span();
        let start = usize::try_from(span.byte_offset()?).ok()?;
        let length = usize::try_from(span.byte_len()?).ok()?;
        self.text.get(start..start.checked_add(length)?)
    }

    fn syntax_problem(&self, error: &serde_saphyr::Error) -> Problem {
        let location = error.location();
        let line = location.and_then(|location| {
            let index = usize::try_from(location.line()).ok()?.checked_sub(1)?;
            self.text.lines().nth(index)
        });
        let wrong = Wrong::new(format!("not readable as YAML: {}", reason(error)));
        let opens_expression = |line: &str| line.contains(": !{") || line.contains("- !{");
        let wrong = match line {
            Some(line) if opens_expression(line) => {
                wrong.hint("a value that begins with `!{` needs quotes: `prefix: \"!{…}\"`")
            }
            Some(line) if line.starts_with(char::is_whitespace) && leading(line).contains('\t') => {
                wrong.hint("YAML is indented with spaces, never with tabs")
            }
            _ => wrong,
        };
        Problem {
            place: Some(match location {
                Some(location) => self.place(location),
                None => Place::whole(self.origin.clone()),
            }),
            path: String::new(),
            wrong,
        }
    }
}

fn reason(error: &serde_saphyr::Error) -> String {
    if let serde_saphyr::Error::AliasError { error, .. } = error {
        return reason(error);
    }
    // In words that say what to mend, where the parser's are about itself.
    if let serde_saphyr::Error::MultipleDocuments { .. } = error {
        return "a second document begins here; write two files".to_owned();
    }
    if let serde_saphyr::Error::RecursiveReferencesRequireWeakTypes { .. } = error {
        return "an anchor's block names the anchor itself".to_owned();
    }
    if let serde_saphyr::Error::AliasReplayLimitExceeded { .. } = error {
        return format!("with all aliases written out there are more than {NODES_MAX} values");
    }
    if let serde_saphyr::Error::MergeValueNotMapOrSeqOfMaps { .. } = error {
        return "`<<` merges blocks, and this anchor is none".to_owned();
    }
    // The parser repeats the position in its message; the problem has it already.
    let message = error.to_string();
    let reason = message.lines().next().unwrap_or_default();
    if reason.starts_with("unsupported tag") {
        // What looks like a tag may be a password, so it is not repeated.
        return "a value that begins with `!` needs quotes".to_owned();
    }
    let reason = reason.split(" at line ").next().unwrap_or_default();
    reason.to_owned()
}

fn leading(line: &str) -> &str {
    &line[..line.len() - line.trim_start().len()]
}

pub fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, a list or a block")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Nothing)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Guessed(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Guessed(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Guessed(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Guessed(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Raw, E> {
        Ok(Raw::Guessed(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Guessed(value.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = access.next_entry()? {
            pairs.push(pair);
        }
        Ok(Raw::Block(pairs))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::path::PathBuf;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::config::problem::Problems;

    fn print(node: &Node, depth: usize, out: &mut String) {
        let (line, column) = (node.place.line, node.place.column);
        match &node.content {
            Content::Nothing => writeln!(out, "nothing @{line}:{column}"),
            Content::Scalar(text) => writeln!(out, "{text:?} @{line}:{column}"),
            Content::List(items) => {
                writeln!(out, "list @{line}:{column}").unwrap();
                for item in items {
                    write!(out, "{:1$}- ", "", depth * 2 + 2).unwrap();
                    print(item, depth + 1, out);
                }
                Ok(())
            }
            Content::Block(entries) => {
                writeln!(out, "block @{line}:{column}").unwrap();
                for entry in entries {
                    let (line, column) = (entry.place.line, entry.place.column);
                    let indent = depth * 2 + 2;
                    write!(out, "{:indent$}{}@{line}:{column}: ", "", entry.key).unwrap();
                    print(&entry.value, depth + 1, out);
                }
                Ok(())
            }
        }
        .unwrap();
    }

    #[track_caller]
    fn check(text: &str, expected: Expect) {
        let origin = Arc::new(Origin::File(PathBuf::from("a.yaml")));
        let mut problems = Vec::new();
        let mut out = String::new();
        if let Some(node) = parse(text, &origin, &mut problems) {
            print(&node, 0, &mut out);
        }
        if !problems.is_empty() {
            writeln!(out, "{}", Problems::new(problems)).unwrap();
        }
        expected.assert_eq(&out);
    }

    #[test]
    fn scalars_are_the_text_that_was_written() {
        check(
            "account: 012345678901\nzeros: 000000000000\nno: no\nyes: true\nfloat: 1.50\nhex: 0x10\n\
             under: 1_000\nquoted: \"a\\tb\"\nexp: 1e3\nneg: -007\nempty:\ntilde: ~\ndate: 2026-01-01\n\
             nan: .nan\nhuge: 1e999\nlong: 123456789012345678901234567890123456789012345\n7: seven\n",
            expect![[r#"
                block @1:1
                  account@1:1: "012345678901" @1:10
                  zeros@2:1: "000000000000" @2:8
                  no@3:1: "no" @3:5
                  yes@4:1: "true" @4:6
                  float@5:1: "1.50" @5:8
                  hex@6:1: "0x10" @6:6
                  under@7:1: "1_000" @7:8
                  quoted@8:1: "a\tb" @8:9
                  exp@9:1: "1e3" @9:6
                  neg@10:1: "-007" @10:6
                  empty@11:1: nothing @11:6
                  tilde@12:1: nothing @12:8
                  date@13:1: "2026-01-01" @13:7
                  nan@14:1: ".nan" @14:6
                  huge@15:1: "1e999" @15:7
                  long@16:1: "123456789012345678901234567890123456789012345" @16:7
                  7@17:1: "seven" @17:4
            "#]],
        );
    }

    #[test]
    fn merges_and_aliases_keep_the_place_where_the_value_was_written() {
        check(
            "x-a: &a { profile: minio, bucket: lake }\nb:\n  <<: *a\n  bucket: own\n  size: &s 012\nc: *s\nd: *a\n",
            expect![[r#"
                block @1:1
                  x-a@1:1: block @1:9
                    profile@1:11: "minio" @1:20
                    bucket@1:27: "lake" @1:35
                  b@2:1: block @3:3
                    bucket@4:3: "own" @4:11
                    size@5:3: "012" @5:12
                    profile@1:11: "minio" @1:20
                  c@6:1: "012" @5:12
                  d@7:1: block @1:9
                    profile@1:11: "minio" @1:20
                    bucket@1:27: "lake" @1:35
            "#]],
        );
    }

    #[test]
    fn a_key_that_stands_twice_is_told_each_time() {
        check(
            "a: 1\na: 2\nb: {c: 1, c: 2, c: 3}\n",
            expect![[r#"
            block @1:1
              a@1:1: "1" @1:4
              b@3:1: block @3:4
                c@3:5: "1" @3:8
            a.yaml has 3 problems
              a.yaml:2:1   a: the key stands here twice, first on line 1
              a.yaml:3:11  b.c: the key stands here twice, first on line 3
              a.yaml:3:17  b.c: the key stands here twice, first on line 3
        "#]],
        );
    }

    #[test]
    fn what_is_not_yaml_is_told_with_its_place() {
        check(
            "a: [1, 2\nb: 3\n",
            expect![[r#"
                a.yaml has 1 problem
                  a.yaml:2:2  not readable as YAML: illegal placement of ':' indicator
            "#]],
        );
        check(
            "prefix: !{timestamp:yyyy}/\n",
            expect![[r#"
                a.yaml has 1 problem
                  a.yaml:1:9  not readable as YAML: while scanning a tag, did not find expected whitespace or line break
                    hint: a value that begins with `!{` needs quotes: `prefix: "!{…}"`
            "#]],
        );
        check(
            "a:\n\tb: 1\n",
            expect![[r#"
                a.yaml has 1 problem
                  a.yaml:2:2  not readable as YAML: tabs disallowed within this context (block indentation)
                    hint: YAML is indented with spaces, never with tabs
            "#]],
        );
        check(
            "a: *unknown\n",
            expect![[r#"
                a.yaml has 1 problem
                  a.yaml:1:4  not readable as YAML: alias references unknown anchor
            "#]],
        );
        check(
            "a: 1\n---\nb: 2\n",
            expect![[r#"
                a.yaml has 1 problem
                  a.yaml:3:1  not readable as YAML: a second document begins here; write two files
            "#]],
        );
        check(
            "",
            expect![[r#"
            nothing @1:1
        "#]],
        );
        check(
            "# nothing\n",
            expect![[r#"
            nothing @2:1
        "#]],
        );
        check(
            "a: !secret 1\n",
            expect![[r#"
                a.yaml has 1 problem
                  a.yaml:1:12  not readable as YAML: a value that begins with `!` needs quotes
            "#]],
        );
        check(
            "[a, b]: 1\n",
            expect![[r#"
                a.yaml has 1 problem
                  a.yaml:1:1  not readable as YAML: expected string scalar
            "#]],
        );
    }

    #[test]
    fn an_alias_bomb_does_not_go_off() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let below = format!("*a{}, ", level - 1).repeat(10);
            writeln!(text, "a{level}: &a{level} [{below}]").unwrap();
        }
        check(
            &text,
            expect![[r#"
                a.yaml has 1 problem
                  a.yaml:6:10  not readable as YAML: with all aliases written out there are more than 250000 values
            "#]],
        );
        check(
            &"[".repeat(40),
            expect![[r#"
                a.yaml has 1 problem
                  a.yaml:1:40  not readable as YAML: unclosed bracket '['
            "#]],
        );
    }
}
