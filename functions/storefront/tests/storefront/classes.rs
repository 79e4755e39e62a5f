//! Classes of requests: the template runs a function for each, and none serves another class.

use serde_json::json;
use storefront::http::{RequestClass, Route, ServedClasses};

use crate::payments::notify;
use crate::support::{SECRET, Scripted, another, call, open_with, problem, program, two};

/// A function of the template that serves requests.
#[derive(Debug, Default)]
struct TemplateFunction {
    class: String,
    /// Method and path.
    routes: Vec<(String, String)>,
    has_payment_keys: bool,
}

/// The functions of template.yaml that have a class.
fn template_functions() -> Vec<TemplateFunction> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml");
    let template = std::fs::read_to_string(file).expect("the template");
    let mut functions = Vec::new();
    let mut method = String::new();
    for line in template.lines() {
        let is_resource = line.starts_with("  ") && !line.starts_with("   ");
        if is_resource {
            functions.push(TemplateFunction::default());
        }
        let Some(function) = functions.last_mut() else {
            continue;
        };
        match line.trim().split_once(": ") {
            Some(("REQUEST_CLASS", class)) => class.clone_into(&mut function.class),
            Some(("PAYMENT_WEBHOOK_SECRET", _)) => function.has_payment_keys = true,
            Some(("Method", of)) => of.clone_into(&mut method),
            Some(("Path", path)) => function.routes.push((method.clone(), path.to_owned())),
            _ => {}
        }
    }
    functions.retain(|function| !function.class.is_empty() || !function.routes.is_empty());
    functions
}

#[test]
fn the_template_sends_each_request_to_its_function() {
    let functions = template_functions();
    let classes: Vec<_> = functions.iter().map(|f| f.class.as_str()).collect();
    assert_eq!(classes, RequestClass::ALL.map(RequestClass::as_str));
    let mut routes = 0;
    for function in &functions {
        let served: ServedClasses = function.class.parse().expect("a class");
        for (method, path) in &function.routes {
            let (route, _) = Route::find(method, path).expect("a route of the program");
            assert_eq!(served.admit(route.class()), Ok(()), "{method} {path}");
            routes += 1;
        }
        assert_eq!(
            function.has_payment_keys,
            served.includes(RequestClass::Payments),
            "{}",
            function.class
        );
    }
    assert_eq!(routes, Route::COUNT, "routes of the template");
}

#[tokio::test]
async fn a_function_serves_its_class_and_no_other() {
    let all = open_with(Scripted::new([])).await;
    let id = program(&all).await;
    let payment = json!({"reference": "r1", "order": "4611686018427387905", "amount_cents": 100});
    let calls = || {
        [
            ("orders", two(&id, "alice"), 202),
            (
                "lookups",
                call("GET", &format!("/programs/{id}"), None, None),
                200,
            ),
            ("payments", notify(&payment, SECRET), 200),
            (
                "operators",
                call("POST", &format!("/programs/{id}/stop"), Some("eve"), None),
                200,
            ),
        ]
    };
    for class in RequestClass::ALL {
        let app = another(&all, &[("REQUEST_CLASS", class.as_str())]);
        for (of, call, status) in calls() {
            let answer = app.serve(&call).await;
            if of == class.as_str() {
                assert_eq!(answer.expect("served").status, status, "{of}");
            } else {
                // Not 401: the key of a valid signature is missing, not the signature.
                assert_eq!(problem(answer), (421, "misdirected_request"), "{of}");
            }
        }
    }
}
