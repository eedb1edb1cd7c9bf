//! `delivery.yaml` is the reference: each of its commented blocks is true.

use std::fmt::Write;
use std::fs;

use crate::certificates::OURS;
use crate::world::{STREAM, World};

/// Everything that the reference's secrets and files name.
fn reference(text: String) -> World {
    World::default()
        .file("delivery.yaml", text)
        .file("tls.crt", OURS.certificate.as_str())
        .file("tls.key", OURS.key.as_str())
        .file("ca.crt", OURS.certificate.as_str())
        .file("client.crt", OURS.certificate.as_str())
        .file("client.key", OURS.key.as_str())
        .file("secrets/web", "s")
        .file("run/events-token", "t")
        .variable("CREDENTIALS_DIRECTORY", "run")
        .variable("ADMIN_TOKEN", "t")
        .variable("MINIO_SECRET", "s")
        .variable("MINIO_SESSION_TOKEN", "s")
        .file("secrets/minio", "s")
        .file("secrets/collector", "s")
        .file("secrets/hec", "t")
        .variable("TEAM", "web")
        .variable("PARTNER_KEY", "s")
        .file("minio-ca.crt", OURS.certificate.as_str())
        .variable("EVENTS_TOKEN", "t")
}

/// The text with the chosen `#: ` blocks taken in; a block is a run of such lines.
fn uncommented(text: &str, is_chosen: impl Fn(usize) -> bool) -> (String, usize) {
    let (mut out, mut blocks, mut inside) = (String::new(), 0, false);
    for line in text.lines() {
        let reference = line.strip_prefix("#:");
        if reference.is_some() && !inside {
            blocks += 1;
        }
        inside = reference.is_some();
        match reference {
            Some(rest) if is_chosen(blocks - 1) => {
                let rest = rest.strip_prefix(' ').unwrap_or(rest);
                writeln!(out, "{rest}").unwrap();
            }
            _ => writeln!(out, "{line}").unwrap(),
        }
    }
    (out, blocks)
}

#[test]
fn the_reference_in_delivery_yaml_is_true_block_by_block_and_as_a_whole() {
    let text = fs::read_to_string("delivery.yaml").unwrap();
    let (plain, blocks) = uncommented(&text, |_| false);
    assert_eq!(plain, text);
    assert!(10 <= blocks, "the reference has shrunk to {blocks} blocks");
    World::default()
        .file("delivery.yaml", text.clone())
        .load()
        .expect("a fresh clone runs");
    for block in 0..blocks {
        let (text, _) = uncommented(&text, |index| index == block);
        // A stream alone names a profile that another block defines.
        let is_there = text.contains("\n  minio:");
        let with_profiles = text.contains("profile: minio") && !is_there;
        let text = if with_profiles {
            format!("{text}\naws: {{ minio: {{ region: eu-west-1 }} }}\n")
        } else {
            text
        };
        if let Err(problems) = reference(text).load() {
            panic!("block {block}: {problems}");
        }
    }
    let (whole, _) = uncommented(&text, |_| true);
    if let Err(problems) = reference(whole).load() {
        panic!("{problems}");
    }
}

#[test]
fn the_reference_names_every_key() {
    let text = fs::read_to_string("delivery.yaml").unwrap();
    for key in standpipe::config::known_keys() {
        let written = text.contains(&format!("{key}:"));
        assert!(written, "`{key}` is not in the reference");
    }
}

#[test]
fn the_examples_of_the_documentation_are_true() {
    let mut examples = 0;
    for page in ["README.md", "docs/configuration.md", "docs/operations.md"] {
        let text = fs::read_to_string(page).unwrap();
        for block in text.split("```yaml\n").skip(1) {
            let (example, _) = block.split_once("```").expect("an example ends");
            let has_streams = example.lines().any(|line| line == "streams:");
            let rest = if has_streams { "" } else { STREAM };
            if let Err(problems) = reference(format!("{example}{rest}")).load() {
                panic!("{page}: {problems}\n{example}");
            }
            examples += 1;
        }
    }
    assert!(3 <= examples, "{examples} examples are left");
}

/// The text between the marks of a documented error, and what really is said.
#[test]
fn the_documented_error_is_what_is_said() {
    let text = fs::read_to_string("docs/configuration.md").unwrap();
    let (_, shown) = text.split_once("```text\nerror: ").unwrap();
    let (shown, _) = shown.split_once("\n```").unwrap();
    let yaml = "storage:\n  max_size: 5 megs\n  directry: ./data\nlisten:\nstreams:\n  clicks:\n    \
                source: direct_put\n    destination: { directory: { path: out } }\n    \
                buffering: { interval: 30s }\n";
    let problems = World::default()
        .file("delivery.yaml", yaml)
        .load()
        .unwrap_err();
    assert_eq!(problems.to_string(), shown);
}
