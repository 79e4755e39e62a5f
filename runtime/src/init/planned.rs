//! Which files of `templates/` make a project or a function, and the values in them. Pure.

use super::kind::{Kind, Language, TriggerKind};
use super::write::Change;

macro_rules! file {
    ($path:literal) => {
        include_str!(concat!("templates/", $path))
    };
}

/// `template.yaml` without resources.
pub(super) const TEMPLATE: &str = file!("project/template.yaml");
/// `usher.toml` of a project whose functions need no server.
pub(super) const SETTINGS: &str = file!("project/usher.toml");

/// Identifier of the item of `one-bad.json` that fails.
const fn bad_id(trigger: TriggerKind) -> &'static str {
    match trigger {
        TriggerKind::Stream => "1767225600000-1",
        _ => "2",
    }
}

/// What the placeholders stand for.
pub(super) struct Values {
    /// `SendMail`.
    pub(super) function: String,
    /// `send-mail`.
    pub(super) folder: String,
    /// Name of the stack.
    pub(super) project: String,
    /// The dependency as a manifest of cargo has it; empty if there is none.
    pub(super) lambda_batch: String,
    /// Trigger and language.
    pub(super) kind: Kind,
}

impl Values {
    /// The text with its placeholders replaced.
    pub(super) fn fill(&self, text: &str) -> String {
        let (metadata, handler, runtime) = match self.kind.language {
            Language::Rust => (
                "BuildMethod: rust-cargolambda",
                "bootstrap",
                "provided.al2023",
            ),
            Language::Go => ("BuildMethod: go1.x", "bootstrap", "provided.al2023"),
            Language::Python => ("SkipBuild: true", "handler.handle", "!Ref PythonRuntime"),
            Language::Bash => ("SkipBuild: true", "bootstrap", "provided.al2023"),
        };
        let values = [
            ("%METADATA%", metadata),
            ("%HANDLER%", handler),
            ("%RUNTIME%", runtime),
            ("%TEST%", test_command(self.kind.language)),
            (
                "%TRY%",
                send_command(self.kind.trigger).unwrap_or("usher template"),
            ),
            ("%TRY_NOTE%", send_note(self.kind.trigger)),
            ("%CLOUD_NOTE%", cloud_note(self.kind.trigger)),
            ("%LANGUAGE_NOTE%", language_note(self.kind)),
            ("%BAD_ID%", bad_id(self.kind.trigger)),
            // Last, since the texts above contain them.
            ("%FUNCTION%", &self.function),
            ("%FOLDER%", &self.folder),
            ("%PROJECT%", &self.project),
            ("%LAMBDA_BATCH%", &self.lambda_batch),
        ];
        let fill = |text: String, (name, value): (&str, &str)| text.replace(name, value);
        values.into_iter().fold(text.to_owned(), fill)
    }
}

/// Sections of the template, to be filled.
pub(super) fn template_pieces(kind: Kind) -> Vec<&'static str> {
    let resources = match kind.trigger {
        TriggerKind::Http => file!("sam/http.yaml"),
        TriggerKind::Sqs => file!("sam/sqs.yaml"),
        TriggerKind::Kafka => file!("sam/kafka.yaml"),
        TriggerKind::Stream => file!("sam/stream.yaml"),
        TriggerKind::Schedule => file!("sam/schedule.yaml"),
    };
    match kind.language {
        Language::Python => vec![file!("sam/python.yaml"), resources],
        _ => vec![resources],
    }
}

/// Tables of `usher.toml`, to be filled.
pub(super) fn settings_pieces(kind: Kind) -> Vec<&'static str> {
    let mut pieces = match kind.trigger {
        TriggerKind::Http => Vec::new(),
        TriggerKind::Sqs => vec![file!("settings/sqs.toml")],
        TriggerKind::Kafka => vec![file!("settings/kafka.toml")],
        TriggerKind::Stream => vec![file!("settings/stream.toml")],
        TriggerKind::Schedule => vec![file!("settings/schedule.toml")],
    };
    if kind.language == Language::Python {
        pieces.push(file!("settings/python.toml"));
    }
    pieces
}

/// Files of the function alone.
pub(super) fn function(kind: Kind, values: &Values) -> Vec<Change> {
    let mut files = sources(kind, values);
    files.extend(events(kind.trigger, values));
    files
}

/// Files that several functions share; those that exist stay.
pub(super) fn shared(kind: Kind, values: &Values) -> Vec<Change> {
    match kind.language {
        Language::Rust => {
            let text = values.fill(file!("rust/cargo-config.toml"));
            vec![Change::create(".cargo/config.toml", text)]
        }
        _ => Vec::new(),
    }
}

