//! The only importer of locks, atomics and deferred destruction, so that a model checker can stand in for them.

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU16, AtomicU64, Ordering};
#[cfg(loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU16, AtomicU64, AtomicUsize, Ordering};
pub(crate) use std::sync::{Arc, PoisonError, TryLockError};
#[cfg(not(loom))]
pub(crate) use std::sync::{Barrier, Mutex, MutexGuard, RwLock};

/// Locks `mutex`, also when a thread panicked while it held it: the structures behind our locks are whole between any
/// two statements that can panic, so a poisoned lock says nothing about the data.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Like [`lock`], but None if another thread holds it.
pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// Destruction that waits until no thread can hold a reference any more.
#[cfg(not(loom))]
pub(crate) mod epoch {
    pub(crate) use crossbeam_epoch::{Guard, pin};
}

/// The stand-in for the model checker: what is deferred never happens, so every reference stays good, and the number of
/// states stays small. What it cannot show, address and thread sanitizer look at.
#[cfg(loom)]
pub(crate) mod epoch {
    pub struct Guard;

    pub fn pin() -> Guard {
        Guard
    }

    impl Guard {
        pub fn defer<F: FnOnce() -> R + Send + 'static, R>(&self, later: F) {
            std::mem::forget(later);
        }

        pub fn flush(&self) {}
    }
}
