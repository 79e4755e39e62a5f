//! Changes of programs and the outbox.

use shared::message::{
    AdmissionRate, CategoryNo, Cents, ProgramChanged, ProgramId, ProgramVersion,
};
use shared::sale::{CategoryChange, Program, ProgramChange, ProgramStatus};
use shared::store::{Changed, Switched};

use crate::environment::{Environment, with};

fn version(n: i64) -> ProgramVersion {
    ProgramVersion::new(n).expect("version")
}

fn title(text: &str) -> ProgramChange {
    ProgramChange::new(Some(text.to_owned()), None, None, vec![]).expect("valid")
}

fn price(no: u16, cents: i64) -> CategoryChange {
    CategoryChange {
        no: CategoryNo::new(no).expect("no"),
        name: None,
        price: Some(Cents::new(cents).expect("price")),
    }
}

fn change_of(program: &Program) -> ProgramChanged {
    ProgramChanged {
        id: program.id,
        version: program.version,
    }
}

impl Environment {
    async fn update(&self, id: ProgramId, expected: i64, change: &ProgramChange) -> Changed {
        self.store
            .update_program(id, version(expected), change)
            .await
            .expect("postgres")
    }

    async fn switch(&self, id: ProgramId, to: ProgramStatus) -> Switched {
        self.store.switch_sale(id, to).await.expect("postgres")
    }

    /// All unpublished changes, as if their storefronts were gone.
    async fn left(&self) -> Vec<ProgramChanged> {
        self.run(
            "UPDATE outbox SET created_at = created_at - interval '1 minute' WHERE NOT published",
        )
        .await;
        self.store.unpublished(100).await.expect("postgres")
    }
}

#[tokio::test]
async fn a_change_raises_the_version() {
    with(|env| async move {
        let program = env.program().await;
        let renamed = CategoryChange {
            name: Some("gallery".into()),
            ..price(1, 900)
        };
        let change = ProgramChange::new(
            Some("Winter tour".into()),
            Some(60_000),
            Some(2),
            vec![renamed],
        )
        .expect("valid");
        let Changed::Done(changed) = env.update(program.id, 1, &change).await else {
            panic!("not changed")
        };
        let mut expected = Program {
            title: "Winter tour".into(),
            version: version(2),
            pay_window_ms: 60_000,
            user_limit: 2,
            ..program.clone()
        };
        expected.categories[1].name = "gallery".into();
        expected.categories[1].price = Cents::new(900).expect("price");
        assert_eq!(changed, expected, "the seats do not change");
        assert_eq!(
            env.store.program(program.id).await.expect("postgres"),
            Some(expected)
        );
        // Other values stay.
        let only_price = ProgramChange::new(None, None, None, vec![price(0, 1)]).expect("valid");
        let Changed::Done(changed) = env.update(program.id, 2, &only_price).await else {
            panic!("not changed")
        };
        assert_eq!(
            (changed.title.as_str(), changed.version, changed.user_limit),
            ("Winter tour", version(3), 2)
        );
    })
    .await;
}

#[tokio::test]
async fn a_change_made_for_another_version_changes_nothing() {
    with(|env| async move {
        let program = env.program().await;
        assert_eq!(
            env.update(program.id, 2, &title("X")).await,
            Changed::VersionDiffers(version(1))
        );
        assert_eq!(
            env.store.program(program.id).await.expect("postgres"),
            Some(program.clone())
        );
        assert_eq!(env.left().await, [change_of(&program)]);
        let unknown = ProgramId::new(999_999).expect("id");
        assert_eq!(
            env.update(unknown, 1, &title("X")).await,
            Changed::NoSuchProgram
        );
    })
    .await;
}

#[tokio::test]
async fn a_change_of_an_unknown_category_changes_nothing() {
    with(|env| async move {
        let program = env.program().await;
        let change =
            ProgramChange::new(Some("X".into()), None, None, vec![price(0, 1), price(2, 1)])
                .expect("valid");
        assert_eq!(
            env.update(program.id, 1, &change).await,
            Changed::NoSuchCategory(CategoryNo::new(2).expect("no"))
        );
        assert_eq!(
            env.store.program(program.id).await.expect("postgres"),
            Some(program.clone())
        );
        assert_eq!(env.left().await, [change_of(&program)]);
    })
    .await;
}

#[tokio::test]
async fn one_of_many_concurrent_changes_is_made() {
    with(|env| async move {
        let program = env.program().await;
        let rivals: Vec<_> = (0..12)
            .map(|n| {
                let env = env.clone();
                tokio::spawn(async move {
                    env.update(program.id, 1, &title(&format!("rival {n}")))
                        .await
                })
            })
            .collect();
        let mut done = Vec::new();
        for rival in rivals {
            match rival.await.expect("ran") {
                Changed::Done(program) => done.push(program),
                other => assert_eq!(other, Changed::VersionDiffers(version(2))),
            }
        }
        assert_eq!(done.len(), 1);
        assert_eq!(
            env.store
                .program(program.id)
                .await
                .expect("postgres")
                .as_ref(),
            done.first()
        );
        assert_eq!(env.left().await.len(), 2, "the creation and one change");
    })
    .await;
}

