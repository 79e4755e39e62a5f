//! `CorsConfiguration` of HTTP APIs, `Cors` of function URLs.

use crate::document::{Reader, parse_bool};
use crate::model::Cors;

/// As [`read`], for keys that also take a boolean: `true` allows everything, `false` nothing.
pub(super) fn read_or_all(reader: &Reader<'_>, key: &str) -> Option<Cors> {
    let node = reader.get(key)?;
    match node.text().map(parse_bool) {
        None => read(reader, key),
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
            reader.wrong(node, key, "true, false or a mapping");
            None
        }
    }
}

/// A mapping of allowed origins, methods and headers.
pub(super) fn read(reader: &Reader<'_>, key: &str) -> Option<Cors> {
    let cors = reader.child(key)?;
    cors.only("AllowOrigins AllowMethods AllowHeaders ExposeHeaders AllowCredentials MaxAge");
    let read = Cors {
        origins: cors.strings("AllowOrigins"),
        methods: cors.strings("AllowMethods"),
        headers: cors.strings("AllowHeaders"),
        expose: cors.strings("ExposeHeaders"),
        credentials: cors.flag("AllowCredentials").unwrap_or(false),
        max_age: cors.number("MaxAge", 0..=86_400).map(|n| n as u32),
    };
    if read.credentials && read.origins.iter().any(|o| o == "*") {
        let message = "AllowCredentials and the origin * exclude each other. Name the origins.";
        reader.error_on(cors.line("AllowCredentials"), message);
    }
    Some(read)
}
