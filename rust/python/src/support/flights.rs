//! Computing a missing value once for all threads that ask for it at the same time.
//!
//! Who comes first computes; the others wait on a lock of the interpreter's own, which lets go of the interpreter and of
//! which signals wake the main thread. Nobody waits where that could last for ever: for oneself, or for a thread that is
//! itself waiting, directly or through others, for this one. Who may not wait computes for itself.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

/// A value being computed.
#[pyclass(frozen, module = "llmfast._llmfast")]
pub(crate) struct Flight {
    /// `threading.get_ident()` of the thread that computes.
    leader: u64,
    /// Held until the computation has ended, however.
    lock: Py<PyAny>,
    landed: AtomicBool,
    /// What was computed, for those who waited: the cache need not have kept it.
    value: PyOnceLock<Py<PyAny>>,
}

impl Flight {
    fn new(py: Python<'_>, leader: u64) -> PyResult<Self> {
        let lock = py.import("_thread")?.call_method0("allocate_lock")?;
        lock.call_method0("acquire")?;
        Ok(Self { leader, lock: lock.unbind(), landed: AtomicBool::new(false), value: PyOnceLock::new() })
    }

    fn has_landed(&self) -> bool {
        self.landed.load(Ordering::Relaxed)
    }
}

/// The flights that threads wait for, by the waiting thread; of the whole process, since a factory may use another cache.
static WAITING: PyOnceLock<Py<PyDict>> = PyOnceLock::new();

/// What `factory()` returns, computed once for all who ask `flights` for `key` at the same time. `find` looks for the value
/// of another; `store` keeps what was computed.
pub(crate) fn once<'py>(
    flights: &Bound<'py, PyDict>,
    key: &Bound<'py, PyAny>,
    factory: &Bound<'py, PyAny>,
    find: impl Fn() -> PyResult<Option<Py<PyAny>>>,
    store: impl Fn(&Py<PyAny>) -> PyResult<()>,
) -> PyResult<Py<PyAny>> {
    let py = key.py();
    let me = ident(py)?;
    loop {
        let mine = Bound::new(py, Flight::new(py, me)?)?;
        let first = flights.call_method1("setdefault", (key, &mine))?.cast_into::<Flight>()?;
        if first.get().has_landed() {
            // It could not be taken out when it landed: comparing keys failed.
            flights.set_item(key, &mine)?;
        } else if !first.is(&mine) {
            if would_wait_for_ever(&first, me)? {
                return compute(py, factory, &store);
            }
            wait(&first, me)?;
            if let Some(value) = first.get().value.get(py) {
                return Ok(value.clone_ref(py));
            }
            // It failed: the next in line tries.
            continue;
        }
        let landing = Landing { flights, key, flight: &mine };
        // Another may have landed between the caller's look and this one's start.
        let value = match find()? {
            Some(value) => value,
            None => compute(py, factory, &store)?,
        };
        _ = mine.get().value.set(py, value.clone_ref(py));
        landing.now()?;
        return Ok(value);
    }
}

fn compute(
    py: Python<'_>,
    factory: &Bound<'_, PyAny>,
    store: impl Fn(&Py<PyAny>) -> PyResult<()>,
) -> PyResult<Py<PyAny>> {
    let value = factory.call0()?.unbind();
    store(&value)?;
    Ok(value.clone_ref(py))
}

/// Ends a flight, also when the factory fails: lets the others go on, and makes room for the next flight first.
struct Landing<'a, 'py> {
    flights: &'a Bound<'py, PyDict>,
    key: &'a Bound<'py, PyAny>,
    flight: &'a Bound<'py, Flight>,
}

impl Landing<'_, '_> {
    fn now(self) -> PyResult<()> {
        let ended = self.end();
        std::mem::forget(self);
        ended
    }

    fn end(&self) -> PyResult<()> {
        self.flight.get().landed.store(true, Ordering::Relaxed);
        let removed = self.remove();
        self.flight.get().lock.bind(self.key.py()).call_method0("release")?;
        removed
    }

    fn remove(&self) -> PyResult<()> {
        match self.flights.get_item(self.key)? {
            Some(flight) if flight.is(self.flight) => self.flights.del_item(self.key),
            _ => Ok(()),
        }
    }
}

impl Drop for Landing<'_, '_> {
    fn drop(&mut self) {
        // The factory's error is on its way already.
        if let Err(error) = self.end() {
            error.write_unraisable(self.key.py(), None);
        }
    }
}

fn wait(flight: &Bound<'_, Flight>, me: u64) -> PyResult<()> {
    let waiting = waiting(flight.py());
    waiting.set_item(me, flight)?;
    let landed = flight.get().lock.bind(flight.py());
    let outcome = landed.call_method0("acquire").and_then(|_| landed.call_method0("release"));
    waiting.del_item(me)?;
    outcome.map(drop)
}

/// Whether the thread that computes, or the one that it waits for, and so on, is this one.
fn would_wait_for_ever(flight: &Bound<'_, Flight>, me: u64) -> PyResult<bool> {
    let waiting = waiting(flight.py());
    let mut leader = flight.get().leader;
    // Each thread waits for one flight at most, so the chain is no longer than there are waiting threads.
    for _ in 0..=waiting.len() {
        if leader == me {
            return Ok(true);
        }
        match waiting.get_item(leader)? {
            Some(next) => {
                let next = next.cast_into::<Flight>()?;
                if next.get().has_landed() {
                    return Ok(false);
                }
                leader = next.get().leader;
            }
            None => return Ok(false),
        }
    }
    Ok(false)
}

fn waiting(py: Python<'_>) -> Bound<'_, PyDict> {
    WAITING.get_or_init(py, || PyDict::new(py).unbind()).bind(py).clone()
}

fn ident(py: Python<'_>) -> PyResult<u64> {
    py.import("_thread")?.call_method0("get_ident")?.extract()
}