#[tokio::test]
async fn stopping_and_resuming_a_sale_is_idempotent() {
    with(|env| async move {
        let program = env.program().await;
        let Switched::Done(stopped) = env.switch(program.id, ProgramStatus::Stopped).await else {
            panic!("not stopped")
        };
        assert_eq!(
            (stopped.status, stopped.version),
            (ProgramStatus::Stopped, version(2))
        );
        assert_eq!(
            env.switch(program.id, ProgramStatus::Stopped).await,
            Switched::Already(stopped.clone())
        );
        let Switched::Done(resumed) = env.switch(program.id, ProgramStatus::OnSale).await else {
            panic!("not resumed")
        };
        assert_eq!(
            (resumed.status, resumed.version),
            (ProgramStatus::OnSale, version(3))
        );
        assert_eq!(
            env.switch(ProgramId::new(999_999).expect("id"), ProgramStatus::Stopped)
                .await,
            Switched::NoSuchProgram
        );
        assert_eq!(
            env.left().await,
            [1, 2, 3].map(|n| ProgramChanged {
                id: program.id,
                version: version(n)
            })
        );
    })
    .await;
}

#[tokio::test]
async fn a_waiting_room_is_switched_and_announced_once() {
    with(|env| async move {
        let program = env.program().await;
        let switch = async |id, rate: Option<u32>| {
            let rate = rate.map(|n| AdmissionRate::new(n).expect("in bounds"));
            let switched = env.store.switch_waiting_room(id, rate).await;
            switched.expect("postgres")
        };
        let expected = |rate: Option<u32>, n| Program {
            admissions_per_second: rate.map(|n| AdmissionRate::new(n).expect("in bounds")),
            version: version(n),
            ..program.clone()
        };
        let on = expected(Some(500), 2);
        assert_eq!(
            switch(program.id, Some(500)).await,
            Switched::Done(on.clone())
        );
        assert_eq!(
            switch(program.id, Some(500)).await,
            Switched::Already(on.clone())
        );
        assert_eq!(
            env.store.program(program.id).await.expect("postgres"),
            Some(on)
        );
        assert_eq!(
            switch(program.id, Some(1)).await,
            Switched::Done(expected(Some(1), 3))
        );
        assert_eq!(
            switch(program.id, None).await,
            Switched::Done(expected(None, 4))
        );
        assert_eq!(
            switch(program.id, None).await,
            Switched::Already(expected(None, 4))
        );
        let unknown = ProgramId::new(999_999).expect("id");
        assert_eq!(switch(unknown, Some(1)).await, Switched::NoSuchProgram);
        let announced: Vec<_> = env
            .left()
            .await
            .iter()
            .map(|change| change.version)
            .collect();
        assert_eq!(announced, [1, 2, 3, 4].map(version));
    })
    .await;
}

#[tokio::test]
async fn the_outbox_returns_old_unpublished_changes_only() {
    with(|env| async move {
        let program = env.program().await;
        assert_eq!(env.store.unpublished(100).await.expect("postgres"), []);
        assert_eq!(env.left().await, [change_of(&program)]);
        assert_eq!(
            env.store
                .published(&[change_of(&program)])
                .await
                .expect("postgres"),
            1
        );
        assert_eq!(
            env.store
                .published(&[change_of(&program)])
                .await
                .expect("postgres"),
            0
        );
        assert_eq!(env.left().await, []);
    })
    .await;
}

/// A cursor over ids or times would skip the change.
#[tokio::test]
async fn a_late_commit_is_still_found() {
    with(|env| async move {
        let slow = env.program().await;
        let quick = env.program().await;
        env.store
            .published(&[change_of(&slow), change_of(&quick)])
            .await
            .expect("postgres");
        let mut tx = env.raw.begin().await.expect("postgres");
        let insert = sqlx::query(
            "INSERT INTO outbox (program, version, created_at) \
             VALUES ($1, 2, now() - interval '1 hour')",
        );
        insert
            .bind(slow.id.get())
            .execute(&mut *tx)
            .await
            .expect("statement");
        let Changed::Done(changed) = env.update(quick.id, 1, &title("quick")).await else {
            panic!("not changed")
        };
        assert_eq!(env.left().await, [change_of(&changed)]);
        env.store
            .published(&[change_of(&changed)])
            .await
            .expect("postgres");
        assert_eq!(env.left().await, []);
        tx.commit().await.expect("postgres");
        assert_eq!(
            env.left().await,
            [ProgramChanged {
                id: slow.id,
                version: version(2)
            }]
        );
    })
    .await;
}

#[tokio::test]
async fn only_published_changes_are_deleted() {
    with(|env| async move {
        let old = env.program().await;
        let young = env.program().await;
        let left = env.program().await;
        env.store
            .published(&[change_of(&old), change_of(&young)])
            .await
            .expect("postgres");
        let age = "UPDATE outbox SET created_at = now() - interval '25 hours' WHERE program <> ";
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("{age} {}", young.id)))
            .execute(&env.raw)
            .await
            .expect("statement");
        assert_eq!(env.store.delete_published(100).await.expect("postgres"), 1);
        assert_eq!(env.number("SELECT count(*) FROM outbox").await, 2);
        assert_eq!(env.left().await, [change_of(&left)]);
    })
    .await;
}
