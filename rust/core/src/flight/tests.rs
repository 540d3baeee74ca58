use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

type Table = Flights<String>;

#[test]
fn the_first_leads_and_the_others_follow_until_it_lands() {
    let mut table = Table::new();
    let (first, role) = table.join("a");
    assert_eq!(role, Role::Lead);
    for _ in 0..3 {
        assert_eq!(table.join("a"), (first, Role::Follow));
    }
    let (other, role) = table.join("b");
    assert_eq!((role, other == first, table.len()), (Role::Lead, false, 2));
    assert_eq!(table.land(first, Outcome::Answered), Some(4));
    assert_eq!(table.land(first, Outcome::Failed), None, "only the first landing counts");
    let (second, role) = table.join("a");
    assert_eq!((role, second == first), (Role::Lead, false));
    let counts = Counts { led: 3, followed: 3, answered: 1, ..Counts::default() };
    assert_eq!(table.counts(), counts);
}

#[test]
fn the_last_one_who_leaves_decides_what_becomes_of_the_call() {
    let mut table = Table::new();
    let (id, _) = table.join("a");
    table.join("a");
    assert_eq!(table.leave(id, OnAbandon::Cancel), Fate::GoesOn, "one still waits");
    assert_eq!(table.leave(id, OnAbandon::Drain), Fate::GoesOn);
    assert_eq!(table.join("a"), (id, Role::Follow), "a call that drains can be joined");
    assert_eq!(table.leave(id, OnAbandon::Cancel), Fate::Cancel);
    assert_eq!(table.leave(id, OnAbandon::Cancel), Fate::Over);
    assert_eq!(table.join("a").1, Role::Lead);
}

#[test]
fn a_detached_flight_goes_on_for_those_who_wait_alone() {
    let mut table = Table::new();
    let (old, _) = table.join("a");
    assert_eq!(table.detach(old), Fate::GoesOn);
    assert!(table.is_detached(old));
    let (new, role) = table.join("a");
    assert_eq!((role, table.is_detached(new)), (Role::Lead, false));
    assert_eq!(table.land(old, Outcome::Answered), Some(1));
    assert_eq!(table.join("a"), (new, Role::Follow), "the landing of the old one left the new one in the table");
}

#[test]
fn nobody_drains_what_nobody_may_join() {
    let mut table = Table::new();
    let (left, _) = table.join("a");
    table.detach(left);
    assert_eq!(table.leave(left, OnAbandon::Drain), Fate::Cancel);
    let (drains, _) = table.join("a");
    table.leave(drains, OnAbandon::Drain);
    assert_eq!(table.detach(drains), Fate::Cancel);
    assert_eq!(table.detach(drains), Fate::Over);
    assert!(table.is_empty());
}

#[test]
fn an_announced_flight_is_joined_until_it_lands_and_tells_nobody_twice() {
    let mut table = Table::new();
    let (id, _) = table.join("a");
    table.join("a");
    assert_eq!(table.announce(id), Some(2));
    assert_eq!(table.announce(id), None);
    assert_eq!(table.join("a"), (id, Role::Follow));
    assert_eq!(table.land(id, Outcome::Answered), Some(0));
}

#[test]
fn a_flight_of_its_own_is_joined_by_nobody_and_can_be_detached() {
    let mut table = Table::new();
    let (shared, _) = table.join("a");
    let alone = table.solo();
    assert_eq!(table.join("a").0, shared);
    assert_eq!(table.detach(alone), Fate::GoesOn);
    assert!(table.is_detached(alone) && !table.is_detached(shared));
    assert_eq!(table.leave(alone, OnAbandon::Drain), Fate::Cancel);
}

/// What somebody does next; numbers are taken modulo what there is.
#[derive(Debug, Clone)]
enum Step {
    Join(usize),
    Solo,
    Announce(usize),
    Land(usize, Outcome),
    Leave(usize, OnAbandon),
    Detach(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![Just(Outcome::Answered), Just(Outcome::Failed), Just(Outcome::Abandoned)];
    let on_abandon = prop_oneof![Just(OnAbandon::Cancel), Just(OnAbandon::Drain)];
    prop_oneof![
        6 => (0..3_usize).prop_map(Step::Join),
        1 => Just(Step::Solo),
        1 => any::<usize>().prop_map(Step::Announce),
        2 => (any::<usize>(), outcome).prop_map(|(flight, outcome)| Step::Land(flight, outcome)),
        4 => (any::<usize>(), on_abandon).prop_map(|(waiter, on_abandon)| Step::Leave(waiter, on_abandon)),
        1 => any::<usize>().prop_map(Step::Detach),
    ]
}

/// What a flight is, as slowly and plainly as can be: everybody who joined, by name.
#[derive(Debug, Default)]
struct Plain {
    key: Option<usize>,
    waiting: Vec<usize>,
    announced: bool,
    detached: bool,
    over: bool,
}

#[derive(Debug, Default)]
struct Oracle {
    flights: BTreeMap<FlightId, Plain>,
    /// Where each waiter is, and how often it was told.
    waiters: Vec<(FlightId, u32)>,
}

impl Oracle {
    /// The flight of `key` that may be joined.
    fn open(&self, key: usize) -> Option<FlightId> {
        let is_open = |flight: &Plain| flight.key == Some(key) && !flight.over && !flight.detached;
        let mut open = self.flights.iter().filter(|(_, flight)| is_open(flight));
        let found = open.next().map(|(id, _)| *id);
        assert!(open.next().is_none(), "two flights of key {key} can be joined");
        found
    }

