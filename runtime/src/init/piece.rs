//! Lines to insert: sections of entries. Pure.

/// A section with its entries, each with all of its lines.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Section<'p> {
    /// `Resources` or `[endpoints]`.
    pub(super) key: &'p str,
    /// Each entry's key and lines, which end with a line break.
    pub(super) entries: Vec<(&'p str, String)>,
}

/// Splits YAML of this module's templates: sections begin at the first column, entries at the third.
pub(super) fn of_yaml(piece: &str) -> Vec<Section<'_>> {
    split(
        piece,
        |line| line.strip_suffix(':').filter(|_| !line.starts_with(' ')),
        |line| {
            let entry = line.strip_prefix("  ")?;
            let key = entry.split_once(':')?.0;
            (!entry.starts_with(' ')).then_some(key)
        },
    )
}

/// Splits TOML of this module's templates: each entry is one line.
pub(super) fn of_toml(piece: &str) -> Vec<Section<'_>> {
    split(
        piece,
        |line| line.starts_with('[').then_some(line),
        |line| Some(line.split_once(" = ")?.0),
    )
}

fn split<'p>(
    piece: &'p str,
    section: impl Fn(&'p str) -> Option<&'p str>,
    entry: impl Fn(&'p str) -> Option<&'p str>,
) -> Vec<Section<'p>> {
    let mut sections: Vec<Section<'p>> = Vec::new();
    for line in piece.lines() {
        if let Some(key) = section(line) {
            let entries = Vec::new();
            sections.push(Section { key, entries });
            continue;
        }
        let Some(last) = sections.last_mut() else {
            continue;
        };
        if let Some(key) = entry(line) {
            last.entries.push((key, String::new()));
        }
        if let Some((_, lines)) = last.entries.last_mut() {
            lines.push_str(line);
            lines.push('\n');
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_split_at_sections_and_entries() {
        let sections =
            of_yaml("Parameters:\n  A: !Not\n    Type: x\nResources:\n  B:\n    C:\n  D:\n");
        let entry = |key, text: &str| (key, text.to_owned());
        let parameters = vec![entry("A", "  A: !Not\n    Type: x\n")];
        let resources = vec![entry("B", "  B:\n    C:\n"), entry("D", "  D:\n")];
        let (first, second) = ("Parameters", "Resources");
        assert_eq!(
            sections,
            [
                Section {
                    key: first,
                    entries: parameters
                },
                Section {
                    key: second,
                    entries: resources
                }
            ]
        );
        let tables = of_toml("[a.b]\nx = 1\n\"y.z\" = 2\n");
        let entries = vec![entry("x", "x = 1\n"), entry("\"y.z\"", "\"y.z\" = 2\n")];
        assert_eq!(
            tables,
            [Section {
                key: "[a.b]",
                entries
            }]
        );
    }
}
