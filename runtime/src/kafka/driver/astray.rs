//! Partitions whose position is not in their log, and a consumer that the group gave nothing. Both end the run: the next consumer settles
//! where it reads, or joins as another member.
//!
//! What is held of such a partition is done first. Its topic may have these records no more, so no consumer would get them again.

use super::Driver;
use crate::kafka::broken::Broken;
use crate::kafka::poller::Order;
use crate::mapping::Partition;

impl Driver {
    /// These partitions have to be settled again.
    pub(super) fn goes_astray(&mut self, partitions: &[Partition], why: &str) {
        for partition in partitions.iter().filter(|partition| self.machine.position(**partition).is_some()) {
            self.orders.send(Order::Hold(*partition));
            self.astray.insert(*partition, why.to_owned());
        }
    }

    /// Why this consumer ends now, if it does: a partition that has to be settled again has nothing held any more, or the group gave this
    /// consumer nothing.
    pub(super) fn may_end_astray(&mut self) -> Option<Broken> {
        if let Some(why) = self.unassigned.take() {
            return Some(Broken::Unassigned(why));
        }
        let waits =
            |astray: &Partition| self.machine.overview().any(|(own, held, in_flight)| own == *astray && (held > 0 || in_flight));
        let (_, why) = self.astray.iter().find(|(partition, _)| !waits(partition))?;
        Some(Broken::Other(why.clone()))
    }
}
