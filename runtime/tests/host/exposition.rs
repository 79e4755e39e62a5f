//! Checks a text as Prometheus reads it: the rules of `expfmt.TextParser` in prometheus/common, and
//! those of the format's description ("Exposition formats", Prometheus documentation) that this
//! parser leaves to the scrape: one group of lines for each family, and no series twice.

use std::collections::{BTreeMap, BTreeSet};

/// The families of a valid text, or the first line that is wrong, with the reason.
pub(crate) fn check(text: &str) -> Result<BTreeSet<String>, String> {
    let mut checked = Checked::default();
    let whole = text
        .strip_suffix('\n')
        .ok_or("the text does not end with a line break")?;
    for line in whole.split('\n') {
        checked
            .line(line)
            .map_err(|wrong| format!("{wrong}: {line}"))?;
    }
    Ok(checked.families.into_keys().collect())
}

#[derive(Default)]
struct Family {
    kind: Option<String>,
    help: bool,
    samples: bool,
}

#[derive(Default)]
struct Checked {
    families: BTreeMap<String, Family>,
    /// The family whose lines are being read.
    current: String,
    series: BTreeSet<String>,
}

impl Checked {
    fn line(&mut self, line: &str) -> Result<(), String> {
        match line
            .strip_prefix("# ")
            .and_then(|rest| rest.split_once(' '))
        {
            Some(("HELP", rest)) => self.comment(rest, true),
            Some(("TYPE", rest)) => self.comment(rest, false),
            _ if line.starts_with('#') || line.is_empty() => Ok(()),
            _ => self.sample(line),
        }
    }

    /// The family of a name: the parts of a summary or histogram have the family without suffix.
    fn family_of(&self, name: &str) -> String {
        let of = |suffixes: &[&str], kind: &str| {
            let bases = suffixes
                .iter()
                .filter_map(|suffix| name.strip_suffix(suffix));
            bases.into_iter().find(|base| {
                self.families
                    .get(*base)
                    .is_some_and(|family| family.kind.as_deref() == Some(kind))
            })
        };
        if self.families.contains_key(name) {
            return name.to_owned();
        }
        let part = of(&["_sum", "_count"], "summary")
            .or_else(|| of(&["_sum", "_count", "_bucket"], "histogram"));
        part.unwrap_or(name).to_owned()
    }

    /// Lines of one family stand together.
    fn enter(&mut self, family: &str) -> Result<&mut Family, String> {
        if self.current != family && self.families.contains_key(family) {
            return Err(format!("lines of {family} stand apart"));
        }
        family.clone_into(&mut self.current);
        Ok(self.families.entry(family.to_owned()).or_default())
    }

    fn comment(&mut self, rest: &str, is_help: bool) -> Result<(), String> {
        let (name, text) = rest.split_once(' ').unwrap_or((rest, ""));
        if !is_name(name, true) {
            return Err("no metric name".into());
        }
        let family = self.family_of(name);
        if family != name {
            return Err(format!("{name} is a part of {family}"));
        }
        let family = self.enter(name)?;
        if is_help {
            unescaped(text, &['\\', 'n'])?;
            return if std::mem::replace(&mut family.help, true) {
                Err("a second HELP line".into())
            } else {
                Ok(())
            };
        }
        if family.samples {
            return Err("TYPE after the samples".into());
        }
        if !["counter", "gauge", "histogram", "summary", "untyped"].contains(&text) {
            return Err("an unknown type".into());
        }
        if family.kind.replace(text.to_owned()).is_some() {
            Err("a second TYPE line".into())
        } else {
            Ok(())
        }
    }

