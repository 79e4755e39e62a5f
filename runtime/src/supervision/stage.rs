//! When components start and drain, relative to the functions' processes. Pure.

/// When a component drains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DrainStage {
    /// First: it invokes functions and needs their answers.
    BeforeFunctions,
    /// Together with the functions' processes: they may still add work to it, and what it has not
    /// begun stays on disk.
    WithFunctions,
    /// It observes the drain, never ends by itself, and is dropped at the end.
    AfterFunctions,
}

impl DrainStage {
    /// Every stage, in the order in which components start: those that take work from others come
    /// before those that create it, and those that report what runs come last.
    pub const START_ORDER: [Self; 3] = [
        Self::WithFunctions,
        Self::BeforeFunctions,
        Self::AfterFunctions,
    ];

    /// Sorts components into the order in which they start. Those of one stage keep their order.
    pub fn sort<T>(components: &mut [T], stage: impl Fn(&T) -> Self) {
        components.sort_by_key(|component| {
            let stage = stage(component);
            Self::START_ORDER.iter().position(|other| *other == stage)
        });
    }
}
