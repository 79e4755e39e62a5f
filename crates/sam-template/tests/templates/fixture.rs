//! A project folder, and what its template resolves to.

use std::path::PathBuf;

use sam_template::model::{Application, Diagnostic};
use sam_template::project::{Arguments, Project};
use sam_template::template;
use tempfile::TempDir;

/// A project folder with a template, settings and one cargo package.
pub(crate) struct Folder(pub(crate) TempDir);

impl Folder {
    pub(crate) fn new(template: &str, settings: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("template.yaml", template);
        folder.write("usher.toml", settings);
        folder.write("worker/Cargo.toml", "[package]\nname = 'worker'\n");
        folder
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let file = self.0.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    pub(crate) fn template(&self) -> PathBuf {
        self.0.path().join("template.yaml")
    }

    pub(crate) fn load(&self, arguments: &Arguments) -> Result<Application, Vec<Diagnostic>> {
        let project = Project::load(&self.template(), arguments)?;
        template::load(&self.template(), &project)
    }
}

fn load(text: &str, settings: &str) -> Result<Application, Vec<Diagnostic>> {
    Folder::new(text, settings).load(&Arguments::default())
}

pub(crate) fn good(text: &str, settings: &str) -> Application {
    load(text, settings).unwrap_or_else(|found| {
        panic!(
            "{}",
            found
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n")
        )
    })
}

/// Every warning, a line each.
pub(crate) fn warnings(application: &Application) -> String {
    application
        .warnings
        .iter()
        .map(|warning| warning.to_string() + "\n")
        .collect()
}

/// `line: message` of every error.
pub(crate) fn complaints(text: &str, settings: &str) -> Vec<(usize, String)> {
    match load(text, settings) {
        Ok(application) => panic!("no problem in\n{text}\n{application:?}"),
        Err(found) => found.into_iter().map(|d| (d.line, d.message)).collect(),
    }
}

/// Settings with the endpoint of SQS.
pub(crate) const ENDPOINT: &str = "[endpoints]\nsqs = 'http://127.0.0.1:9324'\n";

const HEAD: &str = "Transform: AWS::Serverless-2016-10-31\n";

/// A whole template around one function's properties and events; they begin on line 8.
pub(crate) fn function(properties: &str) -> String {
    let mut text = format!(
        "{HEAD}Resources:\n  Worker:\n    Type: AWS::Serverless::Function\n    Metadata: \
         {{BuildMethod: rust-cargolambda}}\n    Properties:\n      CodeUri: worker\n"
    );
    if !properties.contains("Runtime:") {
        text += "      Runtime: provided.al2023\n";
    }
    for line in properties.lines() {
        text.extend(["      ", line, "\n"]);
    }
    text
}

/// One mistake: the template, the settings, the line of the mistake, and part of the message.
pub(crate) type Mistake<'t> = (String, &'t str, usize, &'t str);

/// Checks that each mistake is the only problem reported.
pub(crate) fn assert_reported(table: &[Mistake<'_>]) {
    let mut wrong = Vec::new();
    for (text, settings, line, words) in table {
        let found = complaints(text, settings);
        let reported =
            matches!(&found[..], [(at, message)] if at == line && message.contains(words));
        if !reported {
            wrong.push(format!(
                "\n--- expected line {line}: {words}\n{text}--- found {found:?}\n"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
}
