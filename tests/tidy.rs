//! The house rules that a compiler does not know. Each offence is named by file and line, and each
//! rule is shown a text that breaks it, so that it cannot fall asleep.
//!
//! These rules look at text, not at syntax trees: they catch slips, not malice.

#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/scan.rs"]
mod scan;

use std::fs;
use std::path::{Path, PathBuf};

use expect_test::{Expect, expect};
use scan::Source;

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

/// `line` counts from 1.
struct Offence {
    line: usize,
    what: String,
}

type Rule = fn(&Source) -> Vec<Offence>;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file of ours, sorted by path.
fn sources() -> Vec<Source> {
    fn gather(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let is_rust = path.extension().is_some_and(|extension| extension == "rs");
            match path.is_dir() {
                // Programs of other people's world: Node modules, virtual environments.
                true if path.ends_with("tests/real") => {}
                true => gather(&path, found),
                false if is_rust => found.push(path),
                false => {}
            }
        }
    }
    let mut paths = Vec::new();
    for folder in ["src", "tests", "benches"] {
        gather(&root().join(folder), &mut paths);
    }
    paths.sort();
    let read = |path: &PathBuf| {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        Source::new(&name, &fs::read_to_string(path).unwrap())
    };
    paths.iter().map(read).collect()
}

#[track_caller]
fn holds_everywhere(rule: Rule) {
    let mut told = Vec::new();
    for source in sources() {
        for Offence { line, what } in rule(&source) {
            told.push(format!("{}:{line}: {what}", source.path));
        }
    }
    assert!(
        told.is_empty(),
        "{} offences\n{}",
        told.len(),
        told.join("\n")
    );
}

/// What a rule says of a text at `path`.
#[track_caller]
fn check(rule: Rule, path: &str, text: &str, expected: Expect) {
    let offences = rule(&Source::new(path, text)).into_iter();
    let told: Vec<_> = offences
        .map(|Offence { line, what }| format!("{line}: {what}"))
        .collect();
    expected.assert_eq(&told.join("\n"));
}

fn says_why_it_exists(source: &Source) -> Vec<Offence> {
    let first = source.lines.first().map_or("", |line| line.text.as_str());
    if first.starts_with("//! ") {
        return Vec::new();
    }
    let what = "the first line is not `//! …`, which says why the file exists".to_owned();
    vec![Offence { line: 1, what }]
}

#[test]
fn every_file_says_first_why_it_exists() {
    check(
        says_why_it_exists,
        "src/retry.rs",
        "// When to try again.",
        expect!["1: the first line is not `//! …`, which says why the file exists"],
    );
    holds_everywhere(says_why_it_exists);
}

/// `B1` to `L1`, as comments cite them: whole words.
fn invariants(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric());
    words.filter(|word| {
        let mut bytes = word.bytes();
        let letter = bytes.next().is_some_and(|letter| b"BCDL".contains(&letter));
        letter && bytes.len() == 1 && bytes.all(|digit| digit.is_ascii_digit())
    })
}

/// From review: D5 was cited ten times, and stood nowhere.
fn cites_what_stands_in_lib(source: &Source) -> Vec<Offence> {
    let lib = include_str!("../src/lib.rs");
    let mut offences = Vec::new();
    for (at, line) in source.lines.iter().enumerate() {
        let comment = line
            .text
            .split_once("//")
            .map_or("", |(_, comment)| comment);
        let unknown = invariants(comment).filter(|cited| !lib.contains(&format!("- **{cited}** ")));
        offences.extend(unknown.map(|cited| Offence {
            line: at + 1,
            what: format!("{cited} is no invariant of `src/lib.rs`"),
        }));
    }
    offences
}

#[test]
fn every_invariant_that_is_cited_stands_in_lib() {
    check(
        cites_what_stands_in_lib,
        "src/a.rs",
        &format!("// As D5 says (B{}).\nlet b9 = 1; // not an X1, or B10", 9),
        expect!["1: B9 is no invariant of `src/lib.rs`"],
    );
    holds_everywhere(cites_what_stands_in_lib);
}

fn file_is_short(source: &Source) -> Vec<Offence> {
    let lines = source.lines.len();
    if lines <= FILE_LINES_MAX {
        return Vec::new();
    }
    let what = format!("{lines} lines; {FILE_LINES_MAX} are the most");
    vec![Offence { line: lines, what }]
}

#[test]
fn files_are_short() {
    check(file_is_short, "src/a.rs", &"\n".repeat(600), expect![""]);
    let long = "\n".repeat(601);
    check(
        file_is_short,
        "src/a.rs",
        &long,
        expect!["601: 601 lines; 600 are the most"],
    );
    holds_everywhere(file_is_short);
}

