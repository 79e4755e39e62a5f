//! Sums do not depend on order or batches, and names stay within their caps.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::message::{CallClient, CallId, CallInstance, CallMethod, CallRoute, CallUrl};

type Sums = BTreeMap<Cell, Aggregate>;

fn call(route: u8, client: u8, status: u16, at_ms: i64, duration_us: u64) -> ApiCall {
    ApiCall {
        v: 1,
        id: CallId::new([7; 16]),
        at_ms,
        method: CallMethod::new("GET").expect("in bounds"),
        route: CallRoute::new(format!("/r{route}")).expect("in bounds"),
        url: CallUrl::new("/r").expect("in bounds"),
        status,
        duration_us,
        client: CallClient::new(format!("c{client}")).expect("in bounds"),
        user: None,
        ip: None,
        trace: None,
        instance: CallInstance::new("i").expect("in bounds"),
    }
}

prop_compose! {
    fn any_call()(
        route in 0..6_u8,
        client in 0..6_u8,
        status in prop::sample::select(vec![200_u16, 201, 404, 503]),
        at_ms in 0..240_000_i64,
        duration_us in prop_oneof![0..3_000_u64, 0..ApiCall::MAX_DURATION_US],
    ) -> ApiCall {
        call(route, client, status, at_ms, duration_us)
    }
}

/// Adds batches one after the other. Each has only the stored names and sums of those before.
fn in_batches<'a>(batches: impl IntoIterator<Item = &'a [ApiCall]>, caps: Caps) -> Sums {
    let mut stored = Sums::new();
    for batch in batches {
        let mut roll_up = RollUp::new(caps);
        let minutes: BTreeSet<Minute> =
            batch.iter().map(|call| Minute::of_ms(call.at_ms)).collect();
        for minute in minutes {
            let of = |name: fn(&Cell) -> &String| {
                Labels::new(
                    stored
                        .keys()
                        .filter(|cell| cell.minute == minute)
                        .map(name)
                        .cloned(),
                )
            };
            roll_up.add_known(minute, of(|cell| &cell.route), of(|cell| &cell.client));
        }
        for call in batch {
            roll_up.add(call, call.at_ms);
        }
        for (cell, sums) in roll_up.cells() {
            stored.entry(cell.clone()).or_default().add(sums);
        }
    }
    stored
}

fn total(sums: &Sums) -> Aggregate {
    sums.values().fold(Aggregate::default(), |mut total, one| {
        total.add(one);
        total
    })
}

/// The sums without names.
fn by_minute_and_status(sums: &Sums) -> BTreeMap<(Minute, u16), Aggregate> {
    let mut nameless = BTreeMap::new();
    for (cell, one) in sums {
        nameless
            .entry((cell.minute, cell.status))
            .or_insert_with(Aggregate::default)
            .add(one);
    }
    nameless
}

const WIDE: Caps = Caps {
    routes: 6,
    clients: 6,
};
const NARROW: Caps = Caps {
    routes: 2,
    clients: 3,
};

proptest! {
    #[test]
    fn neither_order_nor_batches_change_sums(calls in vec(any_call(), 0..60), sizes in vec(1..9_usize, 60), seed: u64) {
        let whole = in_batches([calls.as_slice()], WIDE);
        let mut shuffled = calls.clone();
        shuffled.sort_by_key(|call| (call.duration_us ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut rest = shuffled.as_slice();
        let mut batches = Vec::new();
        for size in sizes {
            let (batch, more) = rest.split_at(size.min(rest.len()));
            batches.push(batch);
            rest = more;
        }
        prop_assert_eq!(in_batches(batches, WIDE), whole);
    }

    #[test]
    fn caps_drop_names_but_no_calls(calls in vec(any_call(), 0..60), size in 1..9_usize) {
        let exact = in_batches([calls.as_slice()], WIDE);
        let capped = in_batches(calls.chunks(size), NARROW);
        prop_assert_eq!(by_minute_and_status(&capped), by_minute_and_status(&exact));
        prop_assert_eq!(total(&capped).calls, calls.len() as u64);
        for minute in capped.keys().map(|cell| cell.minute).collect::<BTreeSet<_>>() {
            let of = |name: fn(&Cell) -> &String| {
                capped.keys().filter(|cell| cell.minute == minute).map(name).collect::<BTreeSet<_>>().len()
            };
            prop_assert!(of(|cell| &cell.route) <= NARROW.routes + 1);
            prop_assert!(of(|cell| &cell.client) <= NARROW.clients + 1);
        }
    }

    #[test]
    fn a_percentile_is_an_upper_bound_within_its_bucket(mut durations in vec(0..20_000_000_u64, 1..50), per_mille in 1..=1000_u64) {
        let mut sums = Aggregate::default();
        for duration in &durations {
            sums.add(&Aggregate::of(*duration));
        }
        durations.sort_unstable();
        let exact = durations[(durations.len() as u64 * per_mille).div_ceil(1000) as usize - 1];
        let found = sums.percentile_us(per_mille);
        let bucket = BUCKET_BOUNDS_US.iter().find(|bound| **bound >= exact).copied().unwrap_or(u64::MAX);
        prop_assert!(exact <= found && found <= bucket, "{exact} {found} {bucket}");
        prop_assert!(found <= sums.max_us);
    }

    #[test]
    fn the_brokers_time_bounds_the_senders_time(at in 0..=ApiCall::MAX_AT_MS, appended in 0..4_000_000_000_000_i64) {
        let counted = counted_at_ms(&call(0, 0, 200, at, 1), Some(appended));
        prop_assert!(counted <= appended && counted >= appended - 3_600_000 || counted == 0);
        if at <= appended && at >= appended - 3_600_000 {
            prop_assert_eq!(counted, at);
        }
        prop_assert_eq!(counted_at_ms(&call(0, 0, 200, at, 1), None), at);
    }
}

#[test]
fn a_bound_is_part_of_its_bucket() {
    let bucket = |duration| Aggregate::of(duration).buckets.iter().position(|n| *n == 1);
    assert_eq!(
        (bucket(0), bucket(1_000), bucket(1_001)),
        (Some(0), Some(0), Some(1))
    );
    assert_eq!(
        (bucket(10_000_000), bucket(10_000_001)),
        (Some(12), Some(13))
    );
    assert_eq!(Aggregate::default().percentile_us(500), 0);
    assert_eq!(Aggregate::default().mean_us(), 0);
}
