//! Checks the commands in the documentation: verbs, options, and the mappings, functions, files,
//! make targets and scripts that they name.
//!
//! A page may add functions and files to the application in its own code blocks.
//!
//! A command in a code block must parse as it is. In running text it may lack arguments (`usher
//! offsets skip`). A word in capitals (`MAPPING`, `N`) is a placeholder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Parser as _;
use clap::error::ErrorKind;

use super::arguments::{Cli, Command};
use super::operations::OffsetsCommand;
use super::prepare;
use sam_template::model::Application;
use sam_template::project::Arguments;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

/// Pages, each with the folder of its application.
fn pages() -> Vec<(PathBuf, PathBuf)> {
    let root = root();
    let mut pages: Vec<PathBuf> = ["README.md", "ARCHITECTURE.md", "events/README.md"]
        .map(|page| root.join(page))
        .into();
    let mut folders = vec![root.join("docs"), root.join("examples"), root.join("bench")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
        {
            let name = entry.file_name().unwrap().to_string_lossy().into_owned();
            if entry.is_dir() && !name.starts_with('.') && name != "target" {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "md") {
                pages.push(entry);
            }
        }
    }
    let application = |page: &Path| {
        let own = page.parent().unwrap();
        if own.join("template.yaml").exists() {
            own.to_path_buf()
        } else {
            root.clone()
        }
    };
    pages
        .into_iter()
        .map(|page| (page.clone(), application(&page)))
        .collect()
}

/// A command in the documentation.
struct DocumentedCommand {
    line: usize,
    words: Vec<String>,
    /// In running text, where arguments may be missing.
    in_text: bool,
}

/// Every piece of code of a page, in blocks by line and in running text by span.
fn printed(text: &str) -> Vec<DocumentedCommand> {
    let mut found = Vec::new();
    let mut in_block = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
            continue;
        }
        let pieces: Vec<&str> = if in_block {
            vec![line]
        } else {
            line.split('`').skip(1).step_by(2).collect()
        };
        let commands = pieces.iter().map(|piece| DocumentedCommand {
            line: at + 1,
            words: words(piece),
            in_text: !in_block,
        });
        found.extend(commands.filter(|command| !command.words.is_empty()));
    }
    found
}

/// The words of a shell command, without its comment.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = None::<String>;
    let mut quote = None;
    for letter in command.trim().chars() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            // A comment, or what the shell does with the output.
            (None, '#' | '>' | '|') if word.is_none() => break,
            (None, letter) if letter.is_whitespace() => words.extend(word.take()),
            (_, letter) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// Whether a word is a placeholder, such as `MAPPING` or `N`.
fn is_placeholder(word: &str) -> bool {
    word.chars()
        .all(|letter| letter.is_ascii_uppercase() || letter == '_')
        && !word.is_empty()
}

/// A command of `usher`, if complete, and its error, if any.
fn parse(printed: &DocumentedCommand) -> (Option<Command>, Option<String>) {
    let error = match Cli::try_parse_from(&printed.words) {
        Ok(cli) => return (Some(cli.command), None),
        Err(error) => error,
    };
    let excused = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => true,
        ErrorKind::MissingRequiredArgument
        | ErrorKind::MissingSubcommand
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => printed.in_text,
        ErrorKind::ValueValidation => printed.words.iter().any(|word| is_placeholder(word)),
        _ => false,
    };
    (
        None,
        (!excused).then(|| {
            error
                .to_string()
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned()
        }),
    )
}

/// Functions that a page declares in a code block.
fn declared_functions(page: &str) -> impl Iterator<Item = &str> {
    let lines = page.lines().zip(page.lines().skip(1));
    lines
        .filter(|(_, next)| next.trim() == "Type: AWS::Serverless::Function")
        .filter_map(|(name, _)| name.trim().strip_suffix(':'))
}

/// The folder of a function that `usher init` creates if no other name is given.
const NEW_FUNCTION: &str = "hello";

/// Functions that a page creates with `usher init`.
fn created_functions(page: &str) -> Option<&'static str> {
    let creates = |command: &DocumentedCommand| {
        command
            .words
            .starts_with(&["usher", "init"].map(str::to_owned))
    };
    printed(page).iter().any(creates).then_some("Hello")
}

