//! A stopwatch: medians of rounds that are long enough to time.

use std::time::{Duration, Instant};

const ROUNDS: usize = 15;
const ROUND: Duration = Duration::from_millis(40);

/// Prints the nanoseconds that one call of `operation` takes: the median of 15 rounds of 40 ms, with the fastest and the
/// slowest round. A name that holds none of the words of the command line is left out.
#[allow(clippy::disallowed_methods)] // a bench reads the clock; the library does not
pub fn measure<T>(name: &str, mut operation: impl FnMut() -> T) {
    if !is_selected(name) {
        return;
    }
    let mut run = |calls: u64| {
        let start = Instant::now();
        for _ in 0..calls {
            std::hint::black_box(operation());
        }
        start.elapsed()
    };
    let mut calls = 1;
    while run(calls) < ROUND {
        calls *= 2;
    }
    let mut rounds: Vec<f64> = (0..ROUNDS).map(|_| run(calls).as_nanos() as f64 / calls as f64).collect();
    rounds.sort_by(f64::total_cmp);
    let (least, median, most) = (rounds[0], rounds[ROUNDS / 2], rounds[ROUNDS - 1]);
    println!("{name:<44} {median:>14.1} ns  ({least:.1} to {most:.1})");
}

fn is_selected(name: &str) -> bool {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with('-')).peekable();
    words.peek().is_none() || words.any(|word| name.contains(&word))
}
