//! The environment of a function's process: cleared, then exactly this.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use sam_template::model::{Function, Logging};

/// Variables of the host that a function receives. Neither `HOME` nor `AWS_PROFILE`: the AWS SDK
/// would find a developer's credentials there, and a local run must never reach a real account by
/// accident.
const ALLOWED: [&str; 8] = [
    "PATH",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "RUST_BACKTRACE",
    "RUST_LOG",
];

/// The function's ARN as `Lambda-Runtime-Invoked-Function-Arn` carries it.
pub(crate) fn arn(function: &Function) -> String {
    function
        .location
        .arn("lambda", &format!("function:{}", function.name))
}

/// The environment of a process: the host's allowed variables (`host`), Lambda's defaults and the
/// template's variables over them, Lambda's reserved ones over all.
pub(super) fn build(
    function: &Function,
    executable: &Path,
    api: SocketAddr,
    log_stream: &str,
    host: impl Iterator<Item = (String, String)>,
) -> BTreeMap<String, String> {
    let mut environment: BTreeMap<String, String> = host
        .filter(|(name, _)| ALLOWED.contains(&name.as_str()))
        .collect();
    let defaults = [
        ("TZ", ":UTC"),
        // no SDK may use credentials of this machine
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    environment.extend(defaults.map(|(name, value)| (name.to_owned(), value.to_owned())));
    environment.extend(logging(&function.logging));
    environment.extend(function.environment.clone());
    let task_root = executable.parent().unwrap_or(Path::new("/"));
    let group = function.logging.group.clone();
    let group = group.unwrap_or_else(|| format!("/aws/lambda/{}", function.name));
    let memory = function.memory_mb.to_string();
    let reserved = [
        // host:port only: with a path in it lambda_runtime's client panics
        ("AWS_LAMBDA_RUNTIME_API", api.to_string()),
        ("AWS_LAMBDA_FUNCTION_NAME", function.name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory),
        (
            "AWS_LAMBDA_INITIALIZATION_TYPE",
            function.initialization().word().to_owned(),
        ),
        ("AWS_LAMBDA_LOG_GROUP_NAME", group),
        ("AWS_LAMBDA_LOG_STREAM_NAME", log_stream.to_owned()),
        ("AWS_REGION", function.location.region.clone()),
        ("AWS_DEFAULT_REGION", function.location.region.clone()),
        // with these the SDK searches no further, and no account accepts them
        ("AWS_ACCESS_KEY_ID", "local".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
        ("AWS_SESSION_TOKEN", "local".to_owned()),
        ("LAMBDA_TASK_ROOT", task_root.display().to_string()),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime".to_owned()),
        ("_HANDLER", function.handler.clone()),
    ];
    environment.extend(reserved.map(|(name, value)| (name.to_owned(), value)));
    if let Some(managed) = &function.managed {
        let name = "AWS_LAMBDA_MAX_CONCURRENCY".to_owned();
        environment.insert(name, managed.max_concurrency.to_string());
    }
    environment
}

/// The logging variables that runtimes read; none where the template has no `LogFormat`.
fn logging(logging: &Logging) -> impl Iterator<Item = (String, String)> {
    let format = logging.format.map(|format| format.word().to_owned());
    let level = logging.application.word().to_owned();
    let level = logging.is_json().then_some(level);
    let format = format.map(|format| ("AWS_LAMBDA_LOG_FORMAT".to_owned(), format));
    let level = level.map(|level| ("AWS_LAMBDA_LOG_LEVEL".to_owned(), level));
    format.into_iter().chain(level)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sam_template::model::{Code, Location, LogFormat, LogLevel, Logging, ManagedInstances};
    use std::collections::BTreeSet;
    use std::time::Duration;

    fn function() -> Function {
        Function {
            id: "Echo".into(),
            name: "stack-Echo".into(),
            location: Location::default(),
            qualifiers: BTreeSet::new(),
            code: Code::Prebuilt("/srv/echo/bootstrap".into()),
            place: String::new(),
            handler: "bootstrap".into(),
            timeout: Duration::from_secs(3),
            memory_mb: 256,
            concurrency: None,
            managed: None,
            environment: [
                ("TABLE".to_owned(), "orders".to_owned()),
                ("AWS_SECRET_ACCESS_KEY".to_owned(), "real".to_owned()),
            ]
            .into(),
            logging: Logging::default(),
        }
    }

    fn built(host: &[(&str, &str)]) -> BTreeMap<String, String> {
        with(&function(), host)
    }

    fn with(function: &Function, host: &[(&str, &str)]) -> BTreeMap<String, String> {
        let api = "127.0.0.1:9001".parse().unwrap();
        let host = host.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        build(
            function,
            Path::new("/srv/echo/bootstrap"),
            api,
            "stream",
            host,
        )
    }

    #[test]
    fn the_hosts_secrets_do_not_reach_a_function() {
        let env = built(&[
            ("PATH", "/bin"),
            ("HOME", "/root"),
            ("AWS_PROFILE", "production"),
            ("TOKEN", "x"),
        ]);
        assert_eq!(env.get("PATH").map(String::as_str), Some("/bin"));
        assert!(
            !env.contains_key("HOME")
                && !env.contains_key("AWS_PROFILE")
                && !env.contains_key("TOKEN")
        );
    }

    #[test]
    fn the_templates_time_zone_is_kept() {
        assert_eq!(
            built(&[("TZ", "Europe/Madrid")])["TZ"],
            ":UTC",
            "the host's own is not used"
        );
        let environment = [("TZ".to_owned(), "Asia/Tokyo".to_owned())].into();
        let built = with(
            &Function {
                environment,
                ..function()
            },
            &[],
        );
        assert_eq!(built["TZ"], "Asia/Tokyo");
    }

    #[test]
    fn a_function_receives_its_logging_settings() {
        assert!(
            !built(&[])
                .keys()
                .any(|name| name == "AWS_LAMBDA_LOG_FORMAT" || name == "AWS_LAMBDA_LOG_LEVEL")
        );
        let logging = Logging {
            format: Some(LogFormat::Json),
            application: LogLevel::Debug,
            group: Some("shop/all".into()),
            ..Logging::default()
        };
        let built = with(
            &Function {
                logging,
                ..function()
            },
            &[],
        );
        let [format, level, group] = [
            "AWS_LAMBDA_LOG_FORMAT",
            "AWS_LAMBDA_LOG_LEVEL",
            "AWS_LAMBDA_LOG_GROUP_NAME",
        ]
        .map(|name| built[name].as_str());
        assert_eq!((format, level, group), ("JSON", "DEBUG", "shop/all"));
    }

    #[test]
    fn managed_instances_are_told_their_concurrency() {
        let (kind, concurrency) = (
            "AWS_LAMBDA_INITIALIZATION_TYPE",
            "AWS_LAMBDA_MAX_CONCURRENCY",
        );
        let classic = built(&[(concurrency, "9")]);
        assert_eq!(classic[kind], "on-demand");
        assert!(!classic.contains_key(concurrency));
        let managed = Some(ManagedInstances {
            max_concurrency: 64,
            max_instances: None,
        });
        let built = with(
            &Function {
                managed,
                ..function()
            },
            &[],
        );
        assert_eq!(built[kind], "lambda-managed-instances");
        assert_eq!(built[concurrency], "64");
    }

    #[test]
    fn reserved_variables_win_over_the_template() {
        let env = built(&[]);
        assert_eq!(env["AWS_SECRET_ACCESS_KEY"], "local");
        assert_eq!(env["TABLE"], "orders");
        assert_eq!(env["AWS_LAMBDA_RUNTIME_API"], "127.0.0.1:9001");
        assert_eq!(env["LAMBDA_TASK_ROOT"], "/srv/echo");
        assert_eq!(env["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"], "256");
    }
}
