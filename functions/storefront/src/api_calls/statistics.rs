//! `GET /api-calls/statistics?from=&to=&route=&status=&client=&by=`

use serde_json::{Value, json};
use shared::api_calls::{Aggregate, GroupBy, GroupSums, Minute, SumFilter};

use super::conditions;
use crate::app::App;
use crate::http::{Call, Problem, Reply, now_ms, time};

/// Maximum length of the summed period.
const MAX_PERIOD_MS: i64 = 400 * conditions::DAY_MS;
/// Maximum number of groups in an answer.
const MAX_GROUPS: u32 = 5_000;

/// Sums of the calls of whole minutes: the total, and one sum for each group that `by` forms.
pub async fn statistics(app: &App, call: &Call) -> Result<Reply, Problem> {
    call.claims.user_with(super::SCOPE)?;
    let (from_ms, until_ms) = conditions::period(call, now_ms(), MAX_PERIOD_MS)?;
    let filter = SumFilter {
        from: Minute::of_ms(from_ms),
        until: Minute(Minute::of_ms(until_ms - 1).0 + 1),
        route: conditions::route(call)?,
        status: conditions::status(call)?,
        client: conditions::client(call)?,
    };
    let by = by(call)?;
    let groups = app.store.sum_calls(&filter, by, MAX_GROUPS + 1).await?;
    if groups.len() > MAX_GROUPS as usize {
        return Err(Problem::malformed(format_args!(
            "more than {MAX_GROUPS} groups: choose a shorter period, or fewer names in by"
        )));
    }
    let mut total = Aggregate::default();
    for group in &groups {
        total.add(&group.sums);
    }
    let mut body = json!({
        "from": time(filter.from.start_ms()), "to": time(filter.until.start_ms()),
        "total": sums(&total),
    });
    if by != GroupBy::default() {
        body["groups"] = groups.iter().map(view).collect();
    }
    Ok(Reply::ok(body))
}

/// `by=minute,route`: any of four names in any order; none if the parameter is absent.
fn by(call: &Call) -> Result<GroupBy, Problem> {
    let mut by = GroupBy::default();
    for name in call
        .parameter("by")?
        .into_iter()
        .flat_map(|names| names.split(','))
    {
        match name.trim() {
            "minute" => by.minute = true,
            "route" => by.route = true,
            "status" => by.status = true,
            "client" => by.client = true,
            _ => {
                return Err(Problem::malformed(
                    "by must be a list of minute, route, status and client",
                ));
            }
        }
    }
    Ok(by)
}

/// A group: its members and sums.
fn view(group: &GroupSums) -> Value {
    let mut view = sums(&group.sums);
    let members = [
        ("minute", group.minute.map(|at| time(at.start_ms()).into())),
        ("route", group.route.as_deref().map(Value::from)),
        ("client", group.client.as_deref().map(Value::from)),
        ("status", group.status.map(Value::from)),
    ];
    for (name, value) in members {
        if let Some(value) = value {
            view[name] = value;
        }
    }
    view
}

fn sums(sums: &Aggregate) -> Value {
    json!({
        "calls": sums.calls, "mean_us": sums.mean_us(), "max_us": sums.max_us,
        "p50_us": sums.percentile_us(500), "p95_us": sums.percentile_us(950),
        "p99_us": sums.percentile_us(990),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_named_in_any_order() {
        let by = |text: &str| {
            by(&Call {
                query: [("by", text)].into_iter().collect(),
                ..Call::default()
            })
        };
        assert_eq!(super::by(&Call::default()), Ok(GroupBy::default()));
        assert_eq!(
            by("status, minute"),
            Ok(GroupBy {
                minute: true,
                status: true,
                ..GroupBy::default()
            })
        );
        assert_eq!(
            by("route,client"),
            Ok(GroupBy {
                route: true,
                client: true,
                ..GroupBy::default()
            })
        );
        for bad in ["url", "", "minute,", "minute,,route"] {
            assert_eq!(by(bad).map_err(|p| p.status), Err(400), "{bad:?}");
        }
    }
}
