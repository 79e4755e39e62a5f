//! YAML with `CloudFormation`'s short tags.
//!
//! `!Sub text` becomes the mapping `{Fn::Sub: text}`, so later modules read one form only.
//! Aliases are expanded, up to [`MAX_NODES`]; `CloudFormation` has no merge keys.
//!
//! The parser accepts what `PyYAML` accepts, with which the SAM CLI reads templates: the lines of a
//! flow collection or a quoted text may start at the column of their key or left of it.
//! `docs/reference/conformance/yaml.md` lists what is refused; `suite_tests` runs the public YAML test suite.

use std::collections::HashMap;
use std::ops::ControlFlow::{self, Break, Continue};

use granit_parser::{Event, Parser, ScalarStyle, Span, Tag, options};

use super::node::{Entry, Kind, Node};
use super::problems::Problems;

/// More nodes than a template of 1 MB can hold, fewer than an alias bomb needs.
const MAX_NODES: usize = 200_000;
/// Levels of nesting: more than any template has, fewer than would overflow the stack.
pub(super) const MAX_DEPTH: usize = 100;
/// Prefix of YAML's own tags (`!!str`), resolved.
const YAML_TAGS: &str = "tag:yaml.org,2002:";

/// Short tags and their functions.
const SHORT: [(&str, &str); 17] = [
    ("Ref", "Ref"),
    ("Condition", "Condition"),
    ("Sub", "Fn::Sub"),
    ("GetAtt", "Fn::GetAtt"),
    ("Join", "Fn::Join"),
    ("If", "Fn::If"),
    ("Equals", "Fn::Equals"),
    ("And", "Fn::And"),
    ("Or", "Fn::Or"),
    ("Not", "Fn::Not"),
    ("Select", "Fn::Select"),
    ("Split", "Fn::Split"),
    ("FindInMap", "Fn::FindInMap"),
    ("Base64", "Fn::Base64"),
    ("ImportValue", "Fn::ImportValue"),
    ("GetAZs", "Fn::GetAZs"),
    ("Transform", "Fn::Transform"),
];

/// Stands for the function of an unknown tag: its value is ignored, as the tag is reported.
const UNKNOWN: &str = "";

/// Reads one document. `None` when it cannot be read; the reason is reported.
pub fn parse_yaml(text: &str, problems: &Problems) -> Option<Node> {
    let mut builder = Builder {
        problems,
        anchors: HashMap::new(),
        open: Vec::new(),
        root: None,
        made: 0,
    };
    for event in Parser::new_from_str_with_options(text, options! { emit_comments: false }) {
        match event {
            Ok((event, span)) => {
                if builder.take(event, span).is_break() {
                    return None;
                }
            }
            Err(error) => {
                let message = format!(
                    "this is not YAML: {}. Check indentation, quotes and brackets here and on the \
                     line before.",
                    error.info()
                );
                builder.problems.error(error.marker().line(), message);
                return None;
            }
        }
    }
    let root = builder.root.take();
    if root.is_none() {
        problems.error(1, "the file is empty");
    }
    root
}

struct Builder<'p> {
    problems: &'p Problems,
    anchors: HashMap<usize, Node>,
    open: Vec<Open>,
    root: Option<Node>,
    made: usize,
}

