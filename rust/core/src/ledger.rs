//! What llmfast saved: integer money, split by outcome, model, user and feature.

mod money;
#[cfg(test)]
mod tests;
mod totals;

use std::collections::HashMap;

use crate::error::Result;
use crate::sync::{Mutex, lock};

pub use money::{Money, Price, Tokens};
pub use totals::{Entry, Outcome, Totals};

/// What sums are split by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// The model that served.
    Model,
    /// Who asked.
    User,
    /// What for.
    Feature,
}

/// Sums per value of a dimension; None gathers the requests without one.
pub type Split = Vec<(Option<String>, Totals)>;

/// Books of requests and what they cost.
///
/// The sums do not depend on the order of the entries, and an entry that does not fit leaves them as they were.
/// **Concurrency:** every method locks the books; `record` for four additions. **Cost:** `record` is O(1). Memory grows by
/// up to 600 bytes for each model, user and feature that is new, and by nothing else.
#[derive(Debug, Default)]
pub struct Ledger {
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    total: Totals,
    models: Groups,
    users: Groups,
    features: Groups,
}

#[derive(Debug, Default)]
struct Groups {
    unnamed: Totals,
    named: HashMap<String, Totals>,
}

impl Ledger {
    /// Empty books.
    pub fn new() -> Self {
        Self::default()
    }

    /// Books one request.
    ///
    /// # Errors
    /// `Ledger` if an amount does not fit; nothing is booked then.
    pub fn record(&self, entry: &Entry<'_>) -> Result<()> {
        let change = Totals::of(entry)?;
        let model = (!entry.model.is_empty()).then_some(entry.model);
        let books = &mut *lock(&self.books);
        // Every sum is made before one is kept.
        let total = books.total.plus(&change)?;
        let of_model = books.models.with(model, &change)?;
        let of_user = books.users.with(entry.user, &change)?;
        let of_feature = books.features.with(entry.feature, &change)?;
        books.total = total;
        books.models.set(model, of_model);
        books.users.set(entry.user, of_user);
        books.features.set(entry.feature, of_feature);
        Ok(())
    }

    /// The sums over all requests, and split by model at the same moment.
    pub fn summary(&self) -> (Totals, Split) {
        let books = lock(&self.books);
        (books.total, books.models.snapshot())
    }

    /// The sums per value of a dimension, in no particular order.
    pub fn split(&self, by: Dimension) -> Split {
        let books = lock(&self.books);
        match by {
            Dimension::Model => books.models.snapshot(),
            Dimension::User => books.users.snapshot(),
            Dimension::Feature => books.features.snapshot(),
        }
    }
}

impl Groups {
    /// The sums of group `name` with `change`.
    fn with(&self, name: Option<&str>, change: &Totals) -> Result<Totals> {
        match name {
            None => self.unnamed.plus(change),
            Some(name) => self.named.get(name).map_or(Ok(*change), |totals| totals.plus(change)),
        }
    }

    fn set(&mut self, name: Option<&str>, totals: Totals) {
        let Some(name) = name else {
            self.unnamed = totals;
            return;
        };
        if let Some(known) = self.named.get_mut(name) {
            *known = totals;
        } else {
            self.named.insert(name.to_owned(), totals);
        }
    }

    fn snapshot(&self) -> Split {
        let unnamed = (self.unnamed != Totals::default()).then_some((None, self.unnamed));
        let named = self.named.iter().map(|(name, totals)| (Some(name.clone()), *totals));
        unnamed.into_iter().chain(named).collect()
    }
}
