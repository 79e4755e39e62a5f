//! The opened sources of a host.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use super::error::{PositionError, SourceError};
use super::host::SourceHost;
use super::kind::SourceKind;
use super::position::PositionChange;
use super::source::EventSource;
use super::status::SourceStatus;
use crate::tuning::SourceSettings;

/// An opened source and its kind.
type OpenedSource = (&'static dyn SourceKind, Arc<dyn EventSource>);

/// The status of a source, and its kind.
pub type KindStatus = (&'static dyn SourceKind, SourceStatus);

/// The opened sources of a host. Cheap to clone.
#[derive(Clone, Default)]
pub struct Sources(Arc<[OpenedSource]>);

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.iter().map(|source| source.component());
        f.debug_list().entries(names).finish()
    }
}

impl Sources {
    /// Opens every enabled source of these kinds. None runs yet.
    ///
    /// # Errors
    /// A source cannot work. The others are dropped.
    pub async fn open(
        kinds: &[&'static dyn SourceKind],
        host: &SourceHost<'_>,
    ) -> Result<Self, SourceError> {
        let mut opened = Vec::new();
        for &kind in kinds {
            let sources = kind.open(host).await?;
            opened.extend(sources.into_iter().map(|source| (kind, source)));
        }
        Ok(Self(opened.into()))
    }

    /// Sources that were opened one by one.
    pub fn of(
        opened: impl IntoIterator<Item = (&'static dyn SourceKind, Arc<dyn EventSource>)>,
    ) -> Self {
        Self(opened.into_iter().collect())
    }

    /// Every source.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn EventSource>> {
        self.0.iter().map(|(_, source)| source)
    }

    /// A snapshot of every source, with its kind.
    pub fn statuses(&self) -> Vec<KindStatus> {
        let of = |(kind, source): &OpenedSource| {
            let kind = *kind;
            source
                .status()
                .into_iter()
                .map(move |status| (kind, status))
        };
        self.0.iter().flat_map(of).collect()
    }

    /// Applies changed settings to the source of this id, if there is one.
    pub fn tune(&self, id: &str, settings: &SourceSettings) {
        if let Some(source) = self.find(id) {
            source.tune(settings);
        }
    }

    /// The instances of `function` are limited to `limit`.
    pub fn limit(&self, function: &str, limit: NonZeroUsize) {
        self.iter().for_each(|source| source.limit(function, limit));
    }

    /// Moves the position from which a source reads. Returns what became of it.
    ///
    /// # Errors
    /// There is no such source, it has no positions, or why nothing changed.
    pub async fn change_position(&self, change: PositionChange) -> Result<String, PositionError> {
        match self.find(&change.mapping) {
            Some(source) => source.change_position(change).await,
            None => Err(PositionError::NoPositions(change.mapping)),
        }
    }

    fn find(&self, id: &str) -> Option<&Arc<dyn EventSource>> {
        self.iter().find(|source| source.id() == Some(id))
    }
}
