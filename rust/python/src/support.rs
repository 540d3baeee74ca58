//! What is truly about Python: keys, values, vectors, durations, scopes.

pub(crate) mod attached;
pub(crate) mod batch_entries;
pub(crate) mod batch_formed;
pub(crate) mod batch_front;
pub(crate) mod batch_groups;
pub(crate) mod batch_names;
pub(crate) mod batch_queue;
pub(crate) mod batch_results;
pub(crate) mod batch_sweeps;
pub(crate) mod batch_totals;
pub(crate) mod batches;
pub(crate) mod bridges;
pub(crate) mod durations;
pub(crate) mod fast_calls;
pub(crate) mod flights;
pub(crate) mod indexes;
pub(crate) mod keys;
pub(crate) mod loops;
pub(crate) mod objects;
pub(crate) mod requests;
pub(crate) mod rows;
pub(crate) mod scopes;
pub(crate) mod strings;
pub(crate) mod texts;
pub(crate) mod values;
pub(crate) mod vectors;
