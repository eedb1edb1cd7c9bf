//! Files, environment and command line, laid over one another.
//!
//! figment merges the values: what comes later wins, key by key, and lists are replaced whole. Our
//! trees remember the places. A stream or a producer is an atom: two files that both define it do
//! not blend into a third thing that stands nowhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use figment::value::{Dict, Map, Tag, Value};
use figment::{Figment, Metadata, Profile, Provider, Source};

use super::node::{Content, Entry, Node};
use super::place::{Origin, Place};
use super::problem::{Problem, Wrong};
use super::{search, variables, yaml};
use crate::outside::Surroundings;

/// Sections whose entries have names of their own, and are atoms.
const ATOMS: [&str; 2] = ["streams", "producers"];

/// Where to read from, as the command line says.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Files and folders; none: the usual places.
    pub paths: Vec<PathBuf>,
    /// `section.key=value`, laid over all else.
    pub set: Vec<String>,
}

/// Everything that was written, as one tree.
pub struct Merged {
    pub root: Node,
    /// The files that were read, in order.
    pub files: Vec<PathBuf>,
}

/// `None` when a file could not be read at all: half a configuration would only add problems that
/// are none.
pub fn read(
    sources: &Sources,
    surroundings: &Surroundings,
    problems: &mut Vec<Problem>,
) -> Option<Merged> {
    let files = search::files(&sources.paths, surroundings, problems);
    let trees = files.iter().map(|path| file(path, surroundings, problems));
    let trees: Vec<Option<Node>> = trees.collect();
    let readable = !files.is_empty() && trees.iter().all(Option::is_some);
    let mut layers: Vec<Node> = trees.into_iter().flatten().collect();
    for (variable, text) in surroundings.variables() {
        layers.extend(from_variable(variable, text, problems));
    }
    for argument in &sources.set {
        layers.extend(from_argument(argument, problems));
    }
    report_second_definitions(&layers, problems);
    readable.then(|| Merged {
        root: merge(layers),
        files,
    })
}

fn file(path: &Path, surroundings: &Surroundings, problems: &mut Vec<Problem>) -> Option<Node> {
    let origin = Arc::new(Origin::File(path.to_owned()));
    let (place, wrong) = match surroundings.read_text(path) {
        Ok(text) => {
            let node = yaml::parse(&text, &origin, problems)?;
            let what = format!("expected sections, found {}", node.kind());
            match node.content {
                Content::Block(_) | Content::Nothing => return Some(node),
                Content::Scalar(_) | Content::List(_) => {
                    let hint = "lines such as `streams:`, with what belongs to them indented below";
                    (node.place, Wrong::new(what).hint(hint))
                }
            }
        }
        Err(error) => {
            let what = format!("the file cannot be read: {error}");
            (Place::whole(origin), Wrong::new(what))
        }
    };
    problems.push(Problem {
        place: Some(place),
        path: String::new(),
        wrong,
    });
    None
}

fn from_variable(variable: &str, text: &str, problems: &mut Vec<Problem>) -> Option<Node> {
    let origin = Origin::Environment(variable.to_owned());
    match variables::path(variable, text) {
        Ok(path) => {
            let path = path?;
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            laid_over(&path, text, origin, problems)
        }
        Err(wrong) => {
            problems.push(Problem {
                place: Some(Place::whole(Arc::new(origin))),
                path: String::new(),
                wrong,
            });
            None
        }
    }
}

fn from_argument(argument: &str, problems: &mut Vec<Problem>) -> Option<Node> {
    let (key, text) = argument.split_once('=').unwrap_or((argument, ""));
    let path: Vec<&str> = key.split('.').collect();
    let origin = Origin::CommandLine(key.to_owned());
    if !argument.contains('=') || path.len() < 2 {
        problems.push(Problem {
            place: Some(Place::whole(Arc::new(origin))),
            path: String::new(),
            wrong: Wrong::new("expected `section.key=value`")
                .hint("for example `--set storage.max_size=50GiB`"),
        });
        return None;
    }
    laid_over(&path, text, origin, problems)
}