/// Files of a new project.
pub(super) fn project(values: &Values) -> Vec<Change> {
    vec![
        Change::create("README.md", values.fill(file!("project/README.md"))),
        Change::create(".gitignore", values.fill(file!("project/gitignore"))),
    ]
}

fn events(trigger: TriggerKind, values: &Values) -> Vec<Change> {
    let (one, bad) = match trigger {
        TriggerKind::Http => (file!("events/http.json"), None),
        TriggerKind::Sqs => (
            file!("events/sqs.json"),
            Some(file!("events/sqs-one-bad.json")),
        ),
        TriggerKind::Kafka => (
            file!("events/kafka.json"),
            Some(file!("events/kafka-one-bad.json")),
        ),
        TriggerKind::Stream => (
            file!("events/stream.json"),
            Some(file!("events/stream-one-bad.json")),
        ),
        TriggerKind::Schedule => (file!("events/schedule.json"), None),
    };
    let event = |name: &str, text: &str| {
        let path = format!("events/{}/{name}.json", values.folder);
        Change::create(path, values.fill(text))
    };
    let bad = bad.map(|text| event("one-bad", text));
    [event("one", one)].into_iter().chain(bad).collect()
}

fn sources(kind: Kind, values: &Values) -> Vec<Change> {
    let file = |name: &str, text: &str| {
        let path = format!("functions/{}/{name}", values.folder);
        Change::create(path, values.fill(text))
    };
    match kind.language {
        Language::Rust => {
            let main = match kind.trigger {
                TriggerKind::Http => file!("rust/http.rs"),
                TriggerKind::Sqs => file!("rust/sqs.rs"),
                TriggerKind::Kafka => file!("rust/kafka.rs"),
                TriggerKind::Stream => file!("rust/stream.rs"),
                TriggerKind::Schedule => file!("rust/schedule.rs"),
            };
            let manifest = if kind.uses_lambda_batch() {
                file!("rust/manifest-batch.toml")
            } else {
                file!("rust/manifest.toml")
            };
            vec![file("Cargo.toml", manifest), file("src/main.rs", main)]
        }
        Language::Go => {
            let (main, test) = match kind.trigger {
                TriggerKind::Http => (file!("go/http.go"), file!("go/http_test.go")),
                TriggerKind::Sqs => (file!("go/sqs.go"), file!("go/sqs_test.go")),
                TriggerKind::Kafka => (file!("go/kafka.go"), file!("go/kafka_test.go")),
                TriggerKind::Stream => (file!("go/stream.go"), file!("go/sqs_test.go")),
                TriggerKind::Schedule => (file!("go/schedule.go"), file!("go/schedule_test.go")),
            };
            vec![
                file("go.mod", file!("go/go.mod")),
                file("go.sum", file!("go/go.sum")),
                file("main.go", main),
                file("main_test.go", test),
            ]
        }
        Language::Python => {
            let (handler, test) = match kind.trigger {
                TriggerKind::Http => (file!("python/http.py"), file!("python/http_test.py")),
                TriggerKind::Sqs => (file!("python/sqs.py"), file!("python/sqs_test.py")),
                TriggerKind::Kafka => (file!("python/kafka.py"), file!("python/kafka_test.py")),
                TriggerKind::Stream => (file!("python/stream.py"), file!("python/sqs_test.py")),
                TriggerKind::Schedule => (
                    file!("python/schedule.py"),
                    file!("python/schedule_test.py"),
                ),
            };
            vec![
                file("bootstrap", file!("python/bootstrap")).executable(),
                file("handler.py", handler),
                file("test_handler.py", test),
            ]
        }
        Language::Bash => {
            let (handler, test) = match kind.trigger {
                TriggerKind::Http => (file!("bash/http.sh"), file!("bash/http_test.sh")),
                TriggerKind::Sqs => (file!("bash/sqs.sh"), file!("bash/sqs_test.sh")),
                TriggerKind::Kafka => (file!("bash/kafka.sh"), file!("bash/kafka_test.sh")),
                TriggerKind::Stream => (file!("bash/stream.sh"), file!("bash/sqs_test.sh")),
                TriggerKind::Schedule => {
                    (file!("bash/schedule.sh"), file!("bash/schedule_test.sh"))
                }
            };
            vec![
                file("bootstrap", file!("bash/bootstrap")).executable(),
                file("handler.sh", handler),
                file("test.sh", test).executable(),
            ]
        }
    }
}

