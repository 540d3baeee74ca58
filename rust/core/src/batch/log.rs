//! What was asked of a scheduler and what it said, so that it can be asked again.

use super::item::{BatchId, Ended, Formed, Item, Left, Refusal, Ticket};
use super::limits::Limits;
use super::scheduler::Scheduler;
use crate::Result;

/// A call that may change a scheduler. Times are nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// [`Scheduler::submit`].
    Submit {
        /// The time of the call.
        now: u64,
        /// What was submitted.
        item: Item,
    },
    /// [`Scheduler::cancel`].
    Cancel {
        /// What was cancelled.
        ticket: Ticket,
    },
    /// [`Scheduler::next`].
    Next {
        /// The time of the call.
        now: u64,
    },
    /// [`Scheduler::finish`].
    Finish {
        /// The time of the call.
        now: u64,
        /// What ended.
        batch: BatchId,
        /// How it ended.
        ended: Ended,
    },
    /// [`Scheduler::hurry`].
    Hurry {
        /// Whether `max_wait` holds nothing back from now on.
        on: bool,
    },
    /// [`Scheduler::drop_waiting`].
    DropWaiting,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The item was taken, or why not.
    Submitted(Result<Ticket, Refusal>),
    /// Where the item was.
    Cancelled(Left),
    /// What is to be served, and what is too late.
    Next {
        /// The batch, if there is one.
        formed: Option<Formed>,
        /// The items that cannot meet their deadlines any more.
        late: Vec<Ticket>,
    },
    /// Whether the batch was running.
    Finished(bool),
    /// Nothing came of it by itself.
    Hurried,
    /// The items that were dropped.
    Dropped(Vec<Ticket>),
}

/// A scheduler that writes down what it is asked and what it says.
#[derive(Debug)]
pub struct Recorder {
    scheduler: Scheduler,
    events: Vec<Event>,
    decisions: Vec<Decision>,
}

impl Recorder {
    /// A scheduler in which nothing waits, and an empty log.
    ///
    /// # Errors
    ///
    /// `Config`, as [`Limits::check`] says.
    pub fn new(limits: Limits) -> Result<Self> {
        Ok(Self { scheduler: Scheduler::new(limits)?, events: Vec::new(), decisions: Vec::new() })
    }

    /// Makes a call, and returns what came of it.
    pub fn ask(&mut self, event: Event) -> &Decision {
        let decision = match event {
            Event::Submit { now, item } => Decision::Submitted(self.scheduler.submit(now, item)),
            Event::Cancel { ticket } => Decision::Cancelled(self.scheduler.cancel(ticket)),
            Event::Next { now } => self.next(now),
            Event::Finish { now, batch, ended } => Decision::Finished(self.scheduler.finish(now, batch, ended)),
            Event::Hurry { on } => {
                self.scheduler.hurry(on);
                Decision::Hurried
            }
            Event::DropWaiting => Decision::Dropped(self.scheduler.drop_waiting()),
        };
        self.events.push(event);
        self.decisions.push(decision);
        &self.decisions[self.decisions.len() - 1]
    }

    fn next(&mut self, now: u64) -> Decision {
        let mut late = Vec::new();
        let formed = self.scheduler.next(now, &mut late);
        Decision::Next { formed, late }
    }

    /// The scheduler, to look at.
    pub fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// All calls so far.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// What came of each.
    pub fn decisions(&self) -> &[Decision] {
        &self.decisions
    }
}

/// Makes the same calls to a new scheduler, and returns what comes of each: what came of it before.
///
/// # Errors
///
/// `Config`, as [`Limits::check`] says.
pub fn replay(limits: Limits, events: &[Event]) -> Result<Vec<Decision>> {
    let mut recorder = Recorder::new(limits)?;
    for event in events {
        recorder.ask(*event);
    }
    Ok(recorder.decisions)
}
