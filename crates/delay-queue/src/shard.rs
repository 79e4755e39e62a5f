//! Shards of a queue.

use std::fmt;

use sha2::{Digest, Sha256};

use super::InvalidArgument;

/// One of the 64 shards of a queue, written `s00` to `s63`: the hash tag of its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(u8);

impl Shard {
    /// How many shards a queue has.
    pub const COUNT: u8 = 64;

    /// `n` from 0 to 63.
    pub fn new(n: u8) -> Result<Self, InvalidArgument> {
        InvalidArgument::unless(n < Self::COUNT, "shard", "0 to 63")?;
        Ok(Self(n))
    }

    /// The first byte of the id's SHA-256, modulo 64. It never changes: entries are found by it.
    pub fn of_id(id: &str) -> Self {
        Self(Sha256::digest(id.as_bytes())[0] % Self::COUNT)
    }

    /// The number, 0 to 63.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// All shards, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{:02}", self.0)
    }
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
            assert_eq!(Shard::of_id(id).get(), shard, "{id:?}");
        }
    }

    #[test]
    fn similar_ids_spread_over_all_shards() {
        let mut counts = [0_u32; Shard::COUNT as usize];
        for n in 0..64_000 {
            counts[usize::from(Shard::of_id(&format!("entry-{n}")).get())] += 1;
        }
        assert!(
            counts.iter().all(|count| (800..1200).contains(count)),
            "{counts:?}"
        );
    }
}
