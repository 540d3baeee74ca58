//! A doubly linked list threaded through the slots of a shard, newest first.

/// No slot.
pub(super) const NIL: u32 = u32::MAX;

/// The neighbours of a slot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Links {
    newer: u32,
    older: u32,
}

impl Links {
    pub(super) const DETACHED: Self = Self { newer: NIL, older: NIL };
}

/// The ends of the list. The links lie in the slots; `links` gives access to them.
#[derive(Debug)]
pub(super) struct Recency {
    newest: u32,
    oldest: u32,
}

impl Default for Recency {
    fn default() -> Self {
        Self { newest: NIL, oldest: NIL }
    }
}

/// Whatever holds the links of slot `n`.
pub(super) trait Linked {
    fn links(&mut self, slot: u32) -> &mut Links;
    fn older(&self, slot: u32) -> u32;
}

impl Recency {
    pub(super) fn newest(&self) -> Option<u32> {
        (self.newest != NIL).then_some(self.newest)
    }

    pub(super) fn oldest(&self) -> Option<u32> {
        (self.oldest != NIL).then_some(self.oldest)
    }

    pub(super) fn push(&mut self, slots: &mut impl Linked, slot: u32) {
        *slots.links(slot) = Links { newer: NIL, older: self.newest };
        match self.newest() {
            Some(second) => slots.links(second).newer = slot,
            None => self.oldest = slot,
        }
        self.newest = slot;
    }

    pub(super) fn unlink(&mut self, slots: &mut impl Linked, slot: u32) {
        let Links { newer, older } = *slots.links(slot);
        if newer == NIL {
            self.newest = older;
        } else {
            slots.links(newer).older = older;
        }
        if older == NIL {
            self.oldest = newer;
        } else {
            slots.links(older).newer = newer;
        }
    }

    pub(super) fn touch(&mut self, slots: &mut impl Linked, slot: u32) {
        if self.newest != slot {
            self.unlink(slots, slot);
            self.push(slots, slot);
        }
    }
}

impl Links {
    pub(super) fn older(self) -> u32 {
        self.older
    }
}
