//! Batching: many single items as few calls, as a pure state machine.
//!
//! A batch is closed: it goes with what is there, and nothing joins it later. What is called and how one waits for it is
//! the owner's business.

mod bins;
mod clock;
mod fit;
mod form;
mod histogram;
mod item;
mod keyed;
mod limits;
mod log;
mod queue;
mod scheduler;
mod slots;
mod stats;
mod tenants;
mod waiting;
mod window;

pub use fit::Fit;
pub use histogram::Histogram;
pub use item::{BatchId, Ended, Formed, Item, Left, Reason, Refusal, Ticket, Tickets};
pub use limits::{Bins, Limits};
pub use log::{Decision, Event, Recorder, replay};
pub use scheduler::Scheduler;
pub use stats::Stats;

#[cfg(test)]
mod tests;
