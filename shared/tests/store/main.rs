//! Module `store` with a real `PostgreSQL`: `DATABASE_URL`, or the one that `scripts/servers start
//! postgres` runs. Every test has its own schema, dropped at its end.
//!
//! With `STORE_URL` the stores under test connect there, to a pooler in front of the same server:
//! `pooler` runs the tests again that way.

mod environment;

mod barriers;
mod calls;
mod calls_queries;
mod changing;
mod closing;
mod connections;
mod create;
mod failover;
mod gaps;
mod interleaved;
mod lookups;
mod meeting;
mod migrations;
mod model;
mod outage;
mod parked;
mod paying;
mod payment_book;
mod plans;
mod poison;
mod pooler;
mod program_seats;
mod protocol;
mod races;
mod reconciling;
mod refunding;
mod replaced;
mod retention;
mod roles;
mod statements;
mod tls;
mod unmatched;
mod usual;
