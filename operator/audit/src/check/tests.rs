//! The checks of a large sale.

use super::*;
use crate::invariant;
use crate::log::{Event, Ordered, Paid, Returned};
use crate::tables::{Payment, Refund};

/// Orders of an hour under load.
const ORDERS: usize = 200_000;
const CENTS: i64 = 1_000;
const USERS: usize = 50_000;

/// Orders that were paid and refunded, one payment in two with a reference that others share.
fn large_sale() -> Evidence {
    let mut evidence = Evidence {
        bounds: Bounds {
            over: true,
            logs: true,
            ..Bounds::default()
        },
        ..Evidence::default()
    };
    let program = || "1".to_owned();
    evidence.log.events.push(Event::Provider);
    for n in 0..ORDERS {
        let (number, user) = (n.to_string(), format!("user-{}", n % USERS));
        let key = Some(number.clone());
        let reference = match n % 2 {
            0 => format!("payment-{n}"),
            _ => "shared".to_owned(),
        };
        evidence.log.events.extend([
            Event::Order(Ordered {
                user: user.clone(),
                program: program(),
                key: key.clone(),
                http: 202,
                code: None,
                order: Some(number.clone()),
                seats: vec![n as i64],
                amount_cents: Some(CENTS),
            }),
            Event::Pay(Paid {
                order: number.clone(),
                reference: reference.clone(),
                amount_cents: CENTS,
                http: 200,
                result: Some("applied".to_owned()),
                code: None,
            }),
            Event::Refund(Returned {
                key: number.clone(),
                reference: reference.clone(),
                order: number.clone(),
                amount_cents: CENTS,
            }),
        ]);
        evidence.tables.payments.push(Payment {
            reference: reference.clone(),
            order: number.clone(),
            reported: number.clone(),
            amount_cents: CENTS,
            status: "refunded".to_owned(),
            claimed_cents: CENTS,
            refunded_cents: CENTS,
            by_operator: false,
            pays: true,
        });
        evidence.tables.refunds.push(Refund {
            id: number.clone(),
            payment: (reference, number.clone(), CENTS),
            amount_cents: CENTS,
            state: "refunded".to_owned(),
            by_operator: false,
        });
        let order = Order {
            number: number.clone(),
            nonce: number.clone(),
            user: Some(user),
            program: Some(program()),
            seats: vec![n as i64],
            unit_price_cents: CENTS,
            amount_cents: CENTS,
            key,
            status: "refunded".to_owned(),
            dirty: false,
        };
        evidence.tables.orders.insert(number, order);
    }
    evidence
}

/// With one comparison for each pair of rows, this test would take hours.
#[test]
fn the_work_grows_with_the_rows_and_not_with_their_pairs() {
    let evidence = large_sale();
    let checks = all(&evidence);
    let found: Vec<_> = checks.iter().flat_map(|c| &c.findings).take(3).collect();
    assert!(found.is_empty(), "{found:?}");
    for invariant in [
        invariant::PAYMENTS_KEPT,
        invariant::ADDS_UP,
        invariant::REFUNDS_SUM,
        invariant::RETURNED_ONCE,
    ] {
        let check = checks.iter().find(|c| c.invariant == invariant);
        assert!(
            check.is_some_and(|c| c.looked_at >= ORDERS),
            "{invariant:?}"
        );
    }
}
