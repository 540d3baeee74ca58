//! What goes in and out of a scheduler.

use std::fmt;

use smallvec::SmallVec;

use crate::{Error, ErrorKind};

/// What the scheduler knows of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// Tokens, or whatever else the batch's budget counts.
    pub cost: u32,
    /// Higher goes first, within its tenant.
    pub priority: i32,
    /// When it has to be served, in nanoseconds of the caller's clock.
    pub deadline: Option<u64>,
    /// Who gets a share of its own.
    pub tenant: u32,
    /// Only items of one key go in one batch.
    pub key: u32,
}

impl Default for Item {
    fn default() -> Self {
        Self { cost: 1, priority: 0, deadline: None, tenant: 0, key: 0 }
    }
}

/// Names an item from when it was taken until its batch has ended.
///
/// The low 32 bits are a slot: no two items have the same one at the same time, and the lowest free one is given. The high
/// 32 bits tell apart the items that had the slot one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(u64);

impl Ticket {
    pub(super) fn new(slot: u32, generation: u32) -> Self {
        Self(u64::from(generation) << 32 | u64::from(slot))
    }

    /// The place of what belongs to the item in a table of the caller's.
    pub fn slot(self) -> usize {
        self.0 as u32 as usize
    }

    pub(super) fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Its number, to be kept where only integers can be.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The ticket of this number, as [`Ticket::number`] gave it.
    pub fn from_number(number: u64) -> Self {
        Self(number)
    }
}

/// The items of a batch. One or two, as many batches have that are served at once, need no memory of their own.
pub type Tickets = SmallVec<[Ticket; 2]>;

/// Names a batch; given to no other one for four thousand million batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchId(u64);

impl BatchId {
    pub(super) fn new(worker: u32, generation: u32) -> Self {
        Self(u64::from(generation) << 32 | u64::from(worker))
    }

    pub(super) fn worker(self) -> usize {
        self.0 as u32 as usize
    }

    /// Its number, to be kept where only integers can be.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The id of this number, as [`BatchId::number`] gave it.
    pub fn from_number(number: u64) -> Self {
        Self(number)
    }
}

/// Why an item was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// As many items wait as may.
    Items {
        /// Items that wait.
        waiting: u32,
        /// Items that may wait.
        max: u32,
    },
    /// More tokens would wait than may.
    Tokens {
        /// Tokens that wait.
        waiting: u64,
        /// Tokens of the item.
        cost: u32,
        /// Tokens that may wait.
        max: u64,
    },
    /// No batch can hold the item, or not even an empty queue.
    TooLarge {
        /// Tokens of the item.
        cost: u32,
        /// Tokens of the largest item that can be taken.
        max: u64,
    },
    /// The item would miss its deadline even if it were served at once and alone. Both times are nanoseconds.
    TooLate {
        /// Time that is left until its deadline.
        left: u64,
        /// Predicted service time of the item alone.
        needed: u64,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Items { waiting, max } => write!(f, "queue holds {waiting} of at most {max} items"),
            Self::Tokens { waiting, cost, max } => {
                write!(f, "queue holds {waiting} of at most {max} tokens, no room for {cost} more")
            }
            Self::TooLarge { cost, max } => write!(f, "item of {cost} tokens is larger than the largest of {max}"),
            Self::TooLate { left, needed } => {
                write!(f, "deadline is {:.6} s away, service takes {:.6} s", seconds(left), seconds(needed))
            }
        }
    }
}

fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 * 1e-9
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal {
            Refusal::Items { .. } | Refusal::Tokens { .. } => ErrorKind::Overloaded,
            Refusal::TooLarge { .. } => ErrorKind::ItemTooLarge,
            Refusal::TooLate { .. } => ErrorKind::Deadline,
        };
        Self::new(kind, refusal.to_string())
    }
}

/// Where an item was when it was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// It waited, and is gone.
    Waiting,
    /// It is running, and keeps its place.
    Running {
        /// Its batch.
        batch: BatchId,
        /// Whether it was the last item of the batch that anybody wanted; true once for each batch.
        last: bool,
    },
    /// There is no such item, any more.
    Unknown,
}

/// Why a batch is no larger than it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It is full.
    Items,
    /// Its token budget is used.
    Tokens,
    /// A worker was free, and this was all.
    Worker,
    /// Its oldest item has waited for `max_wait`.
    Wait,
    /// More would miss a deadline, or its latest start had come.
    Deadline,
    /// The rest has another key or bin, or is too unlike in cost.
    Compatible,
}

impl Reason {
    /// All of them, in the order that they are counted in.
    pub const ALL: [Self; 6] = [Self::Items, Self::Tokens, Self::Worker, Self::Wait, Self::Deadline, Self::Compatible];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Items => "items",
            Self::Tokens => "tokens",
            Self::Worker => "worker",
            Self::Wait => "wait",
            Self::Deadline => "deadline",
            Self::Compatible => "compatible",
        }
    }
}

/// How a batch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was served; only then says its time how long service takes.
    Served,
    /// It failed.
    Failed,
    /// It was cancelled.
    Cancelled,
}

/// A batch that is to be served now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formed {
    /// Names it until it is finished.
    pub id: BatchId,
    /// Its items, the first one first.
    pub tickets: Tickets,
    /// Why it is no larger.
    pub reason: Reason,
    /// The sum of its items' costs.
    pub tokens: u64,
    /// The tokens that it is charged for: with `padded` its number of items times the largest cost, else the sum.
    pub padded: u64,
}
