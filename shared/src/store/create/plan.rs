//! The plan of a part of a batch. Pure.

use crate::message::{Barrier, Nonce, OrderRequested};
use crate::store::Arrival;
use crate::store::progress::PartitionRange;
use lambda_batch::{BatchPart, Reason};

/// A part of a batch, sorted by what to do.
#[derive(Debug)]
pub(super) struct CreatePlan<'a> {
    /// All records of the batch. Positions refer to it.
    pub(super) arrivals: &'a [Arrival<'a>],
    /// The first request of each number, ascending by number: the order in which rows are locked.
    pub(super) firsts: Vec<Request<'a>>,
    /// Further requests of the same numbers, to compare with the final row of the number.
    pub(super) repeats: Vec<Request<'a>>,
    /// Records to park.
    pub(super) unreadable: Vec<(usize, Reason)>,
    /// Barriers: topic, partition, token.
    pub(super) barriers: Vec<(&'a str, i32, Nonce)>,
    /// The records of the part by partition.
    pub(super) seen: Vec<PartitionRange<'a>>,
}

/// A request and its position in the batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) at: usize,
    pub(super) order: &'a OrderRequested,
}

impl<'a> CreatePlan<'a> {
    pub(super) fn new(arrivals: &'a [Arrival<'a>], part: &BatchPart<'_>) -> Self {
        let mut requests = Vec::with_capacity(part.records.len());
        let mut unreadable = Vec::new();
        let mut barriers = Vec::new();
        for (at, arrival) in arrivals
            .iter()
            .enumerate()
            .take(part.records.end)
            .skip(part.records.start)
        {
            match (&arrival.message, part.refused.get(&at)) {
                (Ok(order), None) => requests.push(Request { at, order }),
                (Err(reason), None) => match barrier(arrival) {
                    Some(token) => barriers.push((arrival.topic, arrival.partition, token)),
                    None => unreadable.push((at, reason.clone())),
                },
                (_, Some(reason)) => unreadable.push((at, reason.clone())),
            }
        }
        requests.sort_by_key(|request| (request.order.order, request.at));
        let mut repeats = Vec::new();
        let mut firsts: Vec<Request> = Vec::with_capacity(requests.len());
        for request in requests {
            if firsts
                .last()
                .is_some_and(|first| first.order.order == request.order.order)
            {
                repeats.push(request);
            } else {
                firsts.push(request);
            }
        }
        Self {
            arrivals,
            firsts,
            repeats,
            unreadable,
            barriers,
            seen: PartitionRange::of(arrivals, part.records.clone()),
        }
    }

    /// Whether each record is an order, and the only one of its number in the part.
    pub(super) fn has_new_orders_only(&self) -> bool {
        let others = self.repeats.len() + self.unreadable.len() + self.barriers.len();
        others == 0 && !self.firsts.is_empty()
    }
}

/// The token of a barrier. Progress moves over a barrier, which is neither stored nor parked.
fn barrier(arrival: &Arrival<'_>) -> Option<Nonce> {
    arrival
        .value
        .and_then(Barrier::read)
        .map(|barrier| barrier.barrier)
}
