//! The bars, and who misses them.

use crate::rounds::{Ratio, Series, mean_queued, ratio};

/// Collects what is held against the bars; says it all at the end, so that it stands in one place.
#[derive(Default)]
pub struct Bars {
    lines: Vec<String>,
    missed: usize,
    unmeasured: usize,
}

impl Bars {
    /// llmfast's rate must be `least` times the rate of `peer`, or more.
    pub fn at_least(&mut self, what: &str, series: &[Series], peer: &str, least: f64) {
        self.hold(what, series, peer, &format!(">= {least:.2} x"), |ratio| ratio.value >= least);
    }

    /// llmfast's rate must be above the rate of `peer`.
    pub fn above(&mut self, what: &str, series: &[Series], peer: &str) {
        self.hold(what, series, peer, ">  1.00 x", |ratio| ratio.value > 1.0);
    }

    /// An entry must not cost more than `most` bytes. A count of bytes has no spread.
    pub fn bytes(&mut self, what: &str, bytes: Option<f64>, most: f64) {
        let bar = format!("{what}: <= {most:.0} B");
        if let Some(bytes) = bytes {
            self.say(bytes <= most, &bar, &format!("{bytes:.1} B (a count, no spread)"));
        } else {
            self.unmeasured += 1;
            self.lines.push(format!("not measured  {bar}"));
        }
    }

    /// Prints every bar with its figure. The status to exit with: 1 if one is missed, 2 if one could not be measured.
    pub fn report(&self) -> i32 {
        println!("\nbars: figure, 95 % interval, and how much of the time the threads waited for a processor");
        for line in &self.lines {
            println!("  {line}");
        }
        match (self.missed, self.unmeasured) {
            (0, 0) => 0,
            (0, _) => 2,
            _ => 1,
        }
    }

    fn hold(&mut self, what: &str, series: &[Series], peer: &str, bar: &str, test: impl Fn(Ratio) -> bool) {
        let named = |name: &str| series.iter().find(|one| one.name == name).expect("the contender has run");
        let ratio = ratio(named(crate::OURS), named(peer));
        let queued = 100.0 * mean_queued(series);
        let figure = format!("{:.2} ({:.2} to {:.2}), {queued:.0} % queued", ratio.value, ratio.low, ratio.high);
        self.say(test(ratio), &format!("{what}: {bar} {peer}"), &figure);
    }

    fn say(&mut self, holds: bool, bar: &str, figure: &str) {
        self.missed += usize::from(!holds);
        self.lines.push(format!("{}  {bar:<60} {figure}", if holds { "ok    " } else { "MISSED" }));
    }
}
