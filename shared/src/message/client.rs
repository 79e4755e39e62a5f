//! Maps a User-Agent to a kind of client. There are few kinds, whatever versions and devices call.

use super::CallClient;

/// Marks of browsers, the most specific first, because each also names several others.
const BROWSERS: [(&str, &str); 7] = [
    ("Edg/", "edge"),
    ("OPR/", "opera"),
    ("Firefox/", "firefox"),
    ("CriOS/", "chrome"),
    ("Chrome/", "chrome"),
    ("Safari/", "safari"),
    ("Mozilla/", "browser"),
];

/// Longest kind, as [`CallClient`] bounds it.
const MAX_LEN: usize = 32;

impl CallClient {
    /// The kind of a User-Agent: a browser, `bot`, or the first product in lower case without its
    /// version (`curl/8.5` is `curl`). `none` without one, `other` if it names no product.
    pub fn of_user_agent(agent: Option<&str>) -> Self {
        let agent = agent.map_or("", str::trim);
        let kind = if agent.is_empty() {
            "none".to_owned()
        } else {
            kind(agent)
        };
        Self::new(kind).unwrap_or_else(|_| unreachable!("made of what a client may be made of"))
    }
}

fn kind(agent: &str) -> String {
    let lower = agent.to_ascii_lowercase();
    if ["bot", "crawler", "spider"]
        .iter()
        .any(|word| lower.contains(word))
    {
        return "bot".to_owned();
    }
    if let Some((_, browser)) = BROWSERS.iter().find(|(mark, _)| agent.contains(mark)) {
        return (*browser).to_owned();
    }
    let product = lower
        .split(['/', ' ', '(', ';', ','])
        .next()
        .unwrap_or_default();
    let fits = |b: u8| {
        if b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_') {
            char::from(b)
        } else {
            '-'
        }
    };
    let product: String = product.bytes().take(MAX_LEN).map(fits).collect();
    if product.trim_matches('-').is_empty() {
        "other".to_owned()
    } else {
        product
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_client_is_a_kind_without_version() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
            Chrome/142.0.0.0 Safari/537.36";
        for (agent, kind) in [
            (Some("curl/8.5.0"), "curl"),
            (Some("TicketApp/3.2 (iPhone)"), "ticketapp"),
            (Some("python-requests/2.32"), "python-requests"),
            (Some(chrome), "chrome"),
            (Some(&*format!("{chrome} Edg/142.0")), "edge"),
            (
                Some("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"),
                "firefox",
            ),
            (Some("Mozilla/5.0 (compatible; Examplebot/2.1)"), "bot"),
            (Some("Mozilla/4.0 (compatible; MSIE 6.0)"), "browser"),
            (Some("***"), "other"),
            (Some("  "), "none"),
            (None, "none"),
        ] {
            assert_eq!(CallClient::of_user_agent(agent).as_str(), kind, "{agent:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_names_some_client(agent in ".{0,80}") {
            let _ = CallClient::of_user_agent(Some(&agent));
        }
    }
}
