//! Single flight: one call for all who ask the same at the same time, as a pure state machine.
//!
//! The table says who has to call and who waits, whom an end concerns, and when nobody wants the answer any more. What is
//! called, how one waits and what the answer is are its owner's business.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// Names one flight of a table. It is never given to another one, so that who holds an old one can do no harm with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlightId(u64);

impl FlightId {
    /// The id of this number, as [`FlightId::number`] gave it.
    pub fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// Its number, to be kept where only integers can be.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// What somebody who asked has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Make the call and land the flight.
    Lead,
    /// Wait.
    Follow,
}

/// How a flight ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// With an answer.
    Answered,
    /// With an error of the call's own.
    Failed,
    /// The call was stopped, or nobody is left to land it. That says nothing about the request.
    Abandoned,
}

/// What becomes of a call when nobody waits for it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnAbandon {
    /// It is cancelled.
    Cancel,
    /// It goes on, and whoever asks meanwhile joins it.
    Drain,
}

/// What is to be done with a call after somebody left or it was detached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It goes on.
    GoesOn,
    /// Nobody will ever have its answer: cancel it. The table has forgotten the flight.
    Cancel,
    /// It had ended before.
    Over,
}

/// How many flights there were, and how they ended. A flight that was cancelled counts as abandoned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Flights that began.
    pub led: u64,
    /// Times that somebody joined one.
    pub followed: u64,
    /// Flights that ended with an answer.
    pub answered: u64,
    /// Flights that ended with an error.
    pub failed: u64,
    /// Flights that were stopped or stranded.
    pub abandoned: u64,
    /// Flights that were detached.
    pub detached: u64,
}

#[derive(Debug)]
struct Flight<K> {
    /// None for a flight that nobody may join.
    key: Option<K>,
    waiters: u32,
    /// Whether those who wait have been told, and those who join are told at once.
    announced: bool,
    detached: bool,
}

/// The calls in progress, by what was asked.
///
/// Everybody who joins waits until the flight is announced or lands, and is told once, or leaves before. A flight that
/// is announced (a stream that has begun) can still be joined and left until it lands. A flight that is detached goes on
/// for those who wait for it, but nobody joins it any more, and its answer is not to be stored.
///
/// **Concurrency:** none of its own; the owner locks. **Cost:** every operation is O(1); some 150 bytes a flight in
/// progress beside its key, which is held twice.
#[derive(Debug)]
pub struct Flights<K> {
    by_key: HashMap<K, FlightId>,
    in_progress: HashMap<FlightId, Flight<K>>,
    next: u64,
    counts: Counts,
}

impl<K> Default for Flights<K> {
    fn default() -> Self {
        Self { by_key: HashMap::new(), in_progress: HashMap::new(), next: 0, counts: Counts::default() }
    }
}

impl<K: Eq + Hash + Clone> Flights<K> {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits for the flight of `key`, or begins one.
    pub fn join<Q>(&mut self, key: &Q) -> (FlightId, Role)
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        if let Some(&id) = self.by_key.get(key)
            && let Some(flight) = self.in_progress.get_mut(&id)
        {
            flight.waiters += 1;
            self.counts.followed += 1;
            return (id, Role::Follow);
        }
        let key = key.to_owned();
        let id = self.begin(Some(key.clone()));
        self.by_key.insert(key, id);
        (id, Role::Lead)
    }

    /// Begins a flight that nobody can join.
    pub fn solo(&mut self) -> FlightId {
        self.begin(None)
    }

    fn begin(&mut self, key: Option<K>) -> FlightId {
        let id = FlightId(self.next);
        self.next += 1;
        self.counts.led += 1;
        self.in_progress.insert(id, Flight { key, waiters: 1, announced: false, detached: false });
        id
    }

    /// Tells everybody who waits, and at once whoever joins from now on, while the flight goes on. Returns how many wait;
    /// None if they were told before or the flight is over.
    pub fn announce(&mut self, id: FlightId) -> Option<u32> {
        let flight = self.in_progress.get_mut(&id)?;
        let first = !std::mem::replace(&mut flight.announced, true);
        first.then_some(flight.waiters)
    }

    /// Ends a flight: whoever asks next begins another one. Returns how many are told by that, none of those that an
    /// announcement told; None if it was over before.
    pub fn land(&mut self, id: FlightId, outcome: Outcome) -> Option<u32> {
        let flight = self.remove(id)?;
        match outcome {
            Outcome::Answered => self.counts.answered += 1,
            Outcome::Failed => self.counts.failed += 1,
            Outcome::Abandoned => self.counts.abandoned += 1,
        }
        Some(if flight.announced { 0 } else { flight.waiters })
    }

    /// Stops waiting; to be called once at most for each that joined.
    ///
    /// When the last one leaves, a call that others may still want goes on with `Drain`; any other has to be cancelled.
    pub fn leave(&mut self, id: FlightId, on_abandon: OnAbandon) -> Fate {
        let Some(flight) = self.in_progress.get_mut(&id) else {
            return Fate::Over;
        };
        flight.waiters = flight.waiters.saturating_sub(1);
        let is_wanted = flight.waiters > 0 || (on_abandon == OnAbandon::Drain && !flight.detached);
        self.unless_wanted(id, is_wanted)
    }

    /// Takes note that what a flight will answer is out of date by now: nobody joins it any more, and its answer is not
    /// to be stored.
    pub fn detach(&mut self, id: FlightId) -> Fate {
        let Some(flight) = self.in_progress.get_mut(&id) else {
            return Fate::Over;
        };
        self.counts.detached += u64::from(!std::mem::replace(&mut flight.detached, true));
        let is_wanted = flight.waiters > 0;
        if let Some(key) = flight.key.take() {
            self.by_key.remove(&key);
        }
        self.unless_wanted(id, is_wanted)
    }

    fn unless_wanted(&mut self, id: FlightId, is_wanted: bool) -> Fate {
        if is_wanted {
            return Fate::GoesOn;
        }
        self.land(id, Outcome::Abandoned);
        Fate::Cancel
    }

    /// How many wait for a flight; None if it is over.
    pub fn waiters(&self, id: FlightId) -> Option<u32> {
        self.in_progress.get(&id).map(|flight| flight.waiters)
    }

    /// Whether the answer of a flight is not to be stored; a flight that is over says no.
    pub fn is_detached(&self, id: FlightId) -> bool {
        self.in_progress.get(&id).is_some_and(|flight| flight.detached)
    }

    /// How many flights are in progress.
    pub fn len(&self) -> usize {
        self.in_progress.len()
    }

    /// Whether no flight is in progress.
    pub fn is_empty(&self) -> bool {
        self.in_progress.is_empty()
    }

    /// What happened since the table was made.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn remove(&mut self, id: FlightId) -> Option<Flight<K>> {
        let flight = self.in_progress.remove(&id)?;
        // A detached flight has no key: another may fly under it by now.
        if let Some(key) = &flight.key {
            self.by_key.remove(key);
        }
        Some(flight)
    }
}

#[cfg(test)]
mod tests;
