//! Numbers for the names of tenants and of what may share a batch.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Any hashable objects, numbered as long as an item that waits uses them. None is 0.
pub(crate) struct Names {
    numbers: Py<PyDict>,
    used: Mutex<Used>,
}

#[derive(Default)]
struct Used {
    /// By number: the name and how many items use it; the first is None's.
    names: Vec<Option<(Py<PyAny>, u32)>>,
    free: Vec<u32>,
}

impl Names {
    pub(crate) fn new(py: Python<'_>) -> Self {
        Self { numbers: PyDict::new(py).unbind(), used: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a name, which is used once more; `TypeError` if it has no hash.
    pub(crate) fn take(&self, name: Option<&Bound<'_, PyAny>>) -> PyResult<u32> {
        let Some(name) = name.filter(|name| !name.is_none()) else { return Ok(0) };
        let numbers = self.numbers.bind(name.py());
        if let Some(number) = numbers.get_item(name)? {
            let number = number.extract::<u32>()?;
            if let Some(Some((_, count))) = self.lock().names.get_mut(number as usize) {
                *count += 1;
                return Ok(number);
            }
        }
        let number = self.lock().number_for(name.clone().unbind());
        numbers.set_item(name, number).inspect_err(|_| self.release(name.py(), number))?;
        Ok(number)
    }

    /// Uses a name once more that is in use.
    pub(crate) fn again(&self, number: u32) {
        if number != 0
            && let Some(Some((_, count))) = self.lock().names.get_mut(number as usize)
        {
            *count += 1;
        }
    }

    /// Ends one use.
    pub(crate) fn release(&self, py: Python<'_>, number: u32) {
        if number == 0 {
            return;
        }
        let gone = self.lock().release(number);
        // A number is given again only once no name leads to it: comparing names may fail.
        if gone.is_some_and(|name| self.forget(name.bind(py), number).is_ok()) {
            self.lock().free.push(number);
        }
    }

    fn forget(&self, name: &Bound<'_, PyAny>, number: u32) -> PyResult<()> {
        let numbers = self.numbers.bind(name.py());
        match numbers.get_item(name)? {
            Some(found) if found.extract::<u32>()? == number => numbers.del_item(name),
            _ => Ok(()),
        }
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.numbers)?;
        let Ok(used) = self.used.try_lock() else { return Ok(()) };
        used.names.iter().flatten().try_for_each(|(name, _)| visit.call(name))
    }
}

impl Used {
    fn number_for(&mut self, name: Py<PyAny>) -> u32 {
        if self.names.is_empty() {
            self.names.push(None);
        }
        if let Some(number) = self.free.pop() {
            self.names[number as usize] = Some((name, 1));
            return number;
        }
        self.names.push(Some((name, 1)));
        (self.names.len() - 1) as u32
    }

    /// The name, if that was its last use.
    fn release(&mut self, number: u32) -> Option<Py<PyAny>> {
        let slot = self.names.get_mut(number as usize)?;
        let (_, count) = slot.as_mut()?;
        *count -= 1;
        if *count > 0 {
            return None;
        }
        slot.take().map(|(name, _)| name)
    }
}