/// A collection whose end has not been read.
struct Open {
    line: usize,
    anchor: usize,
    tag: Option<&'static str>,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    /// The entries, and the key whose value is read next.
    Map(Vec<Entry>, Option<(String, usize)>),
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> ControlFlow<()> {
        // A collection begins below its tag, and messages name the tag's function.
        let line = span.tag_start().unwrap_or(span.start).line();
        match event {
            Event::DocumentStart(..) if self.root.is_some() => {
                let message = "a second YAML document starts here. Write one document to a file.";
                return self.stop(line, message);
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain
                    && tag
                        .as_deref()
                        .is_none_or(|tag| tag.is_yaml_core_schema_tag("null"));
                let null = plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let node = if null {
                    Node::null(line)
                } else {
                    Node::scalar(line, text)
                };
                let tag = self.tag(tag.as_deref(), line);
                return self.place(wrap(tag, node), anchor);
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.open(line, anchor, tag.as_deref(), Content::List(Vec::new()));
            }
            Event::MappingStart(_, anchor, tag) => {
                self.open(line, anchor, tag.as_deref(), Content::Map(Vec::new(), None));
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(done) = self.open.pop() else {
                    return Continue(());
                };
                let node = match done.content {
                    Content::List(items) => Node::list(done.line, items),
                    Content::Map(entries, _) => Node::map(done.line, entries),
                };
                return self.place(wrap(done.tag, node), done.anchor);
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    let message = "this alias names an anchor that is not complete here. Write \
                        the value out.";
                    return self.stop(line, message);
                };
                self.made += count(&node);
                return self.place(node, 0);
            }
            _ => {}
        }
        if self.open.len() > MAX_DEPTH {
            return self.stop(line, too_deep());
        }
        Continue(())
    }

    /// Reports why the rest cannot be read.
    fn stop(&self, line: usize, message: impl Into<String>) -> ControlFlow<()> {
        self.problems.error(line, message);
        Break(())
    }

    fn open(&mut self, line: usize, anchor: usize, tag: Option<&Tag>, content: Content) {
        let tag = self.tag(tag, line);
        self.open.push(Open {
            line,
            anchor,
            tag,
            content,
        });
    }

    /// The function a short tag stands for; YAML's own tags (`!!str`) change nothing.
    fn tag(&self, tag: Option<&Tag>, line: usize) -> Option<&'static str> {
        let tag =
            tag.filter(|t| t.suffix_in_namespace(YAML_TAGS).is_none() && t.original() != "!")?;
        let found = SHORT.iter().find(|(short, _)| tag.parts() == ("!", *short));
        if let Some((_, long)) = found {
            return Some(long);
        }
        let hint = super::nearest(tag.suffix(), SHORT.iter().map(|(short, _)| *short)).map_or_else(
            || {
                format!(
                    "Known are {}.",
                    SHORT.map(|(short, _)| format!("!{short}")).join(", ")
                )
            },
            |near| format!("Did you mean !{near}?"),
        );
        let written = tag.original();
        let message = format!("{written} is not a function this host evaluates. {hint}");
        self.problems.error(line, message);
        Some(UNKNOWN)
    }

    fn place(&mut self, node: Node, anchor: usize) -> ControlFlow<()> {
        self.made += 1;
        if self.made > MAX_NODES {
            let message = format!(
                "more than {MAX_NODES} values once aliases are written out. Use fewer aliases."
            );
            return self.stop(node.line, message);
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map(entries, key)) => match key.take() {
                Some((name, line)) => {
                    add_entry(Entry::new(name, line, node), entries, self.problems);
                }
                None => match node.kind {
                    Kind::Scalar(text) => *key = Some((text, node.line)),
                    Kind::Null => *key = Some((String::new(), node.line)),
                    _ => {
                        let message = "a key must be plain text. Write `name: value`.";
                        return self.stop(node.line, message);
                    }
                },
            },
        }
        Continue(())
    }
}

/// Adds an entry to a mapping; a key that it has already is an error.
pub(super) fn add_entry(entry: Entry, entries: &mut Vec<Entry>, problems: &Problems) {
    if let Some(first) = entries.iter().find(|earlier| earlier.key == entry.key) {
        let message = format!(
            "{} is written twice here (first on line {}). Keep one.",
            entry.key, first.line
        );
        problems.error(entry.line, message);
    }
    entries.push(entry);
}

/// Why a text deeper than [`MAX_DEPTH`] is refused.
pub(super) fn too_deep() -> String {
    format!("nested more than {MAX_DEPTH} deep. Flatten this part.")
}

fn wrap(tag: Option<&'static str>, node: Node) -> Node {
    match tag {
        Some(UNKNOWN) => Node::null(node.line),
        Some(function) => Node::map(node.line, vec![Entry::new(function, node.line, node)]),
        None => node,
    }
}

fn count(node: &Node) -> usize {
    match &node.kind {
        Kind::List(items) => 1 + items.iter().map(count).sum::<usize>(),
        Kind::Map(entries) => 1 + entries.iter().map(|e| count(&e.value)).sum::<usize>(),
        _ => 1,
    }
}