    fn sample(&mut self, line: &str) -> Result<(), String> {
        let end = line.find(['{', ' ']).ok_or("a name without a value")?;
        let (name, mut rest) = line.split_at(end);
        if !is_name(name, true) {
            return Err("no metric name".into());
        }
        let mut labels = BTreeMap::new();
        if rest.starts_with('{') {
            rest = labels_of(&rest[1..], &mut labels)?;
        }
        let values: Vec<&str> = rest.split_ascii_whitespace().collect();
        let [value] = values.as_slice() else {
            return Err("not one value".into());
        };
        let known = matches!(*value, "+Inf" | "-Inf" | "NaN");
        if !known && !value.starts_with(|c: char| c.is_ascii_digit() || c == '-')
            || value.parse::<f64>().is_err()
        {
            return Err(format!("{value} is no number"));
        }
        let family = self.family_of(name);
        let of = self.enter(&family)?;
        of.samples = true;
        let needs = match of.kind.as_deref() {
            None => return Err("a sample without a TYPE line".into()),
            Some("summary") if family == name => Some("quantile"),
            Some("histogram") if name.ends_with("_bucket") => Some("le"),
            Some("histogram") if family == name => return Err("a histogram has parts only".into()),
            Some(_) => None,
        };
        if let Some(needs) = needs.filter(|label| {
            labels
                .get(*label)
                .is_none_or(|value| value.parse::<f64>().is_err())
        }) {
            return Err(format!("the label {needs} is missing or no number"));
        }
        if !self.series.insert(format!("{name} {labels:?}")) {
            return Err("a series twice".into());
        }
        Ok(())
    }
}

/// Reads labels up to the closing brace; yields what follows.
fn labels_of<'t>(
    mut rest: &'t str,
    into: &mut BTreeMap<String, String>,
) -> Result<&'t str, String> {
    while !rest.starts_with('}') {
        let (name, after) = rest.split_once("=\"").ok_or("a label without a value")?;
        if !is_name(name, false) || name == "__name__" {
            return Err(format!("{name} is no label"));
        }
        let mut escaped = false;
        let quote = |c: char| {
            let before = std::mem::replace(&mut escaped, false);
            escaped = c == '\\' && !before;
            !before && c == '"'
        };
        let end = after.find(quote).ok_or("a value without its end")?;
        let value = unescaped(&after[..end], &['\\', 'n', '"'])?;
        if into.insert(name.to_owned(), value).is_some() {
            return Err(format!("the label {name} twice"));
        }
        rest = &after[end + 1..];
        rest = match rest.strip_prefix(',') {
            Some(more) => more,
            None if rest.starts_with('}') => rest,
            None => return Err("neither a comma nor the end after a label".into()),
        };
    }
    Ok(&rest[1..])
}

fn unescaped(text: &str, known: &[char]) -> Result<String, String> {
    let mut out = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let escaped = if character == '\\' {
            characters.next()
        } else {
            None
        };
        match escaped {
            Some('n') => out.push('\n'),
            Some(escaped) if known.contains(&escaped) => out.push(escaped),
            Some(_) => return Err("an unknown escape".into()),
            None if character == '\\' => return Err("an escape without a character".into()),
            None => out.push(character),
        }
    }
    Ok(out)
}

fn is_name(name: &str, colons: bool) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colons && c == ':');
    !name.is_empty() && name.chars().all(fits) && !name.starts_with(|c: char| c.is_ascii_digit())
}

#[test]
fn a_text_that_prometheus_refuses_is_refused() {
    let head = "# HELP a x\n# TYPE a summary\n";
    assert!(
        check(&format!(
            "{head}a_sum{{l=\"\\\\ \\\" \\n\"}} +Inf\na_count 1e+3\n"
        ))
        .is_ok()
    );
    for wrong in [
        "a_sum 1\n# TYPE a_count summary\n",
        "# TYPE a summary\n",
        "# HELP a y\n",
        "a_sum 1\n# TYPE b gauge\nb 1\na_count 1\n",
        "a_sum 1\na_sum 2\n",
        "a_sum{l=\"1\",l=\"2\"} 1\n",
        "a_sum{1=\"1\"} 1\n",
        "a_sum{l=\"\\r\"} 1\n",
        "a_sum{l=\"1} 1\n",
        "a_sum inf\n",
        "a 1\n",
        "b 1\n",
        "a_sum 1",
    ] {
        assert!(check(&format!("{head}{wrong}")).is_err(), "{wrong}");
    }
}
