//! `BinaryMediaTypes` of a REST API: the bodies that travel as base64.

/// Whether a body of this content type is binary.
pub(super) fn is_binary(binary: &[String], content_type: &str) -> bool {
    let given = without_parameters(content_type);
    binary.iter().any(|allowed| match allowed.split_once("/*") {
        Some(("*", "")) => true,
        Some((kind, "")) => given
            .split_once('/')
            .is_some_and(|(given, _)| given.eq_ignore_ascii_case(kind)),
        _ => allowed.eq_ignore_ascii_case(given),
    })
}

/// Whether a client with this `Accept` header receives bytes. The service reads its first media
/// type only.
pub(super) fn accepts(binary: &[String], accept: &str) -> bool {
    is_binary(binary, accept.split(',').next().unwrap_or(""))
}

/// `text/plain` of `text/plain; charset=utf-8`.
pub(super) fn without_parameters(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or("").trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_and_parameters_are_ignored() {
        let list = |items: &[&str]| {
            items
                .iter()
                .map(|item| (*item).to_owned())
                .collect::<Vec<_>>()
        };
        assert!(is_binary(&list(&["*/*"]), ""));
        assert!(is_binary(&list(&["image/*"]), "Image/PNG"));
        assert!(is_binary(
            &list(&["application/pdf"]),
            "application/pdf; version=2"
        ));
        assert!(!is_binary(&list(&["image/*"]), "text/plain"));
        assert!(!is_binary(&[], "image/png"));
        assert!(accepts(&list(&["image/png"]), "image/png, text/html"));
        assert!(!accepts(&list(&["image/png"]), "text/html, image/png"));
    }
}
