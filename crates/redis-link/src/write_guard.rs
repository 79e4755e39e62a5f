//! Whether a primary that has lost its replicas stops taking writes. One that is cut off from them
//! may have been replaced: what it takes meanwhile is lost with it.

use super::{Link, LinkError};

/// How a primary with or without replicas treats writes, the safest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WriteGuard {
    /// It refuses writes (`NOREPLICAS`) while fewer replicas than `min-replicas-to-write` follow it
    /// within `min-replicas-max-lag`.
    Guarded,
    /// It has no replica that could replace it.
    NoReplicas,
    /// It has replicas, and takes writes without them.
    Unguarded {
        /// Connected replicas.
        replicas: u32,
    },
}

impl WriteGuard {
    /// From the section `replication` of `INFO`. Redis lists `min_slaves_good_slaves` if and only if
    /// both settings are above zero; it lists neither of them. A replica is no primary without
    /// replicas, and takes no writes.
    pub fn read(info: &str) -> Result<Self, LinkError> {
        let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name));
        let missing = || LinkError::Protocol("INFO contains no connected_slaves".into());
        let replicas = field("connected_slaves:").ok_or_else(missing)?.trim();
        let replicas = replicas.parse().map_err(|_| missing())?;
        let guarded = field("min_slaves_good_slaves:").is_some() || field("role:slave").is_some();
        Ok(match (guarded, replicas) {
            (true, _) => Self::Guarded,
            (false, 0) => Self::NoReplicas,
            (false, replicas) => Self::Unguarded { replicas },
        })
    }

    /// Of the servers whose section is given: the least safe one.
    fn of_all(infos: &[String]) -> Result<Self, LinkError> {
        infos.iter().try_fold(
            Self::Guarded,
            |worst, info| Ok(worst.max(Self::read(info)?)),
        )
    }

    /// The number of replicas, if the server takes writes without them.
    pub fn alarm(&self) -> Option<u32> {
        match self {
            Self::Unguarded { replicas } => Some(*replicas),
            Self::Guarded | Self::NoReplicas => None,
        }
    }

    /// Logs the alarm `redis_writes_unguarded`, if the server takes writes without its replicas.
    pub fn raise_alarm(&self) {
        if let Some(replicas) = self.alarm() {
            tracing::error!(
                alarm = "redis_writes_unguarded",
                replicas,
                "a primary of Redis that is cut off from its replicas takes writes, which are lost \
                 when one of them has replaced it: set min-replicas-to-write to 1 or more and \
                 min-replicas-max-lag to 10"
            );
        }
    }
}

impl Link {
    /// How the server treats writes without its replicas; in a cluster the least safe primary.
    pub async fn write_guard(&self) -> Result<WriteGuard, LinkError> {
        WriteGuard::of_all(&self.infos("replication").await?)
    }

    /// Raises the alarm `redis_writes_unguarded` when a server with replicas takes writes without
    /// them. Checks at the start and after each reconnect. Runs for ever: spawn it.
    pub async fn watch_write_guard(self) {
        let find = |infos: &[String]| {
            let found = WriteGuard::of_all(infos)?;
            Ok(found.alarm().map(|_| found))
        };
        self.watch("replication", find, WriteGuard::raise_alarm)
            .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_count_only_together_and_only_with_replicas() {
        let of = |more: &str| WriteGuard::read(&format!("# Replication\r\n{more}"));
        let alone = "role:master\r\nconnected_slaves:0\r\n";
        let two = "role:master\r\nconnected_slaves:2\r\n";
        assert_eq!(of(alone), Ok(WriteGuard::NoReplicas));
        assert_eq!(of(two), Ok(WriteGuard::Unguarded { replicas: 2 }));
        for info in [alone, two] {
            let info = format!("{info}min_slaves_good_slaves:0\r\n");
            assert_eq!(of(&info), Ok(WriteGuard::Guarded));
        }
        let replica = "role:slave\r\nconnected_slaves:1\r\n";
        assert_eq!(of(replica), Ok(WriteGuard::Guarded));
        assert!(of("role:master\r\n").is_err());
    }

    #[test]
    fn the_least_safe_primary_counts() {
        let unguarded = WriteGuard::Unguarded { replicas: 1 };
        assert!(WriteGuard::Guarded < WriteGuard::NoReplicas && WriteGuard::NoReplicas < unguarded);
    }
}
