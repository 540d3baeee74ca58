//! The lookups that wait for a worker, as data: its thread and the tests decide by it alike, and time is an argument.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::bridge::Outbox;
use crate::lookup::{Lookup, asks_the_same};
use crate::worker::{Completion, MOST_WAITING, Refused, Ticket};

/// Lookups of either kind that are looked at for a batch.
const WINDOW: usize = 32;
/// What a batch still counts after the next one: the pace is that of the last ten or so.
const KEPT: f64 = 0.9;

/// A lookup, where its outcome goes, and when it must have been begun; None: whenever.
pub struct Job {
    pub lookup: Lookup,
    pub outbox: Outbox<Completion>,
    pub begin_by: Option<Duration>,
}

/// What is done next.
#[derive(Default)]
pub struct Turn {
    /// What could not be begun in time, and is not.
    pub late: Vec<(Ticket, Job)>,
    /// A text to encode at most, and what goes with it.
    pub batch: Vec<(Ticket, Job)>,
}

/// Lookups in the order of their tickets, which is that of their coming.
#[derive(Default)]
pub struct Line {
    texts: BTreeMap<Ticket, Job>,
    /// Those whose vector is known. A search is short, so they wait for no text but the one at hand.
    vectors: BTreeMap<Ticket, Job>,
    pace: Pace,
}

impl Line {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.vectors.is_empty()
    }

    /// Whether a lookup has any prospect of being begun within `max_wait`; None: whenever.
    ///
    /// # Errors
    ///
    /// `Full` when [`MOST_WAITING`] wait, `Busy` when the texts that wait would take longer than that.
    pub fn admit(&self, lookup: &Lookup, max_wait: Option<Duration>) -> Result<(), Refused> {
        if self.texts.len() + self.vectors.len() >= MOST_WAITING {
            return Err(Refused::Full);
        }
        let waits = lookup.vector.is_none()
            && max_wait.is_some_and(|most| self.pace.seconds_for(self.texts.len()) > most.as_secs_f64());
        if waits { Err(Refused::Busy) } else { Ok(()) }
    }

    /// Puts a lookup at the end.
    pub fn put(&mut self, ticket: Ticket, job: Job) {
        let jobs = if job.lookup.vector.is_some() { &mut self.vectors } else { &mut self.texts };
        jobs.insert(ticket, job);
    }

    /// Forgets a lookup; whether it was here.
    pub fn remove(&mut self, ticket: Ticket) -> bool {
        self.texts.remove(&ticket).or_else(|| self.vectors.remove(&ticket)).is_some()
    }

    /// Takes what is to be done at `now`.
    pub fn next(&mut self, now: Duration) -> Turn {
        let mut late = too_late(&mut self.texts, now);
        late.append(&mut too_late(&mut self.vectors, now));
        Turn { late, batch: self.batch() }
    }

    /// Takes all.
    pub fn drain(&mut self) -> impl Iterator<Item = (Ticket, Job)> + use<> {
        std::mem::take(&mut self.texts).into_iter().chain(std::mem::take(&mut self.vectors))
    }

    /// Learns how long a batch took in which so many lookups had a text to encode.
    pub fn note(&mut self, took: Duration, texts: usize) {
        if texts > 0 {
            self.pace.note(took, texts);
        }
    }

    fn batch(&mut self) -> Vec<(Ticket, Job)> {
        let mut oldest = self.texts.iter().take(WINDOW);
        let first = oldest.next();
        let same = oldest.filter(|(_, job)| first.is_some_and(|(_, first)| asks_the_same(&first.lookup, &job.lookup)));
        let texts: Vec<_> = first.into_iter().chain(same).map(|(ticket, _)| *ticket).collect();
        let vectors: Vec<_> = self.vectors.keys().take(WINDOW).copied().collect();
        let mut batch = take(&mut self.vectors, vectors);
        batch.append(&mut take(&mut self.texts, texts));
        batch
    }
}

fn too_late(jobs: &mut BTreeMap<Ticket, Job>, now: Duration) -> Vec<(Ticket, Job)> {
    let is_late = |job: &Job| job.begin_by.is_some_and(|by| by < now);
    let late = jobs.iter().filter(|(_, job)| is_late(job)).map(|(ticket, _)| *ticket).collect();
    take(jobs, late)
}

fn take(jobs: &mut BTreeMap<Ticket, Job>, tickets: Vec<Ticket>) -> Vec<(Ticket, Job)> {
    tickets.into_iter().filter_map(|ticket| jobs.remove_entry(&ticket)).collect()
}

/// How long a text takes, of the last batches. Nothing is known before the first one.
#[derive(Default)]
struct Pace {
    seconds: f64,
    texts: f64,
}

impl Pace {
    fn note(&mut self, took: Duration, texts: usize) {
        self.seconds = KEPT * self.seconds + took.as_secs_f64();
        self.texts = KEPT * self.texts + texts as f64;
    }

