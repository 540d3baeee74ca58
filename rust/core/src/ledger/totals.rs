//! Sums over requests.

use super::money::{Money, Price, Tokens};
use crate::error::Result;

/// How a request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// From the cache, the same request.
    ExactHit,
    /// From the cache, a request that meant the same.
    SemanticHit,
    /// By the call of another caller who asked the same at the same time.
    Coalesced,
    /// By a call.
    LlmCall,
    /// No request: a call behind the back of callers that got an old answer.
    Renewal,
}

impl Outcome {
    /// Those of requests, in the order in which [`Totals`] counts them.
    pub const ALL: [Self; 4] = [Self::ExactHit, Self::SemanticHit, Self::Coalesced, Self::LlmCall];
}

/// One request, as it goes into the books.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// How it was answered.
    pub outcome: Outcome,
    /// The model that served, now or when the stored answer was made.
    pub model: &'a str,
    /// Price of the model that would have served without llmfast; None if unknown.
    pub baseline: Option<Price>,
    /// Price of the model that served; None if unknown.
    pub served: Option<Price>,
    /// Tokens of the answer; None if the provider did not say.
    pub tokens: Option<Tokens>,
    /// Whether `tokens`, or what they cost, are an estimate.
    pub estimated: bool,
    /// Who asked.
    pub user: Option<&'a str>,
    /// What for.
    pub feature: Option<&'a str>,
}

/// Sums over requests. In each, exactly: `baseline == actual + saved[0] + … + saved[3]`.
///
/// Every array has a place for each of [`Outcome::ALL`]. Savings of a call are the router's. What a renewal costs is taken off
/// what exact hits save, and its tokens are those of a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Requests.
    pub requests: [u64; 4],
    /// Tokens of their answers, as far as known. Only those of calls were spent.
    pub tokens: [Tokens; 4],
    /// What the priced requests would have cost without llmfast.
    pub baseline: Money,
    /// What they did cost.
    pub actual: Money,
    /// What each source saved; the router's part is negative where it chose a dearer model.
    pub saved: [Money; 4],
    /// Requests and renewals that no money is counted for, because the tokens or a price are unknown.
    pub unpriced: u64,
    /// Requests and renewals whose tokens, or what they cost, are an estimate.
    pub estimated: u64,
    /// Calls that nobody waited for.
    pub renewals: u64,
}

impl Totals {
    /// The sums for one request.
    ///
    /// # Errors
    /// `Ledger` if an amount does not fit.
    pub(super) fn of(entry: &Entry<'_>) -> Result<Self> {
        let mut totals = Self { estimated: u64::from(entry.estimated), ..Self::default() };
        let (spent, merit) = match entry.outcome {
            Outcome::Renewal => (Outcome::LlmCall as usize, Outcome::ExactHit as usize),
            outcome => (outcome as usize, outcome as usize),
        };
        match entry.outcome {
            Outcome::Renewal => totals.renewals = 1,
            _ => totals.requests[spent] = 1,
        }
        totals.tokens[spent] = entry.tokens.unwrap_or_default();
        match amounts(entry)? {
            Some((baseline, actual)) => {
                (totals.baseline, totals.actual) = (baseline, actual);
                totals.saved[merit] = baseline.minus(actual)?;
            }
            None => totals.unpriced = 1,
        }
        Ok(totals)
    }

    /// The sums of both. Counters of requests cannot overflow: each grows by 1.
    ///
    /// # Errors
    /// `Ledger` if an amount does not fit.
    pub fn plus(&self, other: &Self) -> Result<Self> {
        let mut sum = *self;
        for place in 0..Outcome::ALL.len() {
            sum.requests[place] += other.requests[place];
            sum.tokens[place] = self.tokens[place].plus(other.tokens[place])?;
            sum.saved[place] = self.saved[place].plus(other.saved[place])?;
        }
        sum.baseline = self.baseline.plus(other.baseline)?;
        sum.actual = self.actual.plus(other.actual)?;
        sum.unpriced += other.unpriced;
        sum.estimated += other.estimated;
        sum.renewals += other.renewals;
        Ok(sum)
    }
}

/// What the request would have cost and what it did; None if either is unknown, for then their difference is too.
fn amounts(entry: &Entry<'_>) -> Result<Option<(Money, Money)>> {
    // A renewal's baseline is that of the requests it was made for: it must not be taken off savings that count for nothing.
    let (Some(tokens), Some(baseline)) = (entry.tokens, entry.baseline) else { return Ok(None) };
    let actual = match (entry.outcome, entry.served) {
        (Outcome::LlmCall | Outcome::Renewal, None) => return Ok(None),
        (Outcome::LlmCall | Outcome::Renewal, Some(price)) => price.cost(tokens)?,
        _ => Money::ZERO,
    };
    // Without llmfast nobody would have made a renewal.
    let without = if entry.outcome == Outcome::Renewal { Money::ZERO } else { baseline.cost(tokens)? };
    Ok(Some((without, actual)))
}