/// The tree in which only `path` is set. A block and a list are read as YAML; anything else is taken
/// as it is, and so is `[::1]:4573`.
fn laid_over(
    path: &[&str],
    text: &str,
    origin: Origin,
    problems: &mut Vec<Problem>,
) -> Option<Node> {
    let origin = Arc::new(origin);
    let place = Place::whole(origin.clone());
    if ATOMS.contains(&path[0]) {
        let wrong = Wrong::new(format!("`{}` can only be set in a file", path[0]));
        problems.push(Problem {
            place: Some(place),
            path: path.join("."),
            wrong,
        });
        return None;
    }
    let is_address = text.contains(']') && !text.trim_end().ends_with(']');
    let is_list = text.starts_with('[') && !is_address;
    let mut node = if text.starts_with('{') || is_list {
        yaml::parse(text, &origin, problems)?
    } else {
        Node {
            place: place.clone(),
            content: Content::Scalar(text.to_owned()),
        }
    };
    for key in path.iter().rev() {
        let entry = Entry {
            key: (*key).to_owned(),
            place: place.clone(),
            value: node,
        };
        node = Node {
            place: place.clone(),
            content: Content::Block(vec![entry]),
        };
    }
    Some(node)
}

fn report_second_definitions(layers: &[Node], problems: &mut Vec<Problem>) {
    for section in ATOMS {
        let mut seen: BTreeMap<&str, &Place> = BTreeMap::new();
        let entries = layers
            .iter()
            .filter_map(|layer| layer.entry(section))
            .flat_map(|entry| entry.value.entries());
        for entry in entries {
            let Some(first) = seen.insert(&entry.key, &entry.place) else {
                continue;
            };
            let singular = section.trim_end_matches('s');
            let what = format!("this {singular} is defined at {first} already");
            problems.push(Problem {
                place: Some(entry.place.clone()),
                path: yaml::join(section, &entry.key),
                wrong: Wrong::new(what).hint(format!("a {singular} stands in one file as a whole")),
            });
        }
    }
}

/// One layer as figment takes it; its name is its number.
struct Layer<'a> {
    number: usize,
    tree: &'a Node,
}

impl Provider for Layer<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::from("layer", Source::Custom(self.number.to_string()))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut sections = dict(self.tree);
        // A section of which everything is commented out says nothing, and hides nothing. Deeper
        // down somebody meant something.
        sections.retain(|_, section| !matches!(section, Value::Empty(..)));
        Ok(Map::from([(Profile::Default, sections)]))
    }
}

fn dict(block: &Node) -> Dict {
    let entries = block.entries().iter();
    entries
        .map(|entry| (entry.key.clone(), value(&entry.value)))
        .collect()
}

fn value(node: &Node) -> Value {
    match &node.content {
        Content::Nothing => Value::Empty(Tag::Default, figment::value::Empty::None),
        Content::Scalar(text) => Value::String(Tag::Default, text.clone()),
        Content::List(items) => Value::Array(Tag::Default, items.iter().map(value).collect()),
        Content::Block(_) => Value::Dict(Tag::Default, dict(node)),
    }
}

fn merge(layers: Vec<Node>) -> Node {
    let mut figment = Figment::new();
    for (number, tree) in layers.iter().enumerate() {
        figment = figment.merge(Layer { number, tree });
    }
    let data = figment.data().expect("our layers never fail");
    let merged = data.into_values().next().unwrap_or_default();
    let places = Places { figment, layers };
    let nowhere = || Place::whole(Arc::new(Origin::Default));
    Node {
        place: places
            .layers
            .first()
            .map_or_else(nowhere, |layer| layer.place.clone()),
        content: Content::Block(places.entries(merged, &[])),
    }
}

/// Finds again what figment merged: it knows the layer of each value, the layer knows the place.
struct Places {
    figment: Figment,
    layers: Vec<Node>,
}

impl Places {
    fn entries(&self, merged: Dict, path: &[&str]) -> Vec<Entry> {
        let entry = |(key, value): (String, Value)| {
            let path: Vec<&str> = path.iter().copied().chain([key.as_str()]).collect();
            let written = self.written(&value, &path);
            Entry {
                place: written.place.clone(),
                value: self.node(value, &path, written),
                key,
            }
        };
        merged.into_iter().map(entry).collect()
    }

    fn node(&self, value: Value, path: &[&str], written: &Entry) -> Node {
        let content = match value {
            Value::Dict(_, dict) => Content::Block(self.entries(dict, path)),
            // Everything else comes from one layer as a whole.
            _ => written.value.content.clone(),
        };
        Node {
            place: written.value.place.clone(),
            content,
        }
    }

    fn written(&self, value: &Value, path: &[&str]) -> &Entry {
        let metadata = self.figment.get_metadata(value.tag());
        let number = metadata.and_then(|metadata| metadata.source.as_ref()?.custom()?.parse().ok());
        let layer = number.and_then(|number: usize| self.layers.get(number));
        let entry = layer.and_then(|layer| {
            let (last, parents) = path.split_last()?;
            let mut parent = layer;
            for key in parents {
                parent = &parent.entry(key)?.value;
            }
            parent.entry(last)
        });
        entry.expect("figment names the layer in which a value stands")
    }
}
