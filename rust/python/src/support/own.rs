//! What belongs to one process. A fork copies it, and the threads that it speaks of not at all.

use std::cell::{Cell, Ref, RefCell};
use std::process;

/// A value that each forked child begins anew.
pub(crate) struct Own<T> {
    /// Whose value it is; 0, which is no process, as long as nobody has asked.
    process: Cell<u32>,
    value: RefCell<T>,
}

impl<T: Default> Own<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { process: Cell::new(0), value: RefCell::new(value) }
    }

    /// Works on this process's value. `work` runs no Python code, drops of objects included: that could come back here.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let process = process::id();
        let parents = (self.process.replace(process) != process).then(|| self.value.take());
        let done = work(&mut self.value.borrow_mut());
        drop(parents);
        done
    }

    /// Works on the value, whosever it is. Without Python code, as above.
    pub(crate) fn with_any<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        work(&mut self.value.borrow_mut())
    }

    /// The value, whosever it is, for the garbage collector; None while somebody works on it.
    pub(crate) fn peek(&self) -> Option<Ref<'_, T>> {
        self.value.try_borrow().ok()
    }
}
