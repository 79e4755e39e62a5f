//! Pages that a reader follows step by step: the tutorial, the recipe for a new function, the
//! READMEs of the examples. Each is followed here as printed.
//!
//! In the pages of `docs/` a code block may carry attributes after its language, which a
//! rendered page does not show: `file=PATH` is the contents of a file, with `below=LINE` it is
//! inserted behind that line; `run`, `send` and `remove` are commands; `output` is what `run`
//! prints.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use testkit::net::free_address;

/// A code block: what stands behind the opening fence, and the lines between the fences.
struct Block {
    attributes: Vec<String>,
    text: String,
}

impl Block {
    fn has(&self, name: &str) -> bool {
        self.attributes.iter().any(|attribute| attribute == name)
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find_map(|attribute| attribute.strip_prefix(name)?.strip_prefix('='))
    }
}

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    root.canonicalize().unwrap()
}

fn blocks(page: &str) -> Vec<Block> {
    let page = fs::read_to_string(root().join(page)).unwrap();
    let mut found: Vec<Block> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        if let Some(fence) = line.strip_prefix("```") {
            inside = !inside;
            if inside {
                found.push(Block {
                    attributes: fence.split_whitespace().map(str::to_owned).collect(),
                    text: String::new(),
                });
            }
        } else if inside {
            let text = &mut found.last_mut().unwrap().text;
            text.push_str(line);
            text.push('\n');
        }
    }
    found
}

/// Writes the files that the page prints.
fn write_files(blocks: &[Block], folder: &Path) {
    for block in blocks {
        let Some(file) = block.value("file") else {
            continue;
        };
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = match block.value("below") {
            None => block.text.clone(),
            Some(line) => {
                let before = fs::read_to_string(&path).unwrap();
                let (head, tail) = before
                    .split_once(&format!("\n{line}\n"))
                    .unwrap_or_else(|| panic!("{file} has no line \"{line}\""));
                format!("{head}\n{line}\n{}\n{tail}", block.text)
            }
        };
        fs::write(path, text).unwrap();
    }
}

fn commands(blocks: &[Block], name: &str) -> String {
    let texts: Vec<&str> = blocks
        .iter()
        .filter(|block| block.has(name))
        .map(|block| block.text.as_str())
        .collect();
    assert!(!texts.is_empty(), "the page has no block \"{name}\"");
    texts.concat()
}

/// The folder of the programs that this test was built with.
fn programs() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_usher"))
        .parent()
        .unwrap()
        .to_owned()
}

/// Runs commands as a shell would, with `usher` in the path. `usher up` returns once the host
/// serves, and drains when the commands have ended.
fn shell(folder: &Path, commands: &str) -> Output {
    let control = free_address();
    let script = format!(
        r#"set -euo pipefail
usher() {{
  [[ $1 == up ]] || {{ command usher "$@"; return; }}
  command usher "$@" --control {control} 9>&- &
  host=$!
  until curl --silent --fail --output /dev/null http://{control}/_usher/status; do
    kill -0 $host
    sleep 0.1
  done
}}
finish() {{
  code=$?
  [[ -z ${{host:-}} ]] || {{ kill -INT $host && wait $host; }} || code=1
  [[ -z $(jobs -p) ]] || kill $(jobs -p) 2>/dev/null || true
  exit $code
}}
trap finish EXIT
{commands}"#
    );
    Command::new("bash")
        .args(["-c", &script])
        .current_dir(folder)
        .env("PATH", format!("{}:{}", programs().display(), path()))
        .env("CARGO_TARGET_DIR", programs().parent().unwrap())
        // The servers run already: `make servers` only checks that they answer.
        .env("USHER_SERVERS", "elsewhere")
        .env_remove("RUST_LOG")
        .output()
        .unwrap()
}

fn path() -> String {
    std::env::var("PATH").unwrap()
}

/// What the commands printed; they must have succeeded.
#[track_caller]
fn printed(output: &Output) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{}\n{text}", output.status);
    text
}

