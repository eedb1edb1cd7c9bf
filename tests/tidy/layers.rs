//! Who may know whom, as the table in `src/lib.rs` says.

use std::collections::BTreeMap;

use super::Offence;
use super::scan::Source;

/// Module → the modules it may know, in the table's order.
pub struct Table {
    order: Vec<String>,
    known: BTreeMap<String, Vec<String>>,
}

impl Table {
    /// Rows look like ``//! | `name` | other, other |``.
    pub fn of(lib: &str) -> Table {
        let mut table = Table {
            order: Vec::new(),
            known: BTreeMap::new(),
        };
        for row in lib.lines().filter_map(|line| line.strip_prefix("//! | `")) {
            let Some((module, known)) = row.split_once("` |") else {
                continue;
            };
            let known = known.trim().trim_end_matches('|').split(',');
            let known = known
                .map(|name| name.trim().to_owned())
                .filter(|name| !name.is_empty());
            table.order.push(module.to_owned());
            table.known.insert(module.to_owned(), known.collect());
        }
        table
    }

    /// Modules without a row, rows without a module, and knowledge that points downwards: a cycle.
    pub fn disorder(&self, lib: &str) -> Vec<String> {
        let mut told = Vec::new();
        let modules: Vec<_> = lib
            .lines()
            .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
            .collect();
        for module in modules
            .iter()
            .filter(|module| !self.known.contains_key(**module))
        {
            told.push(format!("`{module}` has no row"));
        }
        for (index, module) in self.order.iter().enumerate() {
            if !modules.contains(&module.as_str()) {
                told.push(format!("`{module}` is no module"));
            }
            for other in &self.known[module] {
                if !self.order[..index].contains(other) {
                    told.push(format!(
                        "`{module}` knows `{other}`, which does not stand above it"
                    ));
                }
            }
        }
        told
    }

    pub fn offences(&self, source: &Source) -> Vec<Offence> {
        let module = source.module();
        let Some(known) = self.known.get(module) else {
            return Vec::new();
        };
        let allowed = |name: &String| name == module || known.contains(name);
        references(source)
            .into_iter()
            .filter(|(_, name)| !allowed(name))
            .map(|(index, name)| Offence {
                line: index + 1,
                what: format!(
                    "`{module}` may not know `{name}`: {}",
                    source.lines[index].text.trim()
                ),
            })
            .collect()
    }
}

/// Every `crate::name`, also as `crate::{name, other::…}` over several lines, with the index of the
/// line where the name stands.
fn references(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    // Braces open since `crate::{`; names count directly inside the first.
    let mut depth = 0;
    let mut at_start = false;
    for (index, line) in source.lines.iter().enumerate() {
        let mut rest = line.code.as_str();
        while !rest.is_empty() {
            if depth == 0 {
                let Some((_, after)) = rest.split_once("crate::") else {
                    break;
                };
                rest = after;
                depth = usize::from(rest.starts_with('{'));
                at_start = depth == 1;
                rest = &rest[depth..];
                if depth == 0 {
                    found.extend(leading_name(rest).map(|name| (index, name)));
                }
                continue;
            }
            let c = rest.chars().next().unwrap_or(' ');
            if at_start && !c.is_whitespace() {
                found.extend(leading_name(rest).map(|name| (index, name)));
                at_start = false;
            }
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' => at_start = depth == 1,
                _ => {}
            }
            rest = &rest[c.len_utf8().min(rest.len())..];
        }
    }
    found
}

/// Modules are in lower case; macros and types at the root would not be.
fn leading_name(rest: &str) -> Option<String> {
    let word = |c: char| c.is_ascii_lowercase() || c == '_';
    let name: String = rest.chars().take_while(|c| word(*c)).collect();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const LIB: &str = "//! | `model` | |\n//! | `outside` | model |\n//! | `buffer` | model, outside |\n\
        pub mod model;\npub mod outside;\npub mod buffer;\n";

    #[track_caller]
    fn check(path: &str, text: &str, expected: Expect) {
        let offences = Table::of(LIB)
            .offences(&Source::new(path, text))
            .into_iter();
        let told: Vec<_> = offences
            .map(|it| format!("{}: {}", it.line, it.what))
            .collect();
        expected.assert_eq(&told.join("\n"));
    }

    #[test]
    fn a_module_that_knows_one_below_it_is_named_with_the_line() {
        check(
            "src/model/a.rs",
            "use crate::model::b;\nuse crate::outside::Clock;",
            expect!["2: `model` may not know `outside`: use crate::outside::Clock;"],
        );
        check(
            "src/outside.rs",
            "fn a() { crate::buffer::open() }",
            expect!["1: `outside` may not know `buffer`: fn a() { crate::buffer::open() }"],
        );
        check(
            "src/buffer/a.rs",
            "use crate::{model, outside::{disk, crash}};",
            expect![],
        );
        check(
            "src/outside/a.rs",
            "use crate::{\n    model::{a, b},\n    buffer,\n};",
            expect!["3: `outside` may not know `buffer`: buffer,"],
        );
        check("src/main.rs", "use crate::anything;", expect![]);
    }

    #[test]
    fn the_table_itself_has_no_cycle_and_no_gap() {
        let told = |lib: &str| Table::of(lib).disorder(lib).join("; ");
        assert_eq!(told(LIB), "");
        expect!["`model` knows `buffer`, which does not stand above it"]
            .assert_eq(&told(&LIB.replace("| `model` | |", "| `model` | buffer |")));
        expect!["`sink` has no row"].assert_eq(&told(&format!("{LIB}pub mod sink;\n")));
    }
}
