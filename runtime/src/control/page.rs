//! The live page: its document, style and scripts, embedded in this program.

use http::header::{self, HeaderValue};

use super::routes::text;
use crate::listener::Reply;

/// The page may load its own style and scripts, and send requests to this host. Text of a function
/// cannot run as a script, even if it became markup.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src \
                      'self'; img-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The file under this path.
pub(super) fn file(path: &str) -> Option<Reply> {
    let (kind, body) = match path {
        "/_usher/" | "/_usher" => ("text/html; charset=utf-8", include_str!("page/index.html")),
        "/_usher/page.css" => ("text/css; charset=utf-8", include_str!("page/page.css")),
        "/_usher/page.js" => (SCRIPT, include_str!("page/page.js")),
        "/_usher/draw.js" => (SCRIPT, include_str!("page/draw.js")),
        "/_usher/sources.js" => (SCRIPT, include_str!("page/sources.js")),
        "/_usher/icon.svg" => ("image/svg+xml", include_str!("page/icon.svg")),
        _ => return None,
    };
    let mut answer = text(kind, body);
    answer.headers_mut().insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    Some(answer)
}
