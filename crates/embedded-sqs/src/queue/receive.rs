//! Which messages a receive returns. Pure.

use super::Queue;
use crate::Millis;
use crate::message::MessageNumber;

impl Queue {
    /// Up to `max` messages that can be received, in the order of their delivery.
    pub(crate) fn receivable(&self, max: usize, now: Millis) -> Vec<MessageNumber> {
        if self.is_fifo() {
            self.receivable_by_group(max, now)
        } else {
            let visible = self.by_visibility.range(..=(now, MessageNumber::MAX));
            visible.take(max).map(|(_, number)| *number).collect()
        }
    }

    /// The oldest messages of groups that have none in flight. A group whose oldest message is
    /// delayed waits for it. As many messages as possible are of one group, as on the service.
    fn receivable_by_group(&self, max: usize, now: Millis) -> Vec<MessageNumber> {
        let visible = |number: &MessageNumber| {
            let message = self.messages.get(number);
            message.is_some_and(|message| message.delivery.visible_at <= now)
        };
        let free = self.groups.values().filter(|numbers| {
            let mut messages = numbers
                .iter()
                .filter_map(|number| self.messages.get(number));
            numbers.first().is_some_and(visible)
                && !messages.any(|message| message.is_in_flight(now))
        });
        let mut free: Vec<_> = free.collect();
        free.sort_unstable_by_key(|numbers| numbers.first());
        let in_order = free
            .into_iter()
            .flat_map(|numbers| numbers.iter().copied().take_while(visible));
        in_order.take(max).collect()
    }
}
