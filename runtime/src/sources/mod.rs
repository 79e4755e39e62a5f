//! Sources of events: each reads from somewhere and invokes functions.

pub mod asynchronous;
pub mod kafka;
pub mod mapping;
pub mod schedule;
pub mod sqs;

use sam_template::model::Application;

use crate::parked::{DeadLetterStores, StoreList};

/// The places where the sources of an application leave dead letters, and the streams of its Redis,
/// to which others may have parked entries.
pub fn dead_letter_stores(app: &Application) -> DeadLetterStores {
    let mut list = StoreList::default();
    kafka::dead_letters::add(app, &mut list);
    for queue in &app.queues {
        if let Some(redrive) = &queue.redrive {
            list.add_redrive(&queue.name, redrive.target_name());
        }
    }
    asynchronous::add_dead_letters(app, &mut list);
    if let Some(url) = &app.redis_endpoint {
        list.add_streams(url);
    }
    list.complete(sqs::Sqs::of(app).as_ref())
}
