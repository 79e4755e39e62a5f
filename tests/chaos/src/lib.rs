//! The chaos harness: a sale under a schedule of faults, both from one seed, on servers and a host
//! of its own; then an independent checker, and a report.
//!
//! | module | holds |
//! |---|---|
//! | [`kind`] | kinds of faults; pure |
//! | [`schedule`] | the schedule of faults, from the seed; pure |
//! | [`servers`] | the servers, each behind a link that can be cut, held and delayed |
//! | [`hosts`] | the hosts |
//! | [`faults`] | applies faults |
//! | [`sale`] | programs, and the buyers that rush them |
//! | [`checker`] | runs the audit, and reads its result |
//! | [`report`] | the HTML page |
//! | [`run`] | one run, from start to report |

pub mod checker;
pub mod faults;
pub mod hosts;
pub mod kind;
pub mod report;
pub mod run;
pub mod sale;
pub mod schedule;
pub mod servers;
