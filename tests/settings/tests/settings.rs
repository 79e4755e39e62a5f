//! What each function reads from its environment, with bounds and defaults: `settings.json`.
//! `tests/stack` compares it with the template.
//!
//! `WRITE_SETTINGS=1 scripts/test --test settings` writes the file again.

use std::collections::BTreeMap;
use std::path::Path;

use shared::config::{Inventory, Problems, Reader};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/settings.json");

/// Values under which a function reads further variables, or accepts more: of a variable with several
/// bounds the last ones are written down.
const VARIANTS: [&[(&str, &str)]; 6] = [
    &[],
    &[("KAFKA_SECURITY", "sasl_ssl")],
    &[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
    ],
    &[("AWS_LAMBDA_MAX_CONCURRENCY", "8")],
    &[("REFUND_URL", "http://127.0.0.1:18085/refunds")],
    &[
        ("API_CALLS_ENABLED", "true"),
        ("PROGRAM_CACHE_READER", "true"),
    ],
];

/// What a function reads under any of the variants, and always with `given`. That variables are
/// missing is no matter here.
fn read<S>(
    settings: impl Fn(&Reader) -> Result<S, Problems>,
    given: &[(&'static str, &'static str)],
) -> Inventory {
    let mut inventory = Inventory::default();
    for variables in VARIANTS {
        let reader = Reader::new(variables.iter().chain(given).copied());
        drop(settings(&reader));
        inventory.extend(reader.inventory());
    }
    inventory
}

fn storefront(class: &'static str) -> (&'static str, Inventory) {
    let given = [("REQUEST_CLASS", class)];
    (class, read(storefront::Settings::read, &given))
}

#[test]
fn the_file_has_what_the_functions_read() {
    let classes = ["orders", "lookups", "payments", "operators"].map(storefront);
    let storefront = classes.map(|(class, read)| (format!("storefront {class}"), read));
    let others = [
        (
            "api-data-collector",
            read(api_data_collector::Settings::read, &[]),
        ),
        (
            "cache-invalidator",
            read(cache_invalidator::Settings::read, &[]),
        ),
        ("migrate", read(migrate::Settings::read, &[])),
        ("order-create", read(order_create::Settings::read, &[])),
        ("stream-bridge", read(stream_bridge::Settings::read, &[])),
        ("timeout-closer", read(timeout_closer::Settings::read, &[])),
    ]
    .map(|(name, read)| (name.to_owned(), read));
    let functions: BTreeMap<String, Inventory> = storefront.into_iter().chain(others).collect();
    let found = serde_json::to_string_pretty(&functions).unwrap() + "\n";
    if std::env::var_os("WRITE_SETTINGS").is_some() {
        std::fs::write(FILE, &found).unwrap();
    }
    let written = std::fs::read_to_string(Path::new(FILE)).unwrap_or_default();
    assert!(
        written == found,
        "WRITE_SETTINGS=1 scripts/test --test settings writes {FILE}"
    );
}
