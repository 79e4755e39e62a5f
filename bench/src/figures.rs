//! Prints figures: name, value, unit, below their configuration.

use std::fs;

/// Begins a group of figures with its configuration.
pub(crate) fn group(name: &str, configuration: &str) {
    println!("\n{name}\n  ({configuration})");
}

/// Prints one figure.
pub(crate) fn figure(name: &str, value: f64, unit: &str) {
    let digits = if value.abs() >= 100.0 { 0 } else { 2 };
    println!("  {name:<44} {value:>12.digits$} {unit}");
}

/// Prints the names of the columns of [`compared`] figures.
pub(crate) fn heading(columns: &[&str]) {
    let columns: Vec<String> = columns.iter().map(|name| format!(" {name:>12}")).collect();
    println!("  {:<44}{}", "", columns.concat());
}

/// Prints one figure of several runs, a column each.
pub(crate) fn compared(name: &str, values: &[f64], unit: &str) {
    let column = |value: &f64| {
        let digits = if value.abs() >= 100.0 { 0 } else { 2 };
        format!(" {value:>12.digits$}")
    };
    let columns: Vec<String> = values.iter().map(column).collect();
    println!("  {name:<44}{} {unit}", columns.concat());
}

/// Describes the machine, on which every figure depends.
pub(crate) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|l| l.strip_prefix("model name"))
        .map_or("?", |m| m.trim_start_matches([' ', '\t', ':']));
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?");
    format!(
        "{cores} cores of {model}; servers, clients and functions share them; load before the \
         start {load}"
    )
}
