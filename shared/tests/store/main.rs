//! Module `store` with a real `PostgreSQL`: `DATABASE_URL`, or the one that `scripts/servers start
//! postgres` runs. Every test has its own schema, dropped at its end.

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
mod races;
mod reconciling;
mod statements;
mod usual;