/// Runs the function's test in the project's folder; to be filled.
pub(super) const fn test_command(language: Language) -> &'static str {
    match language {
        Language::Rust => "cargo test --manifest-path functions/%FOLDER%/Cargo.toml",
        Language::Go => "(cd functions/%FOLDER% && go test ./...)",
        Language::Python => "python3 functions/%FOLDER%/test_handler.py",
        Language::Bash => "functions/%FOLDER%/test.sh",
    }
}

/// Triggers the function; to be filled. `None`: time does.
pub(super) const fn send_command(trigger: TriggerKind) -> Option<&'static str> {
    Some(match trigger {
        TriggerKind::Http => "curl 'http://127.0.0.1:18080/%FOLDER%?name=Ada'",
        TriggerKind::Sqs => {
            "curl http://127.0.0.1:19324/000000000000/%PROJECT%-%FOLDER% --data Action=SendMessage \
             --data-urlencode 'MessageBody={\"name\": \"Grace\"}'"
        }
        TriggerKind::Kafka => {
            "echo '{\"name\": \"Grace\"}' | kafka-console-producer.sh --bootstrap-server \
             127.0.0.1:19092 --topic %PROJECT%-%FOLDER%"
        }
        TriggerKind::Stream => "redis-cli -p 16379 XADD %PROJECT%:%FOLDER% '*' name Grace",
        TriggerKind::Schedule => return None,
    })
}

const fn send_note(trigger: TriggerKind) -> &'static str {
    match trigger {
        TriggerKind::Http => "No server is needed.",
        TriggerKind::Sqs => {
            "`usher up` creates the queues at the SQS whose address `usher.toml` has, such as \
             ElasticMQ; `usher invoke` needs no server."
        }
        TriggerKind::Kafka => {
            "`usher.toml` has the addresses of Kafka, and of an SQS such as ElasticMQ for what \
             failed; any producer will do. `usher invoke` needs no server."
        }
        TriggerKind::Stream => {
            "`usher.toml` has the address of Redis (7.0 or later). `usher invoke` needs no server."
        }
        TriggerKind::Schedule => {
            "The schedule fires by itself: every ten seconds here, by `usher.toml`, and every five \
             minutes in the cloud. The command shows it. No server is needed."
        }
    }
}

const fn cloud_note(trigger: TriggerKind) -> &'static str {
    match trigger {
        TriggerKind::Http | TriggerKind::Sqs | TriggerKind::Schedule => {
            "The template needs nothing that exists before."
        }
        TriggerKind::Kafka => "The parameter `KafkaClusterArn` names a cluster of MSK that exists.",
        TriggerKind::Stream => {
            "Lambda has no trigger for Redis Streams: there a bridge copies the stream to a queue, \
             and the parameter `%FUNCTION%QueueArn` names that queue."
        }
    }
}

fn language_note(kind: Kind) -> &'static str {
    match kind.language {
        Language::Rust if kind.uses_lambda_batch() => {
            "`sam build` needs cargo-lambda. The crate lambda-batch is in no registry: \
             `functions/%FOLDER%/Cargo.toml` names it as `%LAMBDA_BATCH%`. Where others build this \
             project, write the git URL of its repository instead: `{ git = \"URL\" }`."
        }
        Language::Rust => "`sam build` needs cargo-lambda.",
        Language::Go => {
            "Where a C compiler is installed, build with `CGO_ENABLED=0 sam build`: the program \
             then needs no C library, whose version may be newer here than in the cloud."
        }
        Language::Python => {
            "In the cloud the runtime is Lambda's own Python, by the parameter `PythonRuntime`. Here \
             `bootstrap` runs the same `handler.handle` with this machine's python3 (3.8 or later)."
        }
        Language::Bash => {
            "`bootstrap` needs curl and jq. Lambda's `provided.al2023` has curl and no jq: put a \
             static executable of jq for Linux at `functions/%FOLDER%/bin/jq` before `sam deploy`."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum as _;

    #[test]
    fn no_placeholder_remains() {
        for language in Language::value_variants() {
            for trigger in TriggerKind::value_variants() {
                let kind = Kind {
                    trigger: *trigger,
                    language: *language,
                };
                let values = Values {
                    function: "Hello".into(),
                    folder: "hello".into(),
                    project: "shop".into(),
                    lambda_batch: "{ path = \"x\" }".into(),
                    kind,
                };
                let files = [
                    function(kind, &values),
                    shared(kind, &values),
                    project(&values),
                ];
                for file in files.iter().flatten() {
                    let mut parts = file.text.split('%').skip(1).step_by(2);
                    let left = parts.find(|part| {
                        part.len() > 2
                            && part
                                .bytes()
                                .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
                    });
                    assert_eq!(left, None, "{kind:?}: {}", file.path.display());
                }
            }
        }
    }
}
