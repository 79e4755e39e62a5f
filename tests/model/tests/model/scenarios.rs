//! The bounded parts of the protocol that are explored.

use model::Scenario;
use model::scenario::OrderSpec;

/// All of them that hold.
pub(crate) fn all() -> Vec<Scenario> {
    vec![
        publishing(),
        dying(),
        ending(),
        ending_at_once(),
        refunding(),
        refunding_twice(),
        auditing(),
        losing(),
        losing_twice(),
        going_back(),
        restoring(),
        repeating(),
        sharing_a_number(),
    ]
}

/// Two buyers of one seat, publishes that fail in every way.
pub(crate) fn publishing() -> Scenario {
    Scenario {
        refused: true,
        unknown: true,
        ..Scenario::new("publishing", &[&[1], &[1]])
    }
}

/// An order whose processes are killed, and whose record is delivered twice.
pub(crate) fn dying() -> Scenario {
    Scenario {
        unknown: true,
        crashes: 2,
        redeliveries: 1,
        ..Scenario::new("dying", &[&[1]])
    }
}

/// One order that is paid twice, cancelled and closed.
pub(crate) fn ending() -> Scenario {
    Scenario {
        payments: vec![1, 1],
        cancels: vec![0],
        crashes: 1,
        ..Scenario::new("ending", &[&[1]])
    }
}

/// One order that is paid and cancelled, before any of its times is over.
pub(crate) fn ending_at_once() -> Scenario {
    Scenario {
        payments: vec![1],
        cancels: vec![0],
        crashes: 1,
        time_passes: false,
        ..Scenario::new("ending at once", &[&[1]])
    }
}

/// A paid order is refunded, and another buyer gets its seat.
pub(crate) fn refunding() -> Scenario {
    Scenario {
        payments: vec![1],
        refunds: vec![1],
        crashes: 1,
        time_passes: false,
        ..Scenario::new("refunding", &[&[1], &[1]])
    }
}

/// A paid order and a second payment for it are refunded, and another buyer gets the seat.
pub(crate) fn refunding_twice() -> Scenario {
    Scenario {
        name: "refunding twice",
        payments: vec![1, 1],
        crashes: 0,
        ..refunding()
    }
}

/// Two buyers of one seat while the sweep audits it.
pub(crate) fn auditing() -> Scenario {
    Scenario {
        cancels: vec![0],
        audits: true,
        symmetric: false,
        time_passes: false,
        ..Scenario::new("auditing", &[&[1], &[1]])
    }
}

/// Redis loses everything while two buyers want one seat.
pub(crate) fn losing() -> Scenario {
    Scenario {
        losses: 1,
        time_passes: false,
        ..Scenario::new("losing", &[&[1], &[1]])
    }
}

/// Redis loses everything while it is filled after a loss.
pub(crate) fn losing_twice() -> Scenario {
    Scenario {
        losses: 2,
        ..Scenario::new("losing twice", &[&[1]])
    }
}

/// Redis goes back to an older state, on another server, while two buyers want one seat.
pub(crate) fn going_back() -> Scenario {
    Scenario {
        rollbacks: 1,
        time_passes: false,
        ..Scenario::new("going back", &[&[1], &[1]])
    }
}

/// Redis goes back to an older state, on another server, while an order is cancelled and the sweep
/// audits the gate.
pub(crate) fn restoring() -> Scenario {
    Scenario {
        cancels: vec![0],
        rollbacks: 1,
        crashes: 1,
        audits: true,
        time_passes: false,
        ..Scenario::new("restoring", &[&[1]])
    }
}

/// A buyer sends a request twice, under one key.
pub(crate) fn repeating() -> Scenario {
    let mut scenario = Scenario {
        refused: true,
        unknown: true,
        crashes: 1,
        time_passes: false,
        ..Scenario::new("repeating", &[&[1], &[1]])
    };
    for order in &mut scenario.orders {
        (order.user, order.key) = (1, Some(1));
    }
    scenario
}

/// After a loss of Redis a number is made again for another buyer.
pub(crate) fn sharing_a_number() -> Scenario {
    let order = |nonce, seat| OrderSpec {
        number: 1,
        nonce,
        user: nonce,
        key: None,
        seats: vec![seat],
    };
    Scenario {
        orders: vec![order(1, 1), order(2, 2)],
        losses: 1,
        unknown: true,
        symmetric: false,
        time_passes: false,
        ..Scenario::new("sharing a number", &[])
    }
}
