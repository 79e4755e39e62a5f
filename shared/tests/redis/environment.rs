//! A gate with one program, under a prefix of its own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use delay_queue::Claim;
use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, cmd};
use shared::gate::{
    Epoch, FillBegun, FillClaim, FillGrant, FillStart, Gate, HoldRequest, OrderAt, ProgramRef,
    Reserved, Settle, SettleTo,
};
use shared::message::{
    BodyHash, CategoryNo, Cents, IdempotencyKey, Nonce, OrderNumber, ProgramId, ProgramVersion,
    SeatIndex, Shard, UserId,
};
use shared::naming::Names;
use shared::sale::{Category, Layout, Program, ProgramStatus, SeatSelection};
use testkit::redis::remove_keys;
use testkit::servers::redis_url;

pub(crate) const ENDS: &str = r#"{"0":12}"#;

/// Of every message.
pub(crate) const PAY_BY_MS: i64 = 1_795_372_122_316;
pub(crate) const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

pub(crate) struct TestEnvironment {
    pub(crate) gate: Gate,
    pub(crate) names: Names,
    pub(crate) program: Program,
    pub(crate) url: String,
    /// `None`: the server is a cluster.
    raw: Option<MultiplexedConnection>,
    next: AtomicU16,
    on_shared_server: bool,
}

/// Rows and seats per row of each category.
pub(crate) type Halls<'a> = &'a [(u32, u32)];

impl TestEnvironment {
    /// On the shared server, with an open program.
    pub(crate) async fn open(halls: Halls<'_>) -> Self {
        let environment = Self::at(&redis_url(), halls).await;
        environment.install().await;
        environment
    }

    /// On any server, without the program.
    pub(crate) async fn at(url: &str, halls: Halls<'_>) -> Self {
        let names = Names::new(&testkit::prefix()).expect("a valid prefix");
        let gate =
            Gate::connect(url, names.clone(), Duration::from_secs(5)).expect("a usable address");
        let raw = if testkit::redis::cluster_of(url).is_some() {
            None
        } else {
            let client = redis::Client::open(url).expect("a usable address");
            let raw = client.get_multiplexed_async_connection().await;
            Some(raw.unwrap_or_else(|e| {
                panic!("no Redis at {url} ({e}): run `scripts/servers start redis`")
            }))
        };
        let on_shared_server = url == redis_url();
        Self {
            gate,
            names,
            program: program(halls),
            url: url.to_owned(),
            raw,
            next: AtomicU16::new(0),
            on_shared_server,
        }
    }

    pub(crate) async fn install(&self) {
        let loader = Epoch::new(rand::random());
        assert_eq!(self.begin(ENDS, &loader, 60_000).await, mine(""));
        assert_eq!(
            self.gate.install_open(self.at_program(), &loader).await,
            Ok(true)
        );
    }

    /// Claims and begins a filling.
    pub(crate) async fn begin(&self, ends: &str, loader: &Epoch, lease_ms: u64) -> FillBegun {
        let grant = self.claim(loader).await;
        let start = FillStart {
            grant: &grant,
            ends,
        };
        self.gate
            .install_begin(&self.program, Some(start), loader, lease_ms)
            .await
            .expect("answers")
    }

    pub(crate) async fn claim(&self, loader: &Epoch) -> FillGrant {
        match self
            .gate
            .install_claim(self.at_program(), loader, 60_000)
            .await
        {
            Ok(FillClaim::Granted(grant)) => grant,
            other => panic!("no grant but {other:?}"),
        }
    }

    pub(crate) fn at_program(&self) -> ProgramRef {
        ProgramRef::from(&self.program)
    }

    /// A new order of the program.
    pub(crate) fn order(&self) -> OrderAt {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        OrderAt {
            order: number(n),
            nonce: nonce(rand::random()),
            program: self.at_program(),
        }
    }

    /// A request of `user` without an idempotency key.
    pub(crate) fn request(&self, at: OrderAt, user: &str, want: SeatSelection) -> HoldRequest {
        HoldRequest {
            program: at.program,
            order: at.order,
            nonce: at.nonce,
            user: uid(user),
            want,
            unit_price: Cents::new(4200).expect("valid"),
            user_limit: self.program.user_limit,
            idempotency: None,
            publish_window_ms: 30_000,
            idem_ttl_ms: 90_000_000,
            pay_by_ms: PAY_BY_MS,
            trace: Some(TRACE.into()),
        }
    }

    /// Reserves and expects seats.
    pub(crate) async fn held(&self, at: OrderAt, user: &str, want: SeatSelection) -> Vec<u32> {
        match self.gate.reserve(&self.request(at, user, want)).await {
            Ok(Reserved::Held { seats, .. }) => seats.into_iter().map(SeatIndex::get).collect(),
            other => panic!("expected held seats, got {other:?}"),
        }
    }

    pub(crate) fn key(&self, rest: &str) -> String {
        self.names.shard_key(self.program.shard, rest)
    }

    pub(crate) fn program_key(&self, rest: &str) -> String {
        self.key(&format!("program:{}:{rest}", self.program.id))
    }

