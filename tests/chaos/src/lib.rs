//! The chaos harness: a sale under a schedule of faults, both from one seed, on servers and a host
//! of its own; then an independent checker, and a report.
//!
//! | module | holds |
//! |---|---|
//! | [`place`] | servers, and the network between parts of the system; pure |
//! | [`kind`] | kinds of faults; pure |
//! | [`schedule`] | the schedule of faults, from the seed; pure |
//! | [`trial`] | sales under fixed faults; pure |
//! | [`servers`] | the servers, each behind relays that can be cut, held and delayed |
//! | [`hosts`] | the hosts |
//! | [`programs`] | functions whose clocks can be shifted |
//! | [`faults`] | applies faults |
//! | [`sale`] | programs, and the buyers that rush them |
//! | [`checker`] | runs the audit, and reads its result |
//! | [`report`] | the HTML page |
//! | [`run`] | one run, from start to report |

pub mod checker;
pub mod faults;
pub mod hosts;
pub mod kind;
pub mod place;
pub mod programs;
pub mod report;
pub mod run;
pub mod sale;
pub mod schedule;
pub mod servers;
pub mod trial;
