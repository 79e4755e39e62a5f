//! The waiting room of a program.

use std::time::Duration;

use futures::future::join_all;
use shared::gate::{GrantedRound, RoomLimits, RoomPlace, RoomTicket, RoundEnd};
use shared::message::AdmissionRate;
use shared::sale::{BacklogLimit, CREDIT_MS, OrderBacklog, Round, admission_round};
use testkit::servers::redis_url;

use super::environment::{TestEnvironment, uid};

const LIMITS: RoomLimits = RoomLimits {
    patience: Duration::from_mins(2),
    admission: Duration::from_mins(10),
    places: 100_000,
};
/// A time that has passed when the next call comes.
const SHORT: Duration = Duration::from_millis(1);
const RATE: u32 = 100;

async fn room() -> TestEnvironment {
    TestEnvironment::at(&redis_url(), &[(1, 10)]).await
}

/// Joins with these limits.
async fn join_with(env: &TestEnvironment, user: &str, limits: RoomLimits, may: bool) -> RoomPlace {
    let (at, random) = (env.at_program(), rand::random());
    env.gate
        .room_join(at, &uid(user), limits, random, may)
        .await
        .expect("answers")
}

async fn join(env: &TestEnvironment, user: &str) -> RoomPlace {
    join_with(env, user, LIMITS, false).await
}

async fn look(env: &TestEnvironment, user: &str, ticket: RoomTicket) -> RoomPlace {
    env.gate
        .room_look(env.at_program(), &uid(user), ticket, LIMITS, false)
        .await
        .expect("answers")
}

/// Looks until this caller is granted a round.
async fn granted(env: &TestEnvironment, user: &str, ticket: RoomTicket) -> GrantedRound {
    loop {
        let place = env
            .gate
            .room_look(env.at_program(), &uid(user), ticket, LIMITS, true)
            .await
            .expect("answers");
        match place {
            RoomPlace::Waiting {
                round: Some(granted),
                ..
            } => return granted,
            RoomPlace::Waiting { .. } => {}
            other => panic!("{user} does not wait: {other:?}"),
        }
    }
}

/// A round that admits so many.
const fn admitting(granted: GrantedRound, admitted: u32) -> Round {
    Round {
        admitted,
        credit_ms: granted.state.credit_ms + 1,
        read: None,
        moved_ms: granted.state.now_ms,
        paused: false,
    }
}

async fn admit(
    env: &TestEnvironment,
    granted: GrantedRound,
    decided: Round,
    limits: RoomLimits,
) -> Option<RoundEnd> {
    let at = env.at_program();
    let ended = env.gate.room_admit(at, granted, decided, limits).await;
    ended.expect("answers")
}

fn ticket(place: RoomPlace) -> RoomTicket {
    match place {
        RoomPlace::Waiting { ticket, .. } | RoomPlace::Admitted { ticket, .. } => ticket,
        other => panic!("no place but {other:?}"),
    }
}

fn position(place: RoomPlace) -> Option<u64> {
    match place {
        RoomPlace::Waiting { position, .. } => Some(position),
        _ => None,
    }
}

async fn is_admitted(env: &TestEnvironment, user: &str) -> bool {
    let admission = env.gate.room_admission(env.at_program(), &uid(user)).await;
    admission.expect("answers").is_some()
}