    fn seconds_for(&self, texts: usize) -> f64 {
        if self.texts > 0.0 { texts as f64 * self.seconds / self.texts } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::bridge::Completions;
    use crate::lookup::tests::{Lengths, lookup};

    const MS: Duration = Duration::from_millis(1);

    fn known(encoder: &Arc<Lengths>) -> Lookup {
        Lookup { vector: Some(Arc::from([1.0, 0.0])), ..lookup(encoder, "known") }
    }

    fn line(lookups: impl IntoIterator<Item = (Lookup, Option<Duration>)>) -> Line {
        let completions = Completions::new().unwrap();
        let mut line = Line::default();
        for (ticket, (lookup, begin_by)) in (0..).zip(lookups) {
            line.put(ticket, Job { lookup, outbox: completions.outbox(), begin_by });
        }
        line
    }

    fn tickets(jobs: &[(Ticket, Job)]) -> Vec<Ticket> {
        jobs.iter().map(|(ticket, _)| *ticket).collect()
    }

    fn batches(lookups: Vec<Lookup>) -> Vec<Vec<Ticket>> {
        let mut line = line(lookups.into_iter().map(|lookup| (lookup, None)));
        let next = || Some(tickets(&line.next(Duration::ZERO).batch)).filter(|batch| !batch.is_empty());
        std::iter::from_fn(next).collect()
    }

    fn is_busy(line: &Line, lookup: &Lookup, max_wait: Duration) -> bool {
        matches!(line.admit(lookup, Some(max_wait)), Err(Refused::Busy))
    }

    #[test]
    fn a_batch_has_one_text_to_encode() {
        let encoder = Arc::default();
        let lookups = ["a", "b", "a", "c", "b", "d"].map(|text| lookup(&encoder, text)).to_vec();
        assert_eq!(batches(lookups), [vec![0, 2], vec![1, 4], vec![3], vec![5]]);
    }

    #[test]
    fn what_needs_no_encoding_waits_for_no_text() {
        let encoder = Arc::default();
        let mut lookups: Vec<_> = (0..40).map(|at| lookup(&encoder, &at.to_string())).collect();
        lookups.push(known(&encoder));
        assert_eq!(batches(lookups)[..2], [vec![40, 0], vec![1]]);
    }

    #[test]
    fn a_batch_has_one_encoder_and_does_not_look_far() {
        let encoders = [Arc::default(), Arc::default()];
        let mixed = (0..4).map(|at| lookup(&encoders[at % 2], "a")).collect();
        assert_eq!(batches(mixed), [vec![0, 2], vec![1, 3]]);
        for many in [lookup(&encoders[0], "a"), known(&encoders[0])] {
            let sizes: Vec<_> = batches(vec![many; 40]).iter().map(Vec::len).collect();
            assert_eq!(sizes, [32, 8]);
        }
    }

    #[test]
    fn what_could_not_be_begun_in_time_is_not_begun() {
        let encoder = Arc::default();
        let by = [Some(5 * MS), None, Some(4 * MS), Some(9 * MS)];
        let mut line = line(by.map(|by| (lookup(&encoder, "a"), by)).into_iter().chain([(known(&encoder), by[2])]));
        let Turn { late, batch } = line.next(5 * MS);
        assert_eq!((tickets(&late), tickets(&batch)), (vec![2, 4], vec![0, 1, 3]), "in time is also: at that time");
        assert!(line.is_empty());
    }

    #[test]
    fn what_has_no_prospect_of_its_turn_is_refused_at_once() {
        let encoder = Arc::default();
        let (text, vector) = (lookup(&encoder, "a"), known(&encoder));
        let mut line = line((0..10).map(|at| (lookup(&encoder, &at.to_string()), None)));
        assert!(!is_busy(&line, &text, Duration::ZERO), "nothing is known of how long one takes");
        line.note(8 * MS, 2);
        assert_eq!([39, 41].map(|ms| is_busy(&line, &text, ms * MS)), [true, false]);
        assert!(!is_busy(&line, &vector, Duration::ZERO), "it waits for one text at most");
        assert!(line.admit(&text, None).is_ok());
        line.drain().count();
        assert!(!is_busy(&line, &text, Duration::ZERO), "whoever is alone is begun, so that the pace is learnt again");
    }

    #[test]
    fn a_slow_beginning_is_forgotten() {
        let encoder = Arc::default();
        let mut line = line((0..20).map(|at| (lookup(&encoder, &at.to_string()), None)));
        line.note(200 * MS, 1);
        line.note(MS, 0);
        let mut batches = 1;
        while is_busy(&line, &lookup(&encoder, "a"), 1000 * MS) {
            line.note(5 * MS, 1);
            batches += 1;
        }
        assert!(batches < 10, "{batches}");
    }

    proptest! {
        /// Whatever comes and however long it takes: nothing is begun after its time, and who is told so is told at
        /// the first turn after that, so that a call is held up for its `max_wait` and one batch at most.
        #[test]
        fn nobody_waits_longer_than_a_batch_past_his_time(
            steps in prop::collection::vec((0..4u64, 0..50u64, any::<bool>(), 0..30u32), 1..80)
        ) {
            let (encoder, completions) = (Arc::default(), Completions::new().unwrap());
            let (mut line, mut now, mut before, mut left) = (Line::default(), Duration::ZERO, Duration::ZERO, 0);
            for (ticket, (comes, wait, has_vector, takes)) in (0..).zip(steps) {
                let asked = if has_vector { known(&encoder) } else { lookup(&encoder, &(ticket % 5).to_string()) };
                let max_wait = Duration::from_millis(wait);
                if comes > 0 && line.admit(&asked, Some(max_wait)).is_ok() {
                    let begin_by = Some(now + max_wait);
                    line.put(ticket, Job { lookup: asked, outbox: completions.outbox(), begin_by });
                    left += 1;
                }
                if comes == 1 {
                    continue;
                }
                let Turn { late, batch } = line.next(now);
                prop_assert!(late.iter().all(|(_, job)| job.begin_by.is_some_and(|by| before <= by && by < now)));
                prop_assert!(batch.iter().all(|(_, job)| job.begin_by.is_some_and(|by| now <= by)));
                left -= late.len() + batch.len();
                before = now;
                now += takes * MS;
                line.note(takes * MS, batch.iter().filter(|(_, job)| job.lookup.vector.is_none()).count());
            }
            prop_assert_eq!(line.drain().count(), left);
        }
    }
}