/// Tables of cases are data, and may be long.
fn functions_are_short(source: &Source) -> Vec<Offence> {
    let long = |function: &scan::Function| FUNCTION_LINES_MAX < function.lines;
    let functions = source.functions().into_iter().filter(long);
    functions
        .filter(|function| !source.lines[function.start].in_tests)
        .map(|function| Offence {
            line: function.start + 1,
            what: format!(
                "`{}` has {} lines; {FUNCTION_LINES_MAX} are the most",
                function.name, function.lines
            ),
        })
        .collect()
}

#[test]
fn every_function_is_short() {
    let text = |lines| {
        format!(
            "impl A {{\n    fn b(\n    ) {{{}    }}\n}}\n",
            "\n".repeat(lines)
        )
    };
    check(functions_are_short, "src/a.rs", &text(68), expect![]);
    check(
        functions_are_short,
        "src/a.rs",
        &text(69),
        expect!["2: `b` has 71 lines; 70 are the most"],
    );
    check(functions_are_short, "tests/a.rs", &text(69), expect![]);
    holds_everywhere(functions_are_short);
}

fn is_finished(source: &Source) -> Vec<Offence> {
    let anywhere = [concat!("TO", "DO"), concat!("FIX", "ME")];
    let in_code = ["todo!", "unimplemented!", "dbg!", "unsafe ", "#[ignore"];
    let mut offences = Vec::new();
    for (index, line) in source.lines.iter().enumerate() {
        let found = anywhere.iter().filter(|word| line.text.contains(**word));
        let found = found.chain(in_code.iter().filter(|word| line.code.contains(**word)));
        offences.extend(found.map(|word| Offence {
            line: index + 1,
            what: format!("`{}` has no place here", word.trim()),
        }));
    }
    offences
}