/// The error of a command of `usher` on a page about this application, if any.
fn fault(
    printed: &DocumentedCommand,
    page: &str,
    application: &Application,
    folder: &Path,
) -> Option<String> {
    let command = match parse(printed) {
        (Some(command), None) => command,
        (_, wrong) => return wrong,
    };
    let kafka: BTreeSet<&str> = application
        .kafka
        .iter()
        .map(|mapping| mapping.id.as_str())
        .collect();
    let mappings: BTreeSet<&str> = application
        .sqs
        .iter()
        .map(|mapping| mapping.id.as_str())
        .chain(kafka.clone())
        .collect();
    let functions: BTreeSet<&str> = application
        .functions
        .keys()
        .map(String::as_str)
        .chain(declared_functions(page))
        .chain(created_functions(page))
        .collect();
    let missing = |name: &str, known: &BTreeSet<&str>| {
        (!is_placeholder(name) && !known.contains(name))
            .then(|| format!("there is no {name} among {known:?}"))
    };
    match command {
        Command::Pause(switched) | Command::Resume(switched) => {
            let known = if switched.partition.is_some() {
                kafka
            } else {
                mappings
            };
            missing(&switched.source, &known)
        }
        Command::Set(set) => match &set.words[..] {
            [target, ..] if !target.contains('=') => {
                missing(target, &mappings.union(&functions).copied().collect())
            }
            _ => None,
        },
        Command::Offsets(offsets) => match offsets {
            OffsetsCommand::List(list) => {
                list.mapping.and_then(|mapping| missing(&mapping, &kafka))
            }
            OffsetsCommand::Skip(skip) => missing(&skip.mapping, &kafka),
            OffsetsCommand::Seek(seek) => missing(&seek.mapping, &kafka),
        },
        Command::Invoke(invoke) => {
            let file = printed
                .words
                .iter()
                .skip_while(|word| !matches!(word.as_str(), "-e" | "--event"))
                .nth(1);
            let file = file.filter(|file| {
                let of_new_project = format!("events/{NEW_FUNCTION}/one.json");
                let exists = folder.join(file).exists()
                    || page.contains(&format!("file={file}"))
                    || (**file == of_new_project && created_functions(page).is_some());
                !is_placeholder(file) && *file != "-" && !exists
            });
            missing(&invoke.function, &functions)
                .or_else(|| file.map(|file| format!("there is no file {file}")))
        }
        _ => None,
    }
}

/// Messages and comments use example names, so only verbs and options are checked.
#[test]
fn every_command_in_a_message_exists() {
    let mut folders = vec![root().join("runtime/src")];
    let mut wrong = Vec::new();
    let mut checked = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
        {
            if entry.is_dir() {
                folders.push(entry);
                continue;
            }
            let text = std::fs::read_to_string(&entry).unwrap_or_default();
            for printed in printed(&text) {
                let is_command = printed.words[0] == "usher" && printed.words.len() > 1;
                if !is_command
                    || !printed.in_text
                    || printed.words.iter().any(|word| word.contains('{'))
                {
                    continue;
                }
                checked += 1;
                let found = parse(&printed).1;
                wrong.extend(found.map(|what| {
                    format!(
                        "{}:{}: {:?}: {what}",
                        entry.display(),
                        printed.line,
                        printed.words
                    )
                }));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked > 15, "only {checked} commands were found");
}

/// Whether a function has this name in the stack of the documentation, whose prefix is `prod`.
fn is_deployed_name(name: &str, logical_id: &str) -> bool {
    let suffix = name.strip_prefix("prod-").map(|name| name.replace('-', ""));
    suffix.is_some_and(|suffix| suffix.eq_ignore_ascii_case(logical_id))
}

#[test]
fn every_printed_command_names_what_exists() {
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let targets: BTreeSet<&str> = makefile
        .lines()
        .filter_map(|line| Some(line.split_once(": ##")?.0))
        .collect();
    let mut wrong = Vec::new();
    let mut checked = 0;
    for (page, folder) in pages() {
        let (_, application, problems) =
            prepare::check(&folder.join("template.yaml"), &Arguments::default());
        assert!(problems.is_empty(), "{}: {problems:?}", folder.display());
        let text = std::fs::read_to_string(&page).unwrap();
        for printed in printed(&text) {
            let first = printed.words[0].clone();
            let second = printed.words.get(1).cloned().unwrap_or_default();
            let found = match first.as_str() {
                "usher" if !second.is_empty() => fault(&printed, &text, &application, &folder),
                "make"
                    if second.bytes().all(|byte| byte.is_ascii_lowercase())
                        && !second.is_empty() =>
                {
                    (!targets.contains(second.as_str()))
                        .then(|| format!("there is no make target {second}"))
                }
                script if script.starts_with("scripts/") => {
                    (!root().join(script).exists()).then(|| format!("there is no {script}"))
                }
                "aws" => {
                    let function = printed
                        .words
                        .iter()
                        .skip_while(|word| *word != "--function-name")
                        .nth(1);
                    let functions = &application.functions;
                    let known = |name: &str| {
                        functions.contains_key(name)
                            || functions.keys().any(|id| is_deployed_name(name, id))
                    };
                    let unknown = function.filter(|name| !known(name));
                    unknown.map(|name| format!("there is no function {name}"))
                }
                _ => continue,
            };
            checked += 1;
            wrong.extend(found.map(|what| {
                format!(
                    "{}:{}: `{}`: {what}",
                    page.display(),
                    printed.line,
                    printed.words.join(" ")
                )
            }));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {checked} commands are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(checked > 60, "only {checked} commands were found");
}
