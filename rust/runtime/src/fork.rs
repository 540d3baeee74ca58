//! Forks, which copy a lock as it is and the thread that holds it not at all.
//!
//! An index that is being searched at that moment could never be written to in the child. So who forks waits until all
//! that holds locks apart from the interpreter has ended, and the next of its kind until it has forked. Encoding locks
//! nothing and goes on.

use std::cell::RefCell;
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

static APART: RwLock<()> = RwLock::new(());

thread_local! {
    static FORKING: RefCell<Option<RwLockWriteGuard<'static, ()>>> = const { RefCell::new(None) };
}

/// Does `work` while nobody forks. For what holds locks where a fork could come in between; never inside of itself.
///
/// The thread that forks does it at once: other libraries have hooks of their own at a fork.
pub fn apart<T>(work: impl FnOnce() -> T) -> T {
    if FORKING.with_borrow(Option::is_some) {
        return work();
    }
    let _apart = APART.read().unwrap_or_else(PoisonError::into_inner);
    work()
}

/// To be called by the thread that forks: waits for what goes on apart, and holds up what follows.
pub fn before() {
    FORKING.with_borrow_mut(|forking| {
        forking.get_or_insert_with(|| APART.write().unwrap_or_else(PoisonError::into_inner));
    });
}

/// To be called by the same thread after the fork, in the parent and in the child.
pub fn after() {
    FORKING.take();
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    #[test]
    fn who_forks_waits_for_a_search_and_a_search_for_who_forks() {
        let ((begun, has_begun), (go_on, may_go_on)) = (channel(), channel());
        let (ended, forked) = (AtomicBool::new(false), AtomicBool::new(false));
        thread::scope(|scope| {
            let ended = &ended;
            let search = move || {
                begun.send(()).unwrap();
                may_go_on.recv().unwrap();
                ended.store(true, Ordering::SeqCst);
            };
            scope.spawn(move || apart(search));
            has_begun.recv().unwrap();
            scope.spawn(|| go_on.send(()).unwrap());
            before();
            assert!(ended.load(Ordering::SeqCst));
            let next = scope.spawn(|| apart(|| forked.load(Ordering::SeqCst)));
            forked.store(true, Ordering::SeqCst);
            after();
            assert!(next.join().unwrap());
        });
        before();
        before();
        apart(|| ());
        after();
        apart(|| ());
    }
}
