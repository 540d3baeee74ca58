//! The only importer of locks and atomics, so that a model checker can stand in for them.

pub(crate) use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
pub(crate) use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError, RwLock};

/// Locks `mutex`, also when a thread panicked while it held it: the structures behind our locks are whole between any
/// two statements that can panic, so a poisoned lock says nothing about the data.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
