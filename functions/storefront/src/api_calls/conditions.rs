//! What queries on calls have in common: a bounded time, and conditions that are checked before anything is asked.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use shared::message::{CallClient, CallUrl, UserId};

use crate::http::{Call, Problem};

/// How far back a query looks that says nothing of time.
const HOUR_MS: i64 = 3_600_000;
/// A day.
pub(super) const DAY_MS: i64 = 24 * HOUR_MS;

/// `from` (inclusive) and `to` (exclusive), milliseconds since 1970: the last hour where nothing is said, at most `longest_ms`.
pub(super) fn period(call: &Call, now_ms: u64, longest_ms: i64) -> Result<(i64, i64), Problem> {
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
    if to - from > longest_ms {
        let days = longest_ms / DAY_MS;
        return Err(Problem::malformed(format_args!(
            "from and to may be at most {days} days apart here"
        )));
    }
    Ok((from, to))
}

/// `status=404`, or `status=4xx` for all of a kind.
pub(super) fn status(call: &Call) -> Result<Option<RangeInclusive<u16>>, Problem> {
    let Some(text) = call.parameter("status")? else {
        return Ok(None);
    };
    let wrong = || Problem::malformed("status must be 100 to 599, or 1xx to 5xx");
    let number = |text: &str| text.parse::<u16>().map_err(|_| wrong());
    let range = if let Some(class) = text.strip_suffix("xx") {
        let first = number(class)?.checked_mul(100).ok_or_else(wrong)?;
        first..=first.saturating_add(99)
    } else {
        number(text)?..=number(text)?
    };
    if *range.start() < 100 || *range.end() > 599 {
        return Err(wrong());
    }
    Ok(Some(range))
}

/// `route=GET /orders/{number}`: method and template, as statistics show them.
pub(super) fn route(call: &Call) -> Result<Option<String>, Problem> {
    let Some(route) = call.parameter("route")? else {
        return Ok(None);
    };
    let fits = !route.is_empty()
        && route.len() <= 145
        && route.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    if fits {
        Ok(Some(route.to_owned()))
    } else {
        Err(Problem::malformed(
            "route must look like GET /orders/{number}",
        ))
    }
}

/// `url=/orders?limit=20`, or `url=/programs/7*` for all that begin so.
pub(super) fn url(call: &Call) -> Result<Option<RangeInclusive<String>>, Problem> {
    let Some(text) = call.parameter("url")? else {
        return Ok(None);
    };
    let (start, prefix) = text
        .strip_suffix('*')
        .map_or((text, false), |start| (start, true));
    let url = CallUrl::new(start)
        .map_err(|e| Problem::malformed(format_args!("url, before a * at its end: {e}")))?;
    // Behind every url that begins so: urls are visible ASCII.
    let end = if prefix {
        format!("{url}\u{7f}")
    } else {
        url.to_string()
    };
    Ok(Some(url.into()..=end))
}

/// `ip=192.0.2.7`
pub(super) fn ip(call: &Call) -> Result<Option<IpAddr>, Problem> {
    let ip = call.parameter("ip")?.map(str::parse::<IpAddr>);
    let ip = ip
        .transpose()
        .map_err(|_| Problem::malformed("ip must be an IPv4 or IPv6 address"))?;
    Ok(ip.map(|ip| ip.to_canonical()))
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

    fn asked(query: &[(&str, &str)]) -> Call {
        Call {
            query: query.iter().copied().collect(),
            ..Call::default()
        }
    }

    #[test]
    fn a_period_is_the_last_hour_or_what_is_said_within_bounds() {
        let now = NOW as i64;
        assert_eq!(
            period(&asked(&[]), NOW, DAY_MS),
            Ok((now + 1 - HOUR_MS, now + 1))
        );
        let day = [
            ("from", "2026-11-24T00:00:00Z"),
            ("to", "2026-11-25T00:00:00Z"),
        ];
        assert_eq!(
            period(&asked(&day), NOW, DAY_MS).map(|(from, to)| to - from),
            Ok(DAY_MS)
        );
        assert_eq!(
            period(&asked(&day), NOW, DAY_MS - 1).map_err(|p| p.status),
            Err(400)
        );
        for bad in [
            ("from", "yesterday"),
            ("from", "9999-01-01T00:00:00Z"),
            ("to", "1795000000000"),
            ("to", "-000001-01-01T00:00:00Z"),
        ] {
            assert_eq!(
                period(&asked(&[bad]), NOW, DAY_MS).map_err(|p| p.status),
                Err(400),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn a_status_is_one_or_a_kind() {
        assert_eq!(status(&asked(&[("status", "404")])), Ok(Some(404..=404)));
        assert_eq!(status(&asked(&[("status", "4xx")])), Ok(Some(400..=499)));
        for bad in [
            "0xx", "6xx", "99", "600", "", "xx", "4x", "-1xx", "999xx", "65535xx",
        ] {
            assert_eq!(
                status(&asked(&[("status", bad)])).map_err(|p| p.status),
                Err(400),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_url_is_itself_or_everything_that_begins_so() {
        assert_eq!(
            url(&asked(&[("url", "/orders")])),
            Ok(Some("/orders".to_owned()..="/orders".to_owned()))
        );
        let range = url(&asked(&[("url", "/programs/7*")]))
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
                url(&asked(&[("url", bad)])).map_err(|p| p.status),
                Err(400),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn what_can_match_nothing_is_refused_and_not_searched_for() {
        assert_eq!(
            ip(&asked(&[("ip", "::ffff:192.0.2.7")])).map(|ip| ip.map(|ip| ip.to_string())),
            Ok(Some("192.0.2.7".into()))
        );
        assert_eq!(
            ip(&asked(&[("ip", "192.0.2.700")])).map_err(|p| p.status),
            Err(400)
        );
        assert_eq!(
            route(&asked(&[("route", "GET /\u{0}")])).map_err(|p| p.status),
            Err(400)
        );
        assert_eq!(
            user(&asked(&[("user", "a b")])).map_err(|p| p.status),
            Err(400)
        );
        assert_eq!(
            client(&asked(&[("client", "Chrome")])).map_err(|p| p.status),
            Err(400)
        );
    }
}
