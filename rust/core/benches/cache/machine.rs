//! Where a measurement was made: processor, compiler, commit, versions, and how fast the machine is at the moment.

use std::fs;
use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

use crate::numbers::mix;
use crate::rounds::median;

const LOCK_FILE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock"));
const PEERS: [&str; 7] = ["ahash", "hashbrown", "lru", "quick_cache", "moka", "mini-moka", "TinyUFO"];

/// Prints it all.
pub fn describe() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("cpu:     {}, {cores} cores, load {}", cpu_model(), load());
    println!("rustc:   {}", output("rustc", &["--version"]));
    println!("commit:  {}", commit());
    println!("peers:   {}", PEERS.map(|name| format!("{name} {}", versions(name))).join(", "));
    print_calibration();
}

/// Prints how long a step of a chain of 64-bit multiplications takes: a machine that is busy or slow shows here.
pub fn print_calibration() {
    println!("calibration: {:.2} ns a step of a chain of 64-bit mixing", calibrate());
}

#[allow(clippy::disallowed_methods)] // a bench reads the clock; the library does not
fn calibrate() -> f64 {
    const STEPS: u32 = 4_000_000;
    let round = || {
        let start = Instant::now();
        black_box((0..STEPS).fold(black_box(1), |number, step| mix(number ^ u64::from(step))));
        start.elapsed().as_secs_f64() * 1e9 / f64::from(STEPS)
    };
    median((0..9).map(|_| round()).collect())
}

fn cpu_model() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let value = |line: &str| {
            line.split_once(':').filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
        };
        text.lines().find_map(value).unwrap_or_else(|| "unknown".to_owned())
    };
    format!("{} (family {}, model {})", field("model name"), field("cpu family"), field("model"))
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().filter(|word| !word.is_empty()).unwrap_or("unknown").to_owned()
}

/// The commit, with `+changes` when the tree differs from it.
fn commit() -> String {
    let git = |arguments: &[&str]| output("git", &[&["-C", env!("CARGO_MANIFEST_DIR")], arguments].concat());
    let head = git(&["rev-parse", "--short=12", "HEAD"]);
    let changed = git(&["status", "--porcelain", "--", ":/", ":(top,exclude)benches/results"]);
    if head == "unknown" || changed.is_empty() { head } else { format!("{head}+changes") }
}

/// The versions of a package in the lock file that this bench was built with; several if others ask for older ones.
fn versions(package: &str) -> String {
    let wanted = format!("name = \"{package}\"");
    let mut lines = LOCK_FILE.lines();
    let mut found = Vec::new();
    while lines.any(|line| line == wanted) {
        found.extend(lines.next().and_then(|line| line.split('"').nth(1)));
    }
    found.join(" and ")
}

fn output(program: &str, arguments: &[&str]) -> String {
    let done = Command::new(program).args(arguments).output().ok().filter(|done| done.status.success());
    done.map_or_else(|| "unknown".to_owned(), |done| String::from_utf8_lossy(&done.stdout).trim().to_owned())
}
