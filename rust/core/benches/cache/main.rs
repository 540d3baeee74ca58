//! The cache beside its peers: `cargo bench -p llmfast-core --bench cache -- --gate`.
//!
//! `--gate` exits 1 if a bar is missed and 2 if one could not be measured; `--quick` only shows that everything runs.

mod bars;
mod load;
mod machine;
mod memory;
mod numbers;
mod peers;
mod rivals;
mod rounds;
mod soak;

use std::time::Duration;

use bars::Bars;
use llmfast_core::cache::Policy;
use load::Load;
use peers::{MiniMoka, Moka, Ours, QuickCache, TinyUfo};
use rivals::{MutexList, RwLocks};
use rounds::{Effort, Entrant, Series, compare, mean_queued, ratio};

const OURS: &str = "llmfast";
const OURS_S3: &str = "llmfast s3-fifo";
const MUTEX: &str = "mutex+list";
const RWLOCK: &str = "rwlock x16";
const PEERS: [&str; 4] = ["quick_cache", "moka", "mini-moka", "TinyUFO"];

const SIZES: [usize; 2] = [1_000, 100_000];
const FULL: Effort = Effort { rounds: 11, length: Duration::from_millis(140) };
const QUICK: Effort = Effort { rounds: 3, length: Duration::from_millis(10) };
const MOST_BYTES: f64 = 96.0;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [memory::CHILD, name, capacity, ..] = words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return memory::child(name, capacity.parse().expect("the parent passes a number"));
    }
    let options = Options::read(&words);
    let effort = if options.quick { QUICK } else { FULL };
    machine::describe();
    if options.soak {
        std::process::exit(soak::soak());
    }
    println!("rounds:  {} of {:?} each, in turn, after one unrecorded; (least to most)", effort.rounds, effort.length);
    let mut bars = Bars::default();
    memory(&mut bars);
    for size in SIZES {
        for threads in [1, 2] {
            reads(size, threads, effort, &mut bars);
        }
    }
    for size in SIZES {
        for threads in [1, 2] {
            mixed(size, threads, effort, &mut bars);
        }
    }
    for size in SIZES {
        inserts(size, effort);
    }
    machine::print_calibration();
    let status = bars.report();
    if options.gate {
        std::process::exit(status);
    }
}

struct Options {
    gate: bool,
    quick: bool,
    soak: bool,
}

impl Options {
    fn read(words: &[String]) -> Self {
        let mut options = Self { gate: false, quick: false, soak: false };
        for word in words {
            match word.as_str() {
                "--gate" => options.gate = true,
                "--quick" => options.quick = true,
                "--soak" => options.soak = true,
                "--bench" => {} // cargo says so to every bench
                _ => {
                    eprintln!("unknown option {word}: there are --gate, --quick and --soak");
                    std::process::exit(2);
                }
            }
        }
        options
    }
}

fn memory(bars: &mut Bars) {
    println!(
        "\nmemory beside key and value (16 B), full, after as many evictions: growth of the resident set of a process of its own"
    );
    for name in [OURS, OURS_S3] {
        for capacity in [100_000, 1_000_000] {
            let bytes = memory::per_entry(name, capacity);
            let figure = bytes.map_or("not measured".to_owned(), |bytes| format!("{bytes:.1} B per entry"));
            println!("  {name:<16} {capacity:>9} entries {figure:>20}");
            bars.bytes(&format!("{name}, memory, {capacity} entries"), bytes, MOST_BYTES);
        }
    }
}

/// Room for twice the entries, so that a cache in shards loses none to an uneven hash.
fn reads(size: usize, threads: usize, effort: Effort, bars: &mut Bars) {
    let load = Load::reads(size as u64, threads);
    let series = compare(&field(2 * size, size, &load), effort);
    let what = format!("hits, {size} entries, {}", in_threads(threads));
    print_rates(&format!("{what} (Zipf, room for {})", 2 * size), &series);
    for one in &series {
        assert!(one.hit_rate() == Some(1.0), "{} lost keys that it had room for", one.name);
    }
    if size == SIZES[0] && threads == 2 {
        bars.at_least(&what, &series, MUTEX, 2.0);
        for peer in PEERS {
            bars.above(&what, &series, peer);
        }
    }
}

fn mixed(capacity: usize, threads: usize, effort: Effort, bars: &mut Bars) {
    let space = 2 * capacity;
    let load = Load::mixed(space as u64, threads);
    let series = compare(&field(capacity, space, &load), effort);
    let what = format!("85/15, {capacity} entries, {}", in_threads(threads));
    print_rates(&format!("{what} (lookups Zipf, insertions in a cycle, of {space} keys)"), &series);
    if threads == 2 {
        bars.at_least(&what, &series, RWLOCK, 1.0);
    }
}

fn inserts(capacity: usize, effort: Effort) {
    let load = Load::inserts();
    let series = compare(&field(capacity, capacity, &load), effort);
    println!("\ninsertions of new keys into a full cache, {capacity} entries, 1 thread: ns");
    print_queued(&series);
    for one in &series {
        let nanos = |rate: f64| 1e9 / rate;
        let (least, most) = (nanos(greatest(&one.rates)), nanos(smallest(&one.rates)));
        println!("  {:<16} {:>8.1}  ({least:.1} to {most:.1})", one.name, nanos(one.median()));
    }
}

/// All contenders with room for `capacity`, filled with the first `entries` keys.
fn field(capacity: usize, entries: usize, load: &Load) -> Vec<Entrant<'_>> {
    let entries = entries as u64;
    let [quick_cache, moka, mini_moka, tiny_ufo] = PEERS;
    vec![
        Entrant::new(OURS, Ours::new(capacity, Policy::Lru), load, entries),
        Entrant::new(OURS_S3, Ours::new(capacity, Policy::S3Fifo), load, entries),
        Entrant::new(MUTEX, MutexList::new(capacity), load, entries),
        Entrant::new(RWLOCK, RwLocks::new(capacity), load, entries),
        Entrant::new(quick_cache, QuickCache::new(capacity), load, entries),
        Entrant::new(moka, Moka::new(capacity), load, entries),
        Entrant::new(mini_moka, MiniMoka::new(capacity), load, entries),
        Entrant::new(tiny_ufo, TinyUfo::new(capacity), load, entries),
    ]
}

/// A line a contender: its rate, and how many times that rate llmfast reaches.
fn print_rates(what: &str, series: &[Series]) {
    println!("\n{what}: Mops/s, share found, llmfast's rate as a multiple of it");
    print_queued(series);
    let ours = series.iter().find(|one| one.name == OURS).expect("llmfast has run");
    for one in series {
        let mega = |rate: f64| rate / 1e6;
        let (median, least, most) = (mega(one.median()), mega(smallest(&one.rates)), mega(greatest(&one.rates)));
        let found = one.hit_rate().map_or(String::new(), |share| format!("{:.1} %", 100.0 * share));
        let ratio = ratio(ours, one);
        println!(
            "  {:<16} {median:>8.2}  {:<18} {found:>8}  {:>5.2} x ({:.2} to {:.2})",
            one.name,
            format!("({least:.2} to {most:.2})"),
            ratio.value,
            ratio.low,
            ratio.high
        );
    }
}

fn print_queued(series: &[Series]) {
    println!("  (threads waited {:.0} % of the time for a processor)", 100.0 * mean_queued(series));
}

fn in_threads(threads: usize) -> String {
    format!("{threads} thread{}", if threads == 1 { "" } else { "s" })
}

fn smallest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

fn greatest(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}
