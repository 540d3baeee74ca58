//! Forks, which copy a lock as it is and the thread that holds it not at all.
//!
//! An index that is being searched at that moment could never be written to in the child. So who forks waits until the
//! searches of the workers have ended, and they until it has forked. Encoding locks nothing and goes on.

use std::cell::RefCell;
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

static SEARCHES: RwLock<()> = RwLock::new(());

thread_local! {
    static FORKING: RefCell<Option<RwLockWriteGuard<'static, ()>>> = const { RefCell::new(None) };
}

/// Does `search` while nobody forks.
pub(crate) fn apart<T>(search: impl FnOnce() -> T) -> T {
    let _apart = SEARCHES.read().unwrap_or_else(PoisonError::into_inner);
    search()
}

/// To be called by the thread that forks: waits for searches that go on, and holds up those that follow.
pub fn before() {
    FORKING.with_borrow_mut(|forking| {
        forking.get_or_insert_with(|| SEARCHES.write().unwrap_or_else(PoisonError::into_inner));
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
        after();
        apart(|| ());
    }
}
