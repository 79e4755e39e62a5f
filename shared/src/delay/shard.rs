//! Which shard an entry belongs to, where nothing else decides that.

use sha2::{Digest, Sha256};

use crate::message::Shard;

/// The shard of an id: the first byte of the id's SHA-256, modulo 64. Fixed for ever: entries are found again by it.
///
/// Orders do not use it: their entries live in the shard of their program, so that one script reserves and schedules.
pub fn shard_of(id: &str) -> Shard {
    let first = Sha256::digest(id.as_bytes())[0] % Shard::COUNT;
    Shard::new(first).unwrap_or_else(|_| unreachable!("{first} is below the number of shards"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shard_of_an_id_never_changes() {
        // First bytes by sha256sum: e3, 9c and 99.
        for (id, shard) in [
            ("", 0xe3 % 64),
            ("table-4", 0x9c % 64),
            ("coupon:SPRING-2027", 0x99 % 64),
        ] {
            assert_eq!(shard_of(id).get(), shard, "{id:?}");
        }
    }

    #[test]
    fn ids_that_differ_little_spread_over_all_shards() {
        let mut counts = [0_u32; Shard::COUNT as usize];
        for n in 0..64_000 {
            counts[usize::from(shard_of(&format!("entry-{n}")).get())] += 1;
        }
        assert!(
            counts.iter().all(|count| (800..1200).contains(count)),
            "{counts:?}"
        );
    }
}
