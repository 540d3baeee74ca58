//! What `readers.rs` is to the model checker: the same counters, in cells that the checker watches, with the fence that
//! other processors than x86 take, and a list of threads behind a lock. Threads do not give their counters back.

use std::marker::PhantomData;

use loom::sync::Mutex;
use loom::sync::atomic::fence;

use super::{Arc, AtomicU64, Ordering};

/// Odd while its thread reads.
struct Reader(AtomicU64);

loom::lazy_static! {
    static ref ALL: Mutex<Vec<Arc<Reader>>> = Mutex::new(Vec::new());
}

loom::thread_local! {
    static MINE: Arc<Reader> = {
        let reader = Arc::new(Reader(AtomicU64::new(0)));
        ALL.lock().unwrap().push(reader.clone());
        reader
    };
}

pub struct Guard {
    reader: Arc<Reader>,
    outermost: bool,
    of_this_thread: PhantomData<*const ()>,
}

pub(crate) fn pin() -> Guard {
    let reader = MINE.with(Clone::clone);
    let turn = reader.0.load(Ordering::Relaxed);
    let outermost = turn % 2 == 0;
    if outermost {
        reader.0.store(turn + 1, Ordering::Release);
        fence(Ordering::SeqCst);
    }
    Guard { reader, outermost, of_this_thread: PhantomData }
}

pub(crate) fn unprotected() -> Guard {
    Guard { reader: MINE.with(Clone::clone), outermost: false, of_this_thread: PhantomData }
}

impl Guard {
    pub(crate) fn thread(&self) -> usize {
        0
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.outermost {
            let turn = self.reader.0.load(Ordering::Relaxed);
            self.reader.0.store(turn + 1, Ordering::Release);
        }
    }
}

#[derive(Default)]
pub(crate) struct Present(Vec<(Arc<Reader>, u64)>);

impl Present {
    pub(crate) fn note(&mut self) {
        fence(Ordering::SeqCst);
        let all = ALL.lock().unwrap();
        let reading = all.iter().map(|reader| (reader.clone(), reader.0.load(Ordering::Acquire)));
        self.0 = reading.filter(|(_, turn)| turn % 2 != 0).collect();
    }

    pub(crate) fn is_gone(&mut self) -> bool {
        self.0.retain(|(reader, turn)| reader.0.load(Ordering::Acquire) == *turn);
        self.0.is_empty()
    }
}
