//! A Rust file as the rules see it: what is code, what is a test, where functions begin and end.

pub struct Source {
    /// From the repository's root, with slashes.
    pub path: String,
    pub lines: Vec<Line>,
}

pub struct Line {
    pub text: String,
    /// The same without comments, and with strings and characters emptied.
    pub code: String,
    pub in_tests: bool,
}

pub struct Function {
    pub name: String,
    /// The index of its first line.
    pub start: usize,
    pub lines: usize,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Source {
        let code = code_of(text);
        let all_tests =
            !path.starts_with("src/") || path.contains("/tests/") || path.ends_with("/tests.rs");
        let lines = text.lines().zip(code.lines()).map(|(text, code)| Line {
            text: text.to_owned(),
            code: code.to_owned(),
            in_tests: all_tests,
        });
        let mut source = Source {
            path: path.to_owned(),
            lines: lines.collect(),
        };
        source.mark_tests();
        source
    }

    /// The top-level module of a file below `src`, or nothing.
    pub fn module(&self) -> &str {
        let path = self.path.strip_prefix("src/").unwrap_or("");
        let first = path.split('/').next().unwrap_or("");
        first.strip_suffix(".rs").unwrap_or(first)
    }

    pub fn functions(&self) -> Vec<Function> {
        let starts = self.lines.iter().enumerate().filter_map(|(start, line)| {
            let (before, after) = line.code.split_once("fn ")?;
            let is_word = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let name = after
                .split(|c: char| !(c.is_alphanumeric() || c == '_'))
                .next()?;
            (is_word && !name.is_empty()).then(|| (start, name.to_owned()))
        });
        starts
            .filter_map(|(start, name)| {
                let lines = self.item_end(start)? + 1 - start;
                Some(Function { name, start, lines })
            })
            .collect()
    }

    fn mark_tests(&mut self) {
        for start in 0..self.lines.len() {
            if self.lines[start]
                .code
                .trim_start()
                .starts_with("#[cfg(test)]")
            {
                let end = self.item_end(start + 1).unwrap_or(start + 1);
                let end = end.min(self.lines.len() - 1);
                self.lines[start..=end]
                    .iter_mut()
                    .for_each(|line| line.in_tests = true);
            }
        }
    }

    /// The line on which the item that starts at `start` ends: with the brace that closes its first,
    /// or with a semicolon before any. `None` where the text ends first.
    fn item_end(&self, start: usize) -> Option<usize> {
        let mut braces = 0;
        let mut brackets = 0;
        for (index, line) in self.lines.iter().enumerate().skip(start) {
            for c in line.code.chars() {
                match c {
                    '{' => braces += 1,
                    '(' | '[' => brackets += 1,
                    ')' | ']' => brackets -= 1,
                    '}' => {
                        braces -= 1;
                        if braces == 0 && brackets == 0 {
                            return Some(index);
                        }
                    }
                    ';' if braces == 0 && brackets == 0 => return Some(index),
                    _ => {}
                }
            }
        }
        None
    }
}

/// What a character belongs to.
#[derive(Clone, Copy, PartialEq)]
enum State {
    Code,
    LineComment,
    BlockComment { depth: usize },
    Text,
    RawText { hashes: usize },
}

/// Same lines, without comments and the insides of strings and characters.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut state = State::Code;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (next, taken) = step(state, rest);
        if first == '\n'
            || (state == State::Code && next == State::Code && taken == first.len_utf8())
        {
            code.push(first);
        }
        if state == State::Code && matches!(next, State::Text | State::RawText { .. }) {
            code.push_str("\"\"");
        }
        // A character's inside is skipped; its line goes on.
        state = next;
        rest = &rest[taken..];
    }
    code
}

/// What comes after the start of `rest`, and how many bytes of it that took.
fn step(state: State, rest: &str) -> (State, usize) {
    let first = rest.chars().next().map_or(1, char::len_utf8);
    match state {
        State::Code => step_in_code(rest, first),
        State::LineComment if rest.starts_with('\n') => (State::Code, 1),
        State::BlockComment { depth: 1 } if rest.starts_with("*/") => (State::Code, 2),
        State::BlockComment { depth } if rest.starts_with("*/") => {
            (State::BlockComment { depth: depth - 1 }, 2)
        }
        State::BlockComment { depth } if rest.starts_with("/*") => {
            (State::BlockComment { depth: depth + 1 }, 2)
        }
        // A line that goes on keeps its number.
        State::Text if rest.starts_with("\\\n") => (State::Text, 1),
        State::Text if rest.starts_with('\\') => (
            State::Text,
            1 + rest[1..].chars().next().map_or(0, char::len_utf8),
        ),
        State::Text if rest.starts_with('"') => (State::Code, 1),
        State::RawText { hashes } if rest.starts_with('"') => {
            let closing = rest[1..].bytes().take_while(|byte| *byte == b'#').count();
            match hashes <= closing {
                true => (State::Code, 1 + hashes),
                false => (state, 1),
            }
        }
        State::LineComment | State::BlockComment { .. } | State::Text | State::RawText { .. } => {
            (state, first)
        }
    }
}

fn step_in_code(rest: &str, first: usize) -> (State, usize) {
    if rest.starts_with("//") {
        return (State::LineComment, 2);
    }
    if rest.starts_with("/*") {
        return (State::BlockComment { depth: 1 }, 2);
    }
    if rest.starts_with('"') {
        return (State::Text, 1);
    }
    if let Some(raw) = rest.strip_prefix('r') {
        let hashes = raw.bytes().take_while(|byte| *byte == b'#').count();
        if raw[hashes..].starts_with('"') {
            return (State::RawText { hashes }, 2 + hashes);
        }
    }
    if let Some(inside) = rest.strip_prefix('\'') {
        // `'a'` and `'\n'` are characters, `'a` is a lifetime.
        let escaped = inside.starts_with('\\');
        let skip = inside.chars().next().map_or(0, char::len_utf8) + usize::from(escaped);
        if let Some(end) = inside.get(skip..).and_then(|it| it.find('\''))
            && (escaped || end == 0)
        {
            return (State::Code, 1 + skip + end + 1);
        }
    }
    (State::Code, first)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&code_of(text));
    }

    #[test]
    fn comments_strings_and_characters_are_no_code() {
        check(
            "a // b\nc /* d /* e */ f */ g",
            expect![[r#"
            a 
            c  g"#]],
        );
        check(
            r#"a("b // \" c", 'd', '"', '\'', &'e f)"#,
            expect![[r#"a("", , , , &'e f)"#]],
        );
        check(
            "r#\"a \" b\"# c\n\"d\ne\" f",
            expect![[r#"
            "" c
            ""
             f"#]],
        );
    }
}