#[track_caller]
fn assert_printed(text: &str, blocks: &[Block]) {
    for line in commands(blocks, "output").lines() {
        assert!(text.contains(line), "\"{line}\" is not printed:\n{text}");
    }
}

/// The files that git tracks, in a repository of their own.
fn copy_of_the_repository() -> TempDir {
    let copy = TempDir::new().unwrap();
    let script = format!(
        "git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
           [[ ! -e $file ]] || cp --parents -- \"$file\" '{0}'
         done
         cd '{0}'
         git init --quiet
         git add --all
         git -c user.name=test -c user.email=test@example.test commit --quiet --message copy",
        copy.path().display()
    );
    printed(&shell(&root(), &script));
    copy
}

#[test]
fn a_new_function_follows_its_recipe_and_is_removed() {
    let page = blocks("docs/how-to/add-a-function.md");
    let copy = copy_of_the_repository();
    write_files(&page, copy.path());
    let text = printed(&shell(copy.path(), &commands(&page, "run")));
    assert_printed(&text, &page);

    let template = printed(&shell(copy.path(), "usher template"));
    assert!(template.contains("OrderLogOrders"), "{template}");

    printed(&shell(copy.path(), &commands(&page, "remove")));
    let changed = printed(&shell(copy.path(), "git status --porcelain"));
    assert_eq!(changed, "", "files are left");
    let _ = fs::remove_file(programs().join("order-log"));
}

#[test]
fn the_tutorial_works_as_printed() {
    let page = blocks("docs/tutorial/first-function.md");
    let project = TempDir::new().unwrap();
    write_files(&page, project.path());
    let manifest = project.path().join("Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    let text = text.replace("../usher", root().to_str().unwrap());
    fs::write(manifest, text).unwrap();
    // The versions that this repository is tested with.
    fs::copy(root().join("Cargo.lock"), project.path().join("Cargo.lock")).unwrap();

    let text = printed(&shell(project.path(), &commands(&page, "run")));
    assert_printed(&text, &page);

    let greeted = "tail --follow --lines=+1 up.log | grep --quiet --max-count=1 'Hello, Grace'";
    let queue = format!(
        "usher up >up.log 2>&1\n{}timeout 60 bash -c \"{greeted}\"",
        commands(&page, "send")
    );
    printed(&shell(project.path(), &queue));
}

/// Follows the first block of commands of an example's README.
fn follow(example: &str) -> String {
    let page = blocks(&format!("examples/{example}/README.md"));
    printed(&shell(&root(), &page[0].text))
}

#[test]
fn the_readme_of_thumbnails_works_as_printed() {
    let text = follow("thumbnails");
    assert!(text.contains(r#"{"batchItemFailures":[]}"#), "{text}");
}

#[test]
fn the_readme_of_meter_readings_works_as_printed() {
    follow("meter-readings");
}

#[test]
fn the_readme_of_link_check_works_as_printed() {
    follow("link-check");
}

#[test]
fn the_readme_of_timed_release_works_as_printed() {
    follow("timed-release");
}

/// Each variable that the template sets is read by some source of the functions.
/// The anchor that a heading gets on a rendered page.
fn anchor(heading: &str) -> String {
    heading
        .trim_start_matches('#')
        .trim()
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[test]
fn every_link_of_the_documentation_has_a_target() {
    let pages = printed(&shell(&root(), "git ls-files '*.md'"));
    let mut links = 0;
    for page in pages.lines().map(|page| root().join(page)) {
        let text = fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1) {
            let link = link.split(')').next().unwrap();
            if link.contains("://") || link.contains(char::is_whitespace) {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                page.clone()
            } else {
                page.with_file_name(file)
            };
            links += 1;
            assert!(
                target.exists(),
                "{}: {link} leads to no file",
                page.display()
            );
            if !heading.is_empty() {
                let text = fs::read_to_string(&target).unwrap();
                let found = text
                    .lines()
                    .any(|line| line.starts_with('#') && anchor(line) == heading);
                assert!(found, "{}: {link} leads to no heading", page.display());
            }
        }
    }
    assert!(links > 50, "{links} links were found");
}
