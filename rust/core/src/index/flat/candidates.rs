//! Rows that may be among the best, with a bar that rises as better ones are found.

/// Rows that may be undecided before the first cut.
const FIRST_CUT: usize = 64;

/// A row that may be among the best.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    /// Its cosine is not more, and not less, than these.
    upper: f64,
    lower: f64,
    pub(super) part: u32,
    pub(super) slot: u32,
}

/// The rows that may be among the `k` best of at least some score.
#[derive(Debug)]
pub(super) struct Candidates {
    k: usize,
    /// A row that is certainly below this is not among the best.
    bar: f64,
    /// How many rows may be undecided before the bar is raised: twice as many as the last time, or the least.
    limit: usize,
    least_limit: usize,
    rows: Vec<Candidate>,
}

impl Candidates {
    pub(super) fn new(k: usize, min_score: f64) -> Self {
        // With one row to find each better one raises the bar, unless many are about as good.
        let least_limit = if k == 1 { 1 } else { k.saturating_mul(2).max(FIRST_CUT) };
        Self { k, bar: min_score, least_limit, limit: least_limit, rows: Vec::new() }
    }

    /// Rows that certainly score less than this need not be offered.
    pub(super) fn bar(&self) -> f64 {
        self.bar
    }

    /// Keeps a row unless it cannot be among the best.
    pub(super) fn offer(&mut self, (score, error): (f64, f64), part: u32, slot: u32) {
        let (upper, lower) = (score + error, score - error);
        if upper < self.bar {
            return;
        }
        self.rows.push(Candidate { upper, lower, part, slot });
        if self.rows.len() >= self.limit {
            self.raise();
            self.limit = self.least_limit.max(2 * self.rows.len());
        }
    }

    /// The k-th best lower end is reached by k rows: rows that are certainly below it are out.
    fn raise(&mut self) {
        if self.rows.len() < self.k {
            return;
        }
        let (_, kth, _) = self.rows.select_nth_unstable_by(self.k - 1, |a, b| b.lower.total_cmp(&a.lower));
        self.bar = self.bar.max(kth.lower);
        let bar = self.bar;
        self.rows.retain(|row| row.upper >= bar);
    }

    /// The rows that are left, the one with the best prospects first.
    pub(super) fn finish(mut self) -> Vec<Candidate> {
        self.raise();
        self.rows.sort_unstable_by(|a, b| b.upper.total_cmp(&a.upper));
        self.rows
    }

    /// Whether `k` of the rows are known to reach `score`.
    pub(super) fn reach(&self, score: f64) -> bool {
        self.rows.iter().filter(|row| row.lower >= score).count() >= self.k
    }
}

impl Candidate {
    /// Its cosine is not more than this.
    pub(super) fn upper(&self) -> f64 {
        self.upper
    }
}
