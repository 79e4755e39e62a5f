//! Conditions of queries on calls: a bounded period, and filters that are checked before any query
//! runs.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use shared::message::{CallClient, CallUrl, UserId};

use crate::http::{Call, Problem};

/// Default length of the period.
const HOUR_MS: i64 = 3_600_000;
/// One day in milliseconds.
pub(super) const DAY_MS: i64 = 24 * HOUR_MS;

/// `from` (inclusive) and `to` (exclusive), milliseconds since 1970. Default: the last hour.
/// Maximum length: `max_ms`.
pub(super) fn period(call: &Call, now_ms: u64, max_ms: i64) -> Result<(i64, i64), Problem> {
    let now = i64::try_from(now_ms).unwrap_or(i64::MAX / 2);
    let to = call.time("to")?.unwrap_or(now + 1);
    let from = call
        .time("from")?
        .unwrap_or_else(|| to.saturating_sub(HOUR_MS).max(0));
    if from < 0 || from >= to {
        return Err(Problem::malformed(
            "from must be before to, and neither may be before 1970",
        ));
    }
    if to - from > max_ms {
        let days = max_ms / DAY_MS;
        return Err(Problem::malformed(format_args!(
            "from and to may be at most {days} days apart here"
        )));
    }
    Ok((from, to))
}

/// `status=404`, or `status=4xx` for a whole class.
pub(super) fn status(call: &Call) -> Result<Option<RangeInclusive<u16>>, Problem> {
    let rule = "status must be 100 to 599, or 1xx to 5xx";
    call.checked("status", rule, |text| {
        let range = if let Some(class) = text.strip_suffix("xx") {
            let first = class.parse::<u16>().ok()?.checked_mul(100)?;
            first..=first.saturating_add(99)
        } else {
            let status = text.parse().ok()?;
            status..=status
        };
        (*range.start() >= 100 && *range.end() <= 599).then_some(range)
    })
}

/// `route=GET /orders/{number}`: method and template, as the statistics show them.
pub(super) fn route(call: &Call) -> Result<Option<String>, Problem> {
    let rule = "route must look like GET /orders/{number}";
    call.checked("route", rule, |route| {
        let fits = !route.is_empty()
            && route.len() <= 145
            && route.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
        fits.then(|| route.to_owned())
    })
}

/// `url=/orders?limit=20`, or `url=/programs/7*` for a prefix.
pub(super) fn url(call: &Call) -> Result<Option<RangeInclusive<String>>, Problem> {
    let Some(text) = call.parameter("url")? else {
        return Ok(None);
    };
    let (start, prefix) = text
        .strip_suffix('*')
        .map_or((text, false), |start| (start, true));
    let url = CallUrl::new(start)
        .map_err(|e| Problem::malformed(format_args!("url, before a * at its end: {e}")))?;
    // Urls are visible ASCII, so this sorts behind every url with the prefix.
    let end = if prefix {
        format!("{url}\u{7f}")
    } else {
        url.to_string()
    };
    Ok(Some(url.into()..=end))
}

/// `ip=192.0.2.7`
pub(super) fn ip(call: &Call) -> Result<Option<IpAddr>, Problem> {
    call.checked("ip", "ip must be an IPv4 or IPv6 address", |ip| {
        Some(ip.parse::<IpAddr>().ok()?.to_canonical())
    })
}

/// `user=alice`
pub(super) fn user(call: &Call) -> Result<Option<String>, Problem> {
    let user = call.parameter("user")?.map(UserId::new);
    Ok(user
        .transpose()
        .map_err(Problem::malformed)?
        .map(String::from))
}

/// `client=curl`
pub(super) fn client(call: &Call) -> Result<Option<String>, Problem> {
    let client = call.parameter("client")?.map(CallClient::new);
    Ok(client
        .transpose()
        .map_err(Problem::malformed)?
        .map(String::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_000_000_000;

    fn with_query(query: &[(&str, &str)]) -> Call {
        Call {
            query: query.iter().copied().collect(),
            ..Call::default()
        }
    }

    #[test]
    fn a_period_is_bounded_and_defaults_to_one_hour() {
        let now = NOW as i64;
        assert_eq!(
            period(&with_query(&[]), NOW, DAY_MS),
            Ok((now + 1 - HOUR_MS, now + 1))
        );
        let day = [
            ("from", "2026-11-24T00:00:00Z"),
            ("to", "2026-11-25T00:00:00Z"),
        ];
        assert_eq!(
            period(&with_query(&day), NOW, DAY_MS).map(|(from, to)| to - from),
            Ok(DAY_MS)
        );
        assert_eq!(
            period(&with_query(&day), NOW, DAY_MS - 1).map_err(|p| p.status),
            Err(400)
        );
        for bad in [
            ("from", "yesterday"),
            ("from", "9999-01-01T00:00:00Z"),
            ("to", "1795000000000"),
            ("to", "-000001-01-01T00:00:00Z"),
        ] {
            assert_eq!(
                period(&with_query(&[bad]), NOW, DAY_MS).map_err(|p| p.status),
                Err(400),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn a_status_is_one_code_or_a_class() {
        assert_eq!(
            status(&with_query(&[("status", "404")])),
            Ok(Some(404..=404))
        );
        assert_eq!(
            status(&with_query(&[("status", "4xx")])),
            Ok(Some(400..=499))
        );
        for bad in [
            "0xx", "6xx", "99", "600", "", "xx", "4x", "-1xx", "999xx", "65535xx",
        ] {
            assert_eq!(
                status(&with_query(&[("status", bad)])).map_err(|p| p.status),
                Err(400),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_url_condition_is_exact_or_a_prefix() {
        assert_eq!(
            url(&with_query(&[("url", "/orders")])),
            Ok(Some("/orders".to_owned()..="/orders".to_owned()))
        );
        let range = url(&with_query(&[("url", "/programs/7*")]))
            .expect("taken")
            .expect("a condition");
        for inside in [
            "/programs/7",
            "/programs/7/seats?category=0",
            "/programs/7~~~",
        ] {
            assert!(range.contains(&inside.to_owned()), "{inside}");
        }
        for outside in ["/programs/6", "/programs/8", "/programs/"] {
            assert!(!range.contains(&outside.to_owned()), "{outside}");
        }
        for bad in ["*", "", "/\u{0}", "/a b"] {
            assert_eq!(
                url(&with_query(&[("url", bad)])).map_err(|p| p.status),
                Err(400),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn conditions_that_match_nothing_are_refused() {
        assert_eq!(
            ip(&with_query(&[("ip", "::ffff:192.0.2.7")])).map(|ip| ip.map(|ip| ip.to_string())),
            Ok(Some("192.0.2.7".into()))
        );
        assert_eq!(
            ip(&with_query(&[("ip", "192.0.2.700")])).map_err(|p| p.status),
            Err(400)
        );
        assert_eq!(
            route(&with_query(&[("route", "GET /\u{0}")])).map_err(|p| p.status),
            Err(400)
        );
        assert_eq!(
            user(&with_query(&[("user", "a b")])).map_err(|p| p.status),
            Err(400)
        );
        assert_eq!(
            client(&with_query(&[("client", "Chrome")])).map_err(|p| p.status),
            Err(400)
        );
    }
}
