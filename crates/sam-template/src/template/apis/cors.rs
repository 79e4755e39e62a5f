//! `CorsConfiguration` of HTTP APIs, `Cors` of function URLs.

use crate::document::{Problems, Reader, parse_bool};
use crate::model::Cors;

/// As [`read`], for keys that also take a boolean: `true` allows everything, `false` nothing.
pub(super) fn read_or_all(reader: &Reader<'_>, key: &str, problems: &mut Problems) -> Option<Cors> {
    let node = reader.get(key)?;
    match node.text().map(parse_bool) {
        None => read(reader, key, problems),
        Some(Some(true)) => {
            let all = || vec!["*".to_owned()];
            Some(Cors {
                origins: all(),
                methods: all(),
                headers: all(),
                ..Cors::default()
            })
        }
        Some(Some(false)) => None,
        Some(None) => {
            reader.wrong(node, key, "true, false or a mapping", problems);
            None
        }
    }
}

/// A mapping of allowed origins, methods and headers.
pub(super) fn read(reader: &Reader<'_>, key: &str, problems: &mut Problems) -> Option<Cors> {
    let cors = reader.child(key, problems)?;
    cors.only(
        &[
            "AllowOrigins",
            "AllowMethods",
            "AllowHeaders",
            "ExposeHeaders",
            "AllowCredentials",
            "MaxAge",
        ],
        problems,
    );
    let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let read = Cors {
        origins: owned(cors.texts("AllowOrigins", problems)),
        methods: owned(cors.texts("AllowMethods", problems)),
        headers: owned(cors.texts("AllowHeaders", problems)),
        expose: owned(cors.texts("ExposeHeaders", problems)),
        credentials: cors.flag("AllowCredentials", problems).unwrap_or(false),
        max_age: cors
            .number("MaxAge", 0..=86_400, problems)
            .map(|n| n as u32),
    };
    if read.credentials && read.origins.iter().any(|o| o == "*") {
        problems.error(
            cors.line("AllowCredentials"),
            format!(
                "{}: AllowCredentials and the origin * exclude each other. Name the origins.",
                reader.what
            ),
        );
    }
    Some(read)
}