/// Returns when this time, and one millisecond, have passed by Redis' clock.
async fn pass(env: &TestEnvironment, time: Duration) {
    let until = env.redis_ms().await + time.as_millis() as u64 + 2;
    while env.redis_ms().await < until {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_buyer_has_one_place_however_often_joined() {
    let env = room().await;
    let first = join_all((0..20).map(|_| join(&env, "ann"))).await;
    let bob = join(&env, "bob").await;
    assert!(first.iter().all(|place| *place == first[0]), "{first:?}");
    assert_eq!((position(first[0]), position(bob)), (Some(1), Some(2)));
    assert_eq!(join(&env, "ann").await, first[0]);
    assert_eq!(position(look(&env, "bob", ticket(bob)).await), Some(2));
    assert!(!is_admitted(&env, "ann").await, "no round was run");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_ticket_leads_to_its_own_place_only() {
    let env = room().await;
    let ann = ticket(join(&env, "ann").await);
    let bob = ticket(join(&env, "bob").await);
    assert_eq!(look(&env, "bob", ann).await, RoomPlace::None);
    assert_eq!(look(&env, "ann", bob).await, RoomPlace::None);
    assert_eq!(look(&env, "eve", ann).await, RoomPlace::None);
    // The buyer's place lapses, and a later one does not belong to the old ticket.
    let hasty = RoomLimits {
        patience: SHORT,
        ..LIMITS
    };
    let late = ticket(join_with(&env, "cid", hasty, false).await);
    pass(&env, SHORT).await;
    let again = ticket(join(&env, "cid").await);
    assert_ne!(again, late);
    assert_eq!(look(&env, "cid", late).await, RoomPlace::None);
    assert_eq!(ticket(look(&env, "cid", again).await), again);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn buyers_are_admitted_in_order_at_the_rate() {
    const BUYERS: usize = 400;
    let env = room().await;
    let mut tickets = Vec::new();
    for n in 0..BUYERS {
        tickets.push(ticket(join(&env, &format!("buyer-{n}")).await));
    }
    let rate = AdmissionRate::new(RATE).expect("in bounds");
    let limit = BacklogLimit {
        unread: 1_000,
        stall_ms: 10_000,
    };
    let mut rounds: Vec<(u64, u64)> = Vec::new();
    let mut admitted = 0;
    while admitted < BUYERS {
        // The first buyer looks, and so do others at the same time: one of them has the round.
        let last = BUYERS - 1;
        let places = join_all([admitted, last, last, last].map(|n| {
            let (env, user) = (&env, format!("buyer-{n}"));
            let ticket = tickets[n];
            async move {
                env.gate
                    .room_look(env.at_program(), &uid(&user), ticket, LIMITS, true)
                    .await
                    .expect("answers")
            }
        }))
        .await;
        let granted: Vec<_> = places
            .iter()
            .filter_map(|place| match place {
                RoomPlace::Waiting { round, .. } => *round,
                _ => None,
            })
            .collect();
        assert!(granted.len() <= 1, "a second has one round");
        let Some(granted) = granted.first().copied() else {
            continue;
        };
        let idle = Some(OrderBacklog { unread: 0, read: 0 });
        let decided = admission_round(granted.state, rate, idle, limit);
        let end = admit(&env, granted, decided, LIMITS).await.expect("is due");
        assert_eq!(end.admitted, decided.admitted);
        admitted += end.admitted as usize;
        assert_eq!(end.waiting as usize, BUYERS - admitted);
        rounds.push((granted.state.now_ms, end.admitted.into()));
        for n in [admitted.saturating_sub(1), admitted]
            .into_iter()
            .filter(|n| *n < BUYERS)
        {
            let is_first = n < admitted;
            assert_eq!(
                is_admitted(&env, &format!("buyer-{n}")).await,
                is_first,
                "{n}"
            );
        }
    }
    assert!(rounds.len() > 2, "{rounds:?}");
    for (n, (from, _)) in rounds.iter().enumerate() {
        let mut sum = 0;
        for (until, count) in &rounds[n..] {
            sum += count;
            assert!(
                sum * 1000 <= u64::from(RATE) * (until - from + CREDIT_MS),
                "{rounds:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_round_ends_once() {
    let env = room().await;
    let ann = ticket(join(&env, "ann").await);
    join(&env, "bob").await;
    join(&env, "cid").await;
    let granted = granted(&env, "ann", ann).await;
    let one = admitting(granted, 1);
    let first = RoundEnd {
        admitted: 1,
        waiting: 2,
    };
    assert_eq!(admit(&env, granted, one, LIMITS).await, Some(first));
    for _ in 0..3 {
        assert_eq!(admit(&env, granted, one, LIMITS).await, None);
    }
    assert!(is_admitted(&env, "ann").await && !is_admitted(&env, "bob").await);
    assert!(matches!(
        look(&env, "ann", ann).await,
        RoomPlace::Admitted { .. }
    ));
    assert!(
        matches!(join(&env, "ann").await, RoomPlace::Admitted { ticket, .. } if ticket == ann),
        "joining again is looking"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn who_has_left_is_passed_over() {
    let env = room().await;
    let hasty = RoomLimits {
        patience: Duration::from_millis(300),
        ..LIMITS
    };
    // A call forgets 100 places that have ended: some of these are still there when the round ends.
    let gone: Vec<String> = (0..600).map(|n| format!("gone-{n}")).collect();
    join_all(gone.iter().map(|user| join_with(&env, user, hasty, false))).await;
    pass(&env, hasty.patience).await;
    let ann = ticket(join(&env, "ann").await);
    join(&env, "bob").await;
    let granted = granted(&env, "ann", ann).await;
    let end = admit(&env, granted, admitting(granted, 1), LIMITS).await;
    assert_eq!(
        end,
        Some(RoundEnd {
            admitted: 1,
            waiting: 1
        })
    );
    assert!(is_admitted(&env, "ann").await && !is_admitted(&env, "gone-599").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_ended_admission_frees_its_place() {
    let env = room().await;
    let ann = ticket(join(&env, "ann").await);
    join(&env, "bob").await;
    let granted = granted(&env, "ann", ann).await;
    let brief = RoomLimits {
        admission: SHORT,
        ..LIMITS
    };
    let end = admit(&env, granted, admitting(granted, 1), brief).await;
    assert_eq!(end.map(|end| end.admitted), Some(1));
    while is_admitted(&env, "ann").await {}
    while look(&env, "ann", ann).await != RoomPlace::None {}
    let again = join(&env, "ann").await;
    assert_eq!(position(again), Some(2), "behind bob");
    assert_eq!(
        env.query::<u64>(&["ZCARD", &env.program_key("room-admitted")])
            .await,
        0
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_room_has_so_many_places_and_ended_ones_are_free_again() {
    let env = room().await;
    let small = RoomLimits {
        places: 2,
        patience: SHORT,
        ..LIMITS
    };
    let patient = RoomLimits {
        patience: LIMITS.patience,
        ..small
    };
    join_with(&env, "ann", patient, false).await;
    join_with(&env, "bob", patient, false).await;
    assert_eq!(join_with(&env, "cid", small, false).await, RoomPlace::Full);
    // Bob does not look again.
    join_with(&env, "bob", small, false).await;
    while join_with(&env, "cid", patient, false).await == RoomPlace::Full {}
    assert_eq!(
        position(join_with(&env, "cid", patient, false).await),
        Some(2)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_lost_room_is_joined_again_and_locks_nobody_out() {
    let env = room().await;
    let ann = ticket(join(&env, "ann").await);
    let bob = ticket(join(&env, "bob").await);
    let round = granted(&env, "ann", ann).await;
    admit(&env, round, admitting(round, 1), LIMITS).await;
    let late = granted(&env, "bob", bob).await;
    for lost in ["room", "room-ends", "room-waiting"] {
        env.query::<()>(&["DEL", &env.program_key(lost)]).await;
    }
    assert!(!is_admitted(&env, "ann").await);
    for (user, ticket) in [("ann", ann), ("bob", bob)] {
        assert_eq!(look(&env, user, ticket).await, RoomPlace::None, "{user}");
    }
    let again = join(&env, "bob").await;
    assert_eq!(position(again), Some(1));
    assert_ne!(ticket(again), bob, "it is another room");
    assert_eq!(
        admit(&env, late, admitting(late, 1), LIMITS).await,
        None,
        "a round of the lost room changes nothing"
    );
    assert_eq!(position(join(&env, "ann").await), Some(2));
    let round = granted(&env, "bob", ticket(again)).await;
    let end = admit(&env, round, admitting(round, 2), LIMITS).await;
    assert_eq!(end.map(|end| end.admitted), Some(2));
    assert!(is_admitted(&env, "ann").await && is_admitted(&env, "bob").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_waiting_buyer_takes_less_than_300_bytes_and_all_keys_end() {
    const BUYERS: usize = 10_000;
    let env = room().await;
    let users: Vec<String> = (0..BUYERS).map(|n| format!("auth0|{n:024x}")).collect();
    for users in users.chunks(500) {
        join_all(users.iter().map(|user| join(&env, user))).await;
    }
    let mut bytes = 0;
    for key in env.keys().await {
        bytes += env
            .query::<usize>(&["MEMORY", "USAGE", &key, "SAMPLES", "0"])
            .await;
        let left: i64 = env.query(&["PTTL", &key]).await;
        assert!(left > 0, "{key} does not end");
    }
    let each = bytes / BUYERS;
    println!("{each} bytes for each waiting buyer with a name of 30 characters");
    assert!((100..300).contains(&each), "{each}");
}
