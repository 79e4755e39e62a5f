//! Every key of real Redis against the model: none missing, none wrong, none besides.

use std::collections::BTreeMap;

use shared::gate::TimeoutJob;

use super::USERS;
use super::plain::{Model, free, indexes, key_text, message, named, nonce_of, runs, state_of};
use crate::environment::{TestEnvironment, hash, idem, number};

/// Every key of the environment, compared.
pub(super) async fn compare(environment: &TestEnvironment, model: &Model) {
    let gate = &model.gate;
    let head = environment.hash(&environment.program_key("head")).await;
    let mut owners = BTreeMap::new();
    for (n, owner) in &gate.owners {
        let (order, nonce) = named(*owner);
        owners.insert(n.to_string(), format!("{order}:{nonce}"));
    }
    assert_eq!(
        environment.hash(&environment.program_key("owner")).await,
        owners,
        "owners"
    );
    let mut expected_keys = vec![environment.program_key("head")];
    if !owners.is_empty() {
        expected_keys.push(environment.program_key("owner"));
    }
    for of in &environment.program.categories {
        let map = environment
            .gate
            .seat_map(environment.at_program(), of)
            .await
            .expect("answers")
            .expect("installed");
        let bytes: Vec<u8> = map.into_iter().flatten().collect();
        let expected: Vec<u8> = of.layout.all().map(|n| model.map().code(n.get())).collect();
        assert!(
            bytes == expected,
            "the map of category {} and its owners differ",
            of.no
        );
        assert_eq!(
            head[&format!("free:{}", of.no)],
            free(model.map(), of).len().to_string(),
            "free count of category {}",
            of.no
        );
        let mut letters = String::new();
        for chunk in 0..of.layout.chunks() {
            let rows = (chunk * of.layout.chunk_rows()..of.layout.rows())
                .take(of.layout.chunk_rows() as usize);
            let all = rows.flat_map(|row| runs(model.map(), of, row));
            let longest = all.map(|(_, len)| len).max().unwrap_or(0).min(20);
            letters.push(char::from(b'A' + longest as u8));
            expected_keys.push(environment.program_key(&format!("seats:{}:{chunk}", of.no)));
        }
        let key = environment.program_key(&format!("longest:{}", of.no));
        assert_eq!(
            environment.query::<String>(&["GET", &key]).await,
            letters,
            "longest runs of category {}",
            of.no
        );
        expected_keys.push(key);
    }
    for (n, user) in (0..).zip(USERS) {
        let of = gate.tickets.iter().filter(|((user, _), _)| *user == n);
        let tickets: BTreeMap<String, String> = of
            .map(|((_, order), count)| (number(*order).to_string(), count.to_string()))
            .collect();
        let key = environment.program_key(&format!("user:{user}"));
        assert_eq!(environment.hash(&key).await, tickets, "tickets of {user}");
        if !tickets.is_empty() {
            expected_keys.push(key);
        }
    }
    for (n, resv) in &gate.resvs {
        let order = number(*n);
        let found = environment
            .gate
            .reservation(order)
            .await
            .expect("answers")
            .expect("a reservation");
        assert_eq!(
            (found.nonce, found.user.as_str(), found.state),
            (
                nonce_of(resv.nonce),
                USERS[usize::from(resv.user)],
                state_of(resv.state)
            )
        );
        assert_eq!(
            (found.category.get(), found.seats),
            (resv.category, indexes(&resv.seats))
        );
        assert_eq!(found.message, message(*n, resv));
        let key = resv.key.map(|(key, _)| idem(&key_text(key)));
        assert_eq!(found.key, key);
        expected_keys.push(environment.key(&format!("resv:{order}")));
    }
    for (order, nonce) in &gate.tombs {
        let (order, nonce) = named((*order, *nonce));
        let key = environment.key(&format!("tomb:{order}"));
        assert_eq!(
            environment.query::<String>(&["GET", &key]).await,
            nonce.to_string()
        );
        expected_keys.push(key);
    }
    for (n, user) in (0..).zip(USERS) {
        let of = gate.keys.iter().filter(|((user, _), _)| *user == n);
        let named: BTreeMap<String, String> = of
            .map(|((_, key), (order, nonce, body))| {
                let (order, nonce) = named((*order, *nonce));
                (key_text(*key), format!("{order}:{nonce}:{}", hash(*body)))
            })
            .collect();
        let key = environment.key(&format!("idems:17:{user}"));
        let stored: Option<String> = environment.query(&["GET", &key]).await;
        assert_eq!(idems(stored.as_deref()), named, "keys of {user}");
        if stored.is_some() {
            expected_keys.push(key);
        }
    }
    let program = environment.program.id;
    let bodies = gate.entries.iter().map(|(order, nonce)| {
        let (order, nonce) = named((*order, *nonce));
        (order.to_string(), TimeoutJob { program, nonce }.body())
    });
    let bodies: BTreeMap<String, String> = bodies.collect();
    assert_eq!(
        environment
            .hash(&environment.key("delay:order-timeout:job"))
            .await,
        bodies,
        "timeout entries"
    );
    let mut due: Vec<String> = environment
        .query(&[
            "ZRANGE",
            &environment.key("delay:order-timeout:due"),
            "0",
            "-1",
        ])
        .await;
    due.sort();
    assert_eq!(due, bodies.keys().cloned().collect::<Vec<_>>(), "due times");
    if !bodies.is_empty() {
        expected_keys.extend(
            ["due", "job"].map(|part| environment.key(&format!("delay:order-timeout:{part}"))),
        );
    }
    expected_keys.sort();
    assert_eq!(
        environment.keys().await,
        expected_keys,
        "no key but those of the table exists"
    );
}

/// The keys of a buyer, each with `order:nonce:hash`. The first line is the end of the string.
fn idems(text: Option<&str>) -> BTreeMap<String, String> {
    let Some(text) = text else {
        return BTreeMap::new();
    };
    let (last, lines) = text.split_once('\n').expect("a first line");
    let mut ends = Vec::new();
    let mut named = BTreeMap::new();
    for line in lines.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        ends.push(words[2].parse::<u64>().expect("a time"));
        named.insert(words[0].to_owned(), words[1].to_owned());
    }
    assert_eq!(ends.len(), named.len(), "each key stands once");
    let latest = ends.into_iter().max().expect("a key");
    let last: u64 = last.parse().expect("a time");
    assert!(
        last >= latest,
        "{last} is before the end of a key, {latest}"
    );
    named
}
