//! The ids of rows that are equal and share a node.

use std::collections::BTreeSet;
use std::mem::replace;

/// Ids in ascending order. Nearly always it is one.
#[derive(Debug, Default)]
pub(super) enum Owners {
    #[default]
    None,
    One(u64),
    // A set is three times as large as the one id that nearly every node has.
    #[allow(clippy::box_collection)]
    Many(Box<BTreeSet<u64>>),
}

impl Owners {
    pub(super) fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        let (one, many) = match self {
            Self::None => (None, None),
            Self::One(id) => (Some(*id), None),
            Self::Many(ids) => (None, Some(ids)),
        };
        one.into_iter().chain(many.into_iter().flat_map(|ids| ids.iter().copied()))
    }

    pub(super) fn insert(&mut self, id: u64) {
        *self = match replace(self, Self::None) {
            Self::None => Self::One(id),
            Self::One(first) => Self::Many(Box::new(BTreeSet::from([first, id]))),
            Self::Many(mut ids) => {
                ids.insert(id);
                Self::Many(ids)
            }
        };
    }

    pub(super) fn remove(&mut self, id: u64) {
        match self {
            Self::Many(ids) => _ = ids.remove(&id),
            Self::One(_) | Self::None => *self = Self::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_and_go_in_order() {
        let mut owners = Owners::default();
        for id in [5, 2, 9] {
            owners.insert(id);
        }
        assert_eq!(owners.iter().collect::<Vec<_>>(), [2, 5, 9]);
        for id in [2, 9, 5] {
            assert!(!owners.is_empty());
            owners.remove(id);
        }
        assert!(owners.is_empty());
    }
}
