//! Computing a missing value once for all threads that ask for it at the same time.
//!
//! Who comes first computes; the others wait on a lock of the interpreter's own, which lets go of the interpreter and of
//! which signals wake the main thread. Nobody waits where that could last for ever: for oneself, or for a thread that is
//! itself waiting, directly or through others, for this one, or for one that a fork left behind. Who may not wait computes
//! for itself.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use llmfast_core::cache::Lookup;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use super::attached::Attached;
use super::keys::{Probe, PyKey};
use super::own::Own;

/// A value being computed.
#[pyclass(frozen, module = "llmfast._llmfast")]
struct Flight {
    /// `threading.get_ident()` of the thread that computes.
    leader: u64,
    /// Held until the computation has ended, however.
    lock: Py<PyAny>,
    landed: AtomicBool,
    /// What was computed, for those who waited: the cache need not have kept it.
    value: PyOnceLock<Py<PyAny>>,
}

impl Flight {
    fn new(thread: &Bound<'_, PyModule>, leader: u64) -> PyResult<Self> {
        let lock = thread.call_method0("allocate_lock")?;
        lock.call_method0("acquire")?;
        Ok(Self { leader, lock: lock.unbind(), landed: AtomicBool::new(false), value: PyOnceLock::new() })
    }

    fn has_landed(&self) -> bool {
        self.landed.load(Ordering::Relaxed)
    }
}

/// The flights of one cache. They are as few as there are threads, and looked through one by one.
///
/// Boxed, so that they take no room beside what lookups in the cache read.
pub(crate) struct Flights(Attached<Box<Own<Vec<Entry>>>>);

/// A flight that others can find by its key.
struct Entry {
    hash: u64,
    key: PyKey,
    flight: Py<Flight>,
}

impl Flights {
    pub(crate) fn new() -> Self {
        Self(Attached::new(Box::new(Own::new(Vec::new()))))
    }

    /// The flight of a key that is in progress. If there is none, `mine` is, and this is a miss.
    fn join<'py>(&self, probe: &Probe<'_, 'py>, mine: &Bound<'py, Flight>) -> Lookup<PyKey, Bound<'py, Flight>> {
        let py = mine.py();
        self.0.get(py).with(|entries| {
            let mut undecided = Vec::new();
            for entry in entries.iter().filter(|entry| entry.hash == probe.hash) {
                match probe.test(&entry.key) {
                    Some(true) => return Lookup::Hit(entry.flight.bind(py).clone()),
                    Some(false) => {}
                    None => undecided.push(entry.key.clone()),
                }
            }
            if !undecided.is_empty() {
                return Lookup::Undecided(undecided);
            }
            entries.push(Entry { hash: probe.hash, key: probe.to_key(), flight: mine.clone().unbind() });
            Lookup::Miss
        })
    }

    /// Takes out a flight, and no other that has begun under its key since. No key is looked at, which could run Python
    /// code in which others come and go.
    fn remove(&self, flight: &Bound<'_, Flight>) -> Option<Entry> {
        self.0.get(flight.py()).with_any(|entries| {
            let place = entries.iter().position(|entry| entry.flight.is(flight))?;
            Some(entries.swap_remove(place))
        })
    }

    /// Forgets all flights, for the garbage collector.
    pub(crate) fn clear(&self, py: Python<'_>) {
        let gone = self.0.get(py).with_any(std::mem::take);
        drop(gone);
    }

    /// Shows the flights to the garbage collector.
    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        // What it is not shown counts as in use.
        let Some(entries) = self.0.get_collecting(visit).peek() else { return Ok(()) };
        entries.iter().try_for_each(|entry| entry.key.0.visit(visit).and_then(|()| visit.call(&entry.flight)))
    }
}

/// The flights that threads wait for, by the waiting thread; of the whole process, since a factory may use another cache.
static WAITING: Attached<Own<BTreeMap<u64, Py<Flight>>>> = Attached::new(Own::new(BTreeMap::new()));

/// What `factory()` returns, computed once for all who ask `flights` for `key` at the same time. `find` looks for the value
/// of another; `store` keeps what was computed.
pub(crate) fn once<'py>(
    flights: &Flights,
    key: &Bound<'py, PyAny>,
    factory: &Bound<'py, PyAny>,
    find: impl Fn() -> PyResult<Option<Py<PyAny>>>,
    store: impl Fn(&Py<PyAny>) -> PyResult<()>,
) -> PyResult<Py<PyAny>> {
    let py = key.py();
    let (thread, probe) = (py.import("_thread")?, Probe::new(key)?);
    let me = thread.call_method0("get_ident")?.extract()?;
    let mine = Bound::new(py, Flight::new(&thread, me)?)?;
    while let Some(other) = probe.resolve(|probe| flights.join(probe, &mine))? {
        if would_wait_for_ever(&other, me) {
            return compute(py, factory, &store);
        }
        wait(&other, me)?;
        if let Some(value) = other.get().value.get(py) {
            return Ok(value.clone_ref(py));
        }
        // It failed: the next in line tries.
    }
    let landing = Landing { flights, flight: &mine };
    // Another may have landed between the caller's look and this one's start.
    let value = match find()? {
        Some(value) => value,
        None => compute(py, factory, &store)?,
    };
    _ = mine.get().value.set(py, value.clone_ref(py));
    landing.now()?;
    Ok(value)
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
    flights: &'a Flights,
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
        // Kept until the others may go on: its key may run Python code when it goes.
        let _gone = self.flights.remove(self.flight);
        self.flight.get().lock.bind(self.flight.py()).call_method0("release").map(drop)
    }
}

impl Drop for Landing<'_, '_> {
    fn drop(&mut self) {
        // The factory's error is on its way already.
        if let Err(error) = self.end() {
            error.write_unraisable(self.flight.py(), None);
        }
    }
}

fn wait(flight: &Bound<'_, Flight>, me: u64) -> PyResult<()> {
    let (py, landed) = (flight.py(), flight.get().lock.bind(flight.py()));
    let around = WAITING.get(py).with(|waiting| waiting.insert(me, flight.clone().unbind()));
    let outcome = landed.call_method0("acquire").and_then(|_| landed.call_method0("release"));
    // A signal that woke the main thread may have had it wait for another flight meanwhile: that wait is around this one's.
    WAITING.get(py).with(|waiting| match around {
        Some(around) => waiting.insert(me, around),
        None => waiting.remove(&me),
    });
    outcome.map(drop)
}

/// Whether the thread that computes, or the one that it waits for, and so on, is this one.
fn would_wait_for_ever(flight: &Bound<'_, Flight>, me: u64) -> bool {
    WAITING.get(flight.py()).with(|waiting| {
        let mut leader = flight.get().leader;
        // Each thread waits for one flight at a time, so the chain is no longer than there are waiting threads.
        for _ in 0..=waiting.len() {
            if leader == me {
                return true;
            }
            match waiting.get(&leader).map(Py::get) {
                Some(next) if !next.has_landed() => leader = next.leader,
                _ => return false,
            }
        }
        false
    })
}
