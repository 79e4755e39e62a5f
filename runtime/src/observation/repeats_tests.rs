use super::*;

#[test]
fn an_error_is_logged_once_then_at_growing_intervals() {
    let mut repeats = Repeats::default();
    let start = Instant::now();
    let lines: Vec<(u64, u64)> = (0..4 * 3_600)
        .filter_map(|quarters| {
            let at = start + Duration::from_millis(250 * quarters);
            repeats
                .failed(at, 7, "no such codec")
                .map(|times| (quarters / 4, times))
        })
        .collect();
    let seconds: Vec<u64> = lines.iter().map(|(second, _)| *second).collect();
    assert_eq!(
        seconds,
        [0, 10, 30, 70, 150, 310, 630, 1_230, 1_830, 2_430, 3_030]
    );
    assert_eq!((lines[0].1, lines[1].1), (1, 41));
}

#[test]
fn other_errors_and_other_keys_have_lines_of_their_own() {
    let mut repeats = Repeats::default();
    let now = Instant::now();
    assert_eq!(repeats.failed(now, 1, "a"), Some(1));
    assert_eq!(repeats.failed(now, 1, "b"), Some(1));
    assert_eq!(repeats.failed(now, 2, "a"), Some(1));
    assert_eq!(
        (repeats.failed(now, 1, "a"), repeats.failed(now, 1, "b")),
        (None, None)
    );
    assert_eq!(
        (repeats.over(&1), repeats.over(&1), repeats.is_empty()),
        (Some(4), None, false)
    );
    assert_eq!(repeats.failed(now, 1, "a"), Some(1));
}

#[test]
fn any_number_of_different_errors_takes_bounded_memory_and_lines() {
    let mut repeats = Repeats::default();
    let now = Instant::now();
    let lines = (0..1_000)
        .filter(|n: &u32| repeats.failed(now, (), &n.to_string()).is_some())
        .count();
    assert_eq!((lines, repeats.over(&())), (MAX_ERRORS, Some(1_000)));
}

#[test]
fn an_error_that_does_not_come_again_is_over() {
    let mut repeats = Repeats::default();
    let now = Instant::now();
    repeats.failed(now, 1, "a");
    repeats.failed(now + FIRST_AGAIN, 2, "a");
    assert_eq!(repeats.expire(now + FIRST_AGAIN, FIRST_AGAIN), [1]);
    assert_eq!(repeats.over(&2), Some(1));
}