    pub(crate) async fn query<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = cmd(words[0]);
        command.arg(&words[1..]);
        let answer = match &self.raw {
            Some(raw) => command.query_async(&mut raw.clone()).await,
            None => testkit::redis::run(&self.url, &command),
        };
        answer.unwrap_or_else(|e| panic!("{words:?}: {e}"))
    }

    pub(crate) async fn hash(&self, key: &str) -> BTreeMap<String, String> {
        self.query(&["HGETALL", key]).await
    }

    /// All keys under the prefix.
    #[allow(clippy::unused_async, reason = "the tests need no other form")]
    pub(crate) async fn keys(&self) -> Vec<String> {
        let one = || vec![self.url.clone()];
        let pattern = format!("{}:*", self.names.prefix());
        let mut keys: Vec<String> = Vec::new();
        for node in testkit::redis::cluster_of(&self.url).unwrap_or_else(one) {
            let found: Vec<String> = testkit::redis::query(&node, &["KEYS", &pattern])
                .unwrap_or_else(|e| panic!("the keys of {node}: {e}"));
            keys.extend(found);
        }
        keys.sort();
        keys
    }

    /// The free count of the first category.
    pub(crate) async fn free(&self) -> u32 {
        let availability = self
            .gate
            .availability(self.at_program())
            .await
            .expect("answers")
            .expect("installed");
        availability.free[0].1
    }

    /// Claims the timeout entry of an order, as soon as it is due.
    pub(crate) async fn claim_entry(&self, at: OrderAt) -> Claim {
        let (queue, shards) = (self.gate.timeouts(), [at.program.shard.into()]);
        loop {
            let claimed = queue.claim(&shards, 10, 60_000).await.expect("answers");
            if let Some(claim) = claimed.claims.into_iter().next() {
                assert_eq!(claim.id, at.order.to_string());
                return claim;
            }
        }
    }

    /// Milliseconds until the order's timeout entry is due.
    pub(crate) async fn entry(&self, at: OrderAt) -> Option<u64> {
        let entry = self
            .gate
            .timeouts()
            .peek(at.program.shard, &at.order.to_string())
            .await
            .expect("answers")?;
        let now = self.redis_ms().await;
        Some(entry.due_ms.saturating_sub(now))
    }

    pub(crate) async fn redis_ms(&self) -> u64 {
        let (seconds, micros): (u64, u64) = self.query(&["TIME"]).await;
        seconds * 1000 + micros / 1000
    }
}

impl Drop for TestEnvironment {
    fn drop(&mut self) {
        // The data of a private server end with it.
        if self.on_shared_server
            && let Err(error) = remove_keys(&self.url, self.names.prefix())
        {
            eprintln!("keys of {} are not removed: {error}", self.names);
        }
    }
}

/// The filling is the caller's, with the barriers [`ENDS`].
pub(crate) fn mine(position: &str) -> FillBegun {
    FillBegun::Mine {
        ends: ENDS.into(),
        position: position.into(),
    }
}

fn program(halls: Halls<'_>) -> Program {
    let mut first = 0;
    let mut categories = Vec::new();
    for (no, (rows, row_len)) in halls.iter().enumerate() {
        let layout = Layout::new(seat(first), *rows, *row_len).expect("a valid layout");
        first += layout.seats();
        let no = category(no as u16);
        categories.push(Category {
            no,
            name: format!("category {no}"),
            layout,
            price: Cents::new(4200).expect("valid"),
        });
    }
    Program {
        id: ProgramId::new(17).expect("valid"),
        shard: Shard::new(9).expect("valid"),
        title: "A sale".into(),
        version: ProgramVersion::FIRST,
        status: ProgramStatus::OnSale,
        pay_window_ms: 900_000,
        user_limit: 6,
        admissions_per_second: None,
        categories,
    }
}

pub(crate) fn number(n: u16) -> OrderNumber {
    OrderNumber::compose(1_795_371_222_316, Shard::new(9).expect("valid"), n).expect("valid")
}

pub(crate) fn nonce(n: u128) -> Nonce {
    Nonce::new(n.to_be_bytes())
}

pub(crate) fn seat(n: u32) -> SeatIndex {
    SeatIndex::new(n).expect("a valid seat")
}

pub(crate) fn category(n: u16) -> CategoryNo {
    CategoryNo::new(n).expect("a valid category")
}

pub(crate) fn uid(text: &str) -> UserId {
    UserId::new(text).expect("a valid user")
}

pub(crate) fn hash(n: u8) -> BodyHash {
    BodyHash::new([n; 32])
}

pub(crate) fn idem(text: &str) -> IdempotencyKey {
    IdempotencyKey::new(text).expect("a valid key")
}

pub(crate) fn best(count: u32) -> SeatSelection {
    SeatSelection::best(category(0), count).expect("a valid selection")
}

pub(crate) fn chosen(seats: &[u32]) -> SeatSelection {
    SeatSelection::seats(category(0), seats.iter().map(|n| seat(*n)).collect())
        .expect("a valid selection")
}

/// Settles an order by the data of its reservation.
pub(crate) fn settle_to(at: OrderAt, to: SettleTo) -> Settle {
    Settle {
        at,
        user: None,
        key: None,
        seats: None,
        to,
    }
}