#[test]
fn nothing_is_left_undone() {
    check(
        is_finished,
        "src/a.rs",
        "// unsafe words are fine\nfn a() { todo!(\"later\") }\n#[ignore]\nlet b = \"dbg!\";",
        expect![[r#"
            2: `todo!` has no place here
            3: `#[ignore` has no place here"#]],
    );
    holds_everywhere(is_finished);
}

fn names_what_holds(source: &Source) -> Vec<Offence> {
    let lines = source.lines.iter().enumerate();
    lines
        .filter(|(_, line)| !line.in_tests && line.code.contains(".unwrap()"))
        .map(|(index, _)| Offence {
            line: index + 1,
            what: "`.unwrap()` outside tests: `expect` names the invariant".to_owned(),
        })
        .collect()
}

#[test]
fn only_tests_unwrap() {
    check(
        names_what_holds,
        "src/a.rs",
        "fn a() { b.unwrap() }\n#[cfg(test)]\nmod tests {\n    fn c() { d.unwrap() }\n}\nfn e() { f.unwrap() }",
        expect![[r#"
            1: `.unwrap()` outside tests: `expect` names the invariant
            6: `.unwrap()` outside tests: `expect` names the invariant"#]],
    );
    check(
        names_what_holds,
        "tests/a.rs",
        "fn a() { b.unwrap() }",
        expect![],
    );
    holds_everywhere(names_what_holds);
}

fn selects_in_order(source: &Source) -> Vec<Offence> {
    let mut offences = Vec::new();
    for (index, line) in source.lines.iter().enumerate() {
        let Some((_, rest)) = line.code.split_once("select!") else {
            continue;
        };
        let later = source.lines[index + 1..].iter().take(3);
        let inside: String = std::iter::once(rest)
            .chain(later.map(|it| it.code.as_str()))
            .collect();
        if !inside
            .trim_start()
            .trim_start_matches('{')
            .trim_start()
            .starts_with("biased;")
        {
            let what = "`select!` without `biased;` makes two runs of one seed differ".to_owned();
            offences.push(Offence {
                line: index + 1,
                what,
            });
        }
    }
    offences
}

#[test]
fn every_select_is_biased() {
    check(
        selects_in_order,
        "src/a.rs",
        "select! {\n    biased;\n}\ntokio::select! {\n    a = b => {}\n}\n// select! {}",
        expect!["4: `select!` without `biased;` makes two runs of one seed differ"],
    );
    holds_everywhere(selects_in_order);
}

/// What may be touched in one place only, and why that place.
const DOORS: [(&str, &[&str]); 11] = [
    ("SystemTime::now", &["outside"]),
    ("std::time::Instant", &["outside"]),
    ("std::fs", &["outside"]),
    ("tokio::fs", &["outside"]),
    ("fastrand", &["outside"]),
    ("reqwest", &["outside"]),
    ("new_v4", &[]),
    // Tasks belong to a `JoinSet` that someone joins, and queues have a bound (L1).
    ("tokio::spawn", &[]),
    ("unbounded", &[]),
    ("thread::spawn", &[]),
    ("thread::sleep", &[]),
];

fn goes_through_the_doors(source: &Source) -> Vec<Offence> {
    let module = source.module();
    let mut offences = Vec::new();
    for (index, line) in source
        .lines
        .iter()
        .enumerate()
        .filter(|(_, line)| !line.in_tests)
    {
        for (word, allowed) in DOORS {
            if line.code.contains(word) && !allowed.contains(&module) {
                let what = match allowed {
                    [] => format!("`{word}` has no place here"),
                    allowed => format!("`{word}` belongs to `{}`", allowed.join("`, `")),
                };
                offences.push(Offence {
                    line: index + 1,
                    what,
                });
            }
        }
    }
    offences
}

#[test]
fn only_outside_touches_the_world() {
    check(
        goes_through_the_doors,
        "src/buffer/mod.rs",
        "use std::fs;\nlet now = SystemTime::now();\ntokio::spawn(a);\n// tokio::spawn",
        expect![[r#"
            1: `std::fs` belongs to `outside`
            2: `SystemTime::now` belongs to `outside`
            3: `tokio::spawn` has no place here"#]],
    );
    check(
        goes_through_the_doors,
        "src/outside/clock.rs",
        "SystemTime::now()",
        expect![],
    );
    holds_everywhere(goes_through_the_doors);
}

fn is_named_for_its_subject(source: &Source) -> Vec<Offence> {
    let vague = [
        "manager", "context", "common", "util", "utils", "base", "helper", "helpers", "handler",
        "handlers", "misc", "types", "traits", "errors",
    ];
    let parts = source.path.split(['/', '.', '_', '-']);
    parts
        .filter(|part| vague.contains(part))
        .map(|part| Offence {
            line: 1,
            what: format!("`{part}` names no subject"),
        })
        .collect()
}

#[test]
fn no_file_has_a_vague_name() {
    check(
        is_named_for_its_subject,
        "src/buffer/segment_utils.rs",
        "",
        expect!["1: `utils` names no subject"],
    );
    check(
        is_named_for_its_subject,
        "src/buffer/segment.rs",
        "",
        expect![],
    );
    holds_everywhere(is_named_for_its_subject);
}

#[test]
fn every_module_knows_only_what_its_layer_may() {
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let table = layers::Table::of(&lib);
    assert_eq!(
        table.disorder(&lib),
        Vec::<String>::new(),
        "the table in src/lib.rs"
    );
    let mut told = Vec::new();
    for source in sources() {
        for Offence { line, what } in table.offences(&source) {
            told.push(format!("{}:{line}: {what}", source.path));
        }
    }
    assert!(
        told.is_empty(),
        "{} offences\n{}",
        told.len(),
        told.join("\n")
    );
}

/// Paths in backticks below the heading, as far as they look like ours.
fn paths_of_the_map(readme: &str) -> Vec<(usize, String)> {
    let ours = ["src/", "tests/", "benches/", "docs/", "deploy/", ".ci/"];
    let lines = readme.lines().enumerate();
    let mut map =
        lines.skip_while(|(_, line)| !(line.starts_with('#') && line.contains("Where is")));
    map.next();
    let map = map.take_while(|(_, line)| !line.starts_with('#'));
    map.flat_map(|(index, line)| {
        let quoted = line.split('`').skip(1).step_by(2);
        let paths = quoted.filter(|it| ours.iter().any(|folder| it.starts_with(folder)));
        paths
            .map(move |path| (index + 1, path.to_owned()))
            .collect::<Vec<_>>()
    })
    .collect()
}

#[test]
fn the_map_in_the_readme_leads_to_files_that_are_there() {
    let readme =
        "# A\n`src/no`\n## Where is…?\n| keys | `src/objects/key.rs`, `x` |\n## B\n`src/no`";
    let expected = [(4, "src/objects/key.rs".to_owned())];
    assert_eq!(paths_of_the_map(readme), expected);

    let Ok(readme) = fs::read_to_string(root().join("README.md")) else {
        return;
    };
    let paths = paths_of_the_map(&readme);
    assert!(!paths.is_empty(), "README.md: the map `Where is…?` is gone");
    for (line, path) in paths {
        assert!(
            root().join(&path).exists(),
            "README.md:{line}: `{path}` is not there"
        );
    }
}