    fn enter(&mut self, id: FlightId, key: Option<usize>) {
        let waiter = self.waiters.len();
        let flight = self.flights.entry(id).or_insert_with(|| Plain { key, ..Plain::default() });
        assert!(!flight.over && !flight.detached, "joined what nobody may join");
        flight.waiting.push(waiter);
        self.waiters.push((id, u32::from(flight.announced)));
    }

    fn tell(&mut self, id: FlightId) -> u32 {
        let waiting = self.flights[&id].waiting.clone();
        for waiter in &waiting {
            self.waiters[*waiter].1 += 1;
        }
        waiting.len() as u32
    }

    fn announce(&mut self, id: FlightId) -> Option<u32> {
        let flight = self.flights.get_mut(&id).unwrap();
        if flight.over || flight.announced {
            return None;
        }
        flight.announced = true;
        Some(self.tell(id))
    }

    fn land(&mut self, id: FlightId) -> Option<u32> {
        let flight = self.flights.get_mut(&id).unwrap();
        if std::mem::replace(&mut flight.over, true) {
            return None;
        }
        let told = if flight.announced { 0 } else { self.tell(id) };
        for waiter in &self.flights[&id].waiting {
            assert_eq!(self.waiters[*waiter].1, 1, "told once, neither less nor more");
        }
        Some(told)
    }

    fn leave(&mut self, waiter: usize, on_abandon: OnAbandon) -> (FlightId, Fate) {
        let id = self.waiters[waiter].0;
        let flight = self.flights.get_mut(&id).unwrap();
        if flight.over {
            return (id, Fate::Over);
        }
        flight.waiting.retain(|other| *other != waiter);
        let drains = on_abandon == OnAbandon::Drain && !flight.detached;
        flight.over = flight.waiting.is_empty() && !drains;
        (id, if flight.over { Fate::Cancel } else { Fate::GoesOn })
    }

    fn detach(&mut self, id: FlightId) -> Fate {
        let flight = self.flights.get_mut(&id).unwrap();
        if flight.over {
            return Fate::Over;
        }
        flight.detached = true;
        flight.over = flight.waiting.is_empty();
        if flight.over { Fate::Cancel } else { Fate::GoesOn }
    }
}

/// One interleaving, on both; the ids of flights that are over are used as much as any.
#[derive(Debug, Default)]
struct Pair {
    table: Table,
    oracle: Oracle,
    ids: Vec<FlightId>,
    /// Waiters that have not left.
    present: Vec<usize>,
}

impl Pair {
    fn take(&mut self, step: &Step) {
        match *step {
            Step::Join(key) => {
                let open = self.oracle.open(key);
                let (id, role) = self.table.join(key.to_string().as_str());
                assert_eq!(role == Role::Follow, open.is_some(), "one leader a flight");
                assert!(open.is_none_or(|open| open == id));
                self.enter(id, Some(key), role);
            }
            Step::Solo => {
                let id = self.table.solo();
                self.enter(id, None, Role::Lead);
            }
            Step::Announce(nth) => {
                if let Some(id) = self.nth(nth) {
                    assert_eq!(self.table.announce(id), self.oracle.announce(id));
                }
            }
            Step::Land(nth, outcome) => {
                if let Some(id) = self.nth(nth) {
                    assert_eq!(self.table.land(id, outcome), self.oracle.land(id));
                }
            }
            Step::Leave(nth, on_abandon) => {
                if !self.present.is_empty() {
                    let waiter = self.present.swap_remove(nth % self.present.len());
                    let (id, fate) = self.oracle.leave(waiter, on_abandon);
                    assert_eq!(self.table.leave(id, on_abandon), fate);
                }
            }
            Step::Detach(nth) => {
                if let Some(id) = self.nth(nth) {
                    assert_eq!(self.table.detach(id), self.oracle.detach(id));
                }
            }
        }
    }

    fn nth(&self, nth: usize) -> Option<FlightId> {
        self.ids.get(nth.checked_rem(self.ids.len())?).copied()
    }

    fn enter(&mut self, id: FlightId, key: Option<usize>, role: Role) {
        if role == Role::Lead {
            assert!(!self.ids.contains(&id), "an id is given once");
            self.ids.push(id);
        }
        self.present.push(self.oracle.waiters.len());
        self.oracle.enter(id, key);
    }

    fn agree(&self) {
        let live = self.oracle.flights.iter().filter(|(_, flight)| !flight.over);
        assert_eq!(self.table.len(), live.clone().count());
        for (id, flight) in &self.oracle.flights {
            let waiting = (!flight.over).then_some(flight.waiting.len() as u32);
            assert_eq!(self.table.waiters(*id), waiting);
            assert_eq!(self.table.is_detached(*id), flight.detached && !flight.over);
        }
        let counts = self.table.counts();
        let over = self.oracle.flights.len() - live.count();
        assert_eq!(counts.answered + counts.failed + counts.abandoned, over as u64);
        assert_eq!(counts.led + counts.followed, self.oracle.waiters.len() as u64);
        assert_eq!(counts.detached, self.oracle.flights.values().filter(|flight| flight.detached).count() as u64);
        assert!(self.table.by_key.len() <= self.table.len(), "no key outlives its flight");
    }
}

proptest! {
    #[test]
    fn any_interleaving_does_what_the_oracle_does(steps in prop::collection::vec(step(), 1..120)) {
        let mut pair = Pair::default();
        for step in &steps {
            pair.take(step);
            pair.agree();
        }
    }
}
