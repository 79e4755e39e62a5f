//! Cost as work grows: the same operation beside more and more of what a system keeps.
//!
//! | file | grows |
//! |---|---|
//! | `timeouts` | pending entries of the delay queue |
//! | `orders` | stored orders |
//!
//! Seats of a hall grow in `bench gate`, topics and functions in `bench events`.

mod orders;
mod timeouts;

use anyhow::Result;

use crate::figures::plot;
use crate::report::{Axis, Plot, Series};
use crate::sale;

/// Measures all; for a quick look only pending entries.
pub(crate) async fn run(quick: bool) -> Result<()> {
    timeouts::run(quick).await?;
    if quick {
        return Ok(());
    }
    orders::run().await?;
    // `bench sale` has measured the smaller size.
    sale::run(1_000_000).await
}

/// A line plot over sizes. Values that were not measured are left out.
fn draw(title: &str, x: &str, y: &str, sizes: &[u32], lines: &[(&str, Vec<f64>)]) {
    let axis = |name: &str| Axis {
        name: name.to_owned(),
        logarithmic: true,
    };
    let series = |(name, values): &(&str, Vec<f64>)| Series {
        name: (*name).to_owned(),
        points: sizes
            .iter()
            .map(|n| f64::from(*n))
            .zip(values.iter().copied())
            .collect(),
    };
    plot(Plot {
        title: title.to_owned(),
        x: axis(x),
        y: axis(y),
        series: lines.iter().map(series).collect(),
        limits: Vec::new(),
    });
}
