//! Room `store` against a real `PostgreSQL`: `DATABASE_URL`, or the one that `scripts/servers start
//! postgres` runs. Every test has a schema of its own, dropped at its end.

mod environment;

mod barriers;
mod calls;
mod calls_queries;
mod changing;
mod closing;
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
mod poison;
mod races;
mod reconciling;
