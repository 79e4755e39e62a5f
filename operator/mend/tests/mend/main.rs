//! `ticket-mend` on real servers: each discrepancy that `ticket-audit` finds and that can be
//! repaired is planted, found, planned, repaired, and is gone.

mod environment;
mod gate;
mod orders;
mod refused;
