//! Numbers, amounts, dates and times, each in one notation.

use super::lexicon::{Lexicon, Measure};

/// A number and what it counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Quantity {
    /// The value in the base unit, as text.
    pub(super) value: String,
    /// The base unit; empty if the text names none.
    pub(super) unit: &'static str,
    /// The value before it was converted, as text.
    pub(super) plain: String,
}

/// The unit of a number that only says how long a list is to be.
pub(super) const LIST: &str = "of a list";

/// What a numeric token says by itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Numeral {
    /// A number, as it stands and by value; `round` numbers may be followed by a multiplier.
    Number { plain: String, value: f64 },
    /// Number with a unit or multiplier glued to it.
    Measured { plain: String, value: f64, measure: Measure },
    /// 1st, 2nd.
    Ordinal(String),
    /// Minutes since midnight.
    Time(u32),
    /// Year, month, day; the last two may be exchanged if `either`.
    Date { year: u32, month: u32, day: u32, either: bool },
    /// Anything else that begins with a digit: compared letter by letter.
    Other(String),
}

impl Quantity {
    /// A number without a unit.
    pub(super) fn bare(plain: String) -> Self {
        Self { value: plain.clone(), unit: "", plain }
    }

    /// `value` of a unit.
    pub(super) fn of(value: f64, plain: String, measure: Measure) -> Self {
        Self { value: written(value * measure.factor), unit: measure.base, plain }
    }

    /// A time of day.
    pub(super) fn time(minutes: u32) -> Self {
        Self { value: minutes.to_string(), unit: "time", plain: format!("{}:{:02}", minutes / 60, minutes % 60) }
    }

    /// A date; a year of nought is not named.
    pub(super) fn date(year: u32, month: u32, day: u32, either: bool) -> Self {
        let unit = if either { "either date" } else { "date" };
        Self { value: format!("{year}-{month}-{day}"), unit, plain: format!("{year}-{month}-{day}") }
    }
}

/// A value in one notation: whole numbers without a point.
pub(super) fn written(value: f64) -> String {
    // Twelve digits: what conversions round is beyond them.
    let rounded = format!("{value:.9}");
    let short = rounded.trim_end_matches('0').trim_end_matches('.');
    if value.abs() < 1e12 { short.to_owned() } else { format!("{value:.11e}") }
}

/// Reads a token that begins with a digit (or a sign and a digit).
pub(super) fn numeral(text: &str, english: bool, lexicon: &Lexicon) -> Numeral {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let suffix = &text[digits.len()..];
    if text.len() > 64 || is_lettered(digits, suffix) {
        return other(text);
    }
    special(digits, suffix).or_else(|| number(digits, suffix, english, lexicon)).unwrap_or_else(|| other(text))
}

/// Whether a letter belongs to an identifier rather than being a unit: behind four digits only those of usual units are
/// one, behind more none is.
fn is_lettered(digits: &str, suffix: &str) -> bool {
    let whole = digits.bytes().all(|byte| byte.is_ascii_digit());
    suffix.len() == 1 && whole && (digits.len() > 4 || (digits.len() == 4 && !"kmglwv".contains(suffix)))
}

/// Separators out: a telephone or card number is its digits.
fn other(text: &str) -> Numeral {
    // 555.123.4567: points divide a telephone number into groups of three and four.
    let mut groups = text.split('.').map(str::len);
    let dialled = groups.clone().count() >= 3
        && groups.all(|length| matches!(length, 3 | 4))
        && text.ends_with(|c: char| c.is_ascii_digit())
        && text.rsplit('.').next().is_some_and(|last| last.len() == 4);
    let plain = text.bytes().filter(u8::is_ascii_digit).count() >= 7 && (dialled || !text.contains(['.', ':', '/']));
    let sign = |c: &char| !matches!(c, '-' | ',' | '+' | '.');
    Numeral::Other(if plain { text.chars().filter(sign).collect() } else { text.to_owned() })
}

fn special(digits: &str, suffix: &str) -> Option<Numeral> {
    let parts = |sign: char| digits.split(sign).map(|part| part.parse::<u32>().ok()).collect::<Option<Vec<_>>>();
    match suffix {
        "am" | "pm" => return clock(digits, suffix),
        "st" | "nd" | "rd" | "th" if digits.parse::<u32>().is_ok() => return Some(Numeral::Ordinal(digits.to_owned())),
        "" if digits.contains(':') => return clock(digits, ""),
        "" => {}
        _ => return None,
    }
    ['-', '/', '.'].into_iter().find_map(|sign| {
        let parts = parts(sign)?;
        let [a, b, c] = parts[..] else { return None };
        let first = digits.split(sign).next()?.len();
        let last = digits.rsplit(sign).next()?.len();
        if first == 4 && (1..=12).contains(&b) && (1..=31).contains(&c) {
            return Some(Numeral::Date { year: a, month: b, day: c, either: false });
        }
        let year = if last == 2 { 2000 + c } else { c };
        if (last != 4 && !(last == 2 && sign == '/')) || a > 31 || b > 31 || a * b == 0 {
            return None;
        }
        match (a > 12, b > 12) {
            (true, false) => Some(Numeral::Date { year, month: b, day: a, either: false }),
            (false, true) => Some(Numeral::Date { year, month: a, day: b, either: false }),
            // Points stand in dates that begin with the day.
            (false, false) if sign == '.' => Some(Numeral::Date { year, month: b, day: a, either: false }),
            (false, false) => Some(Numeral::Date { year, month: a, day: b, either: a != b }),
            (true, true) => None,
        }
    })
}

/// A time of day by the clock; `half` is "am", "pm" or nothing.
pub(super) fn clock(digits: &str, half: &str) -> Option<Numeral> {
    let mut parts = digits.split([':', '.']);
    let hour: u32 = parts.next()?.parse().ok()?;
    let minute: u32 = parts.next().map_or(Some(0), |part| part.parse().ok())?;
    let twelve = !half.is_empty();
    if minute > 59 || hour > 24 || (twelve && !(1..=12).contains(&hour)) || parts.next().is_some() {
        return None;
    }
    let hour = if twelve { hour % 12 + if half == "pm" { 12 } else { 0 } } else { hour };
    Some(Numeral::Time(hour * 60 + minute))
}

fn number(digits: &str, suffix: &str, english: bool, lexicon: &Lexicon) -> Option<Numeral> {
    let plain = plain(digits, english)?;
    let value: f64 = plain.parse().ok()?;
    if suffix.is_empty() {
        return Some(Numeral::Number { plain, value });
    }
    if let Some(factor) = lexicon.multiplier(suffix).or((suffix == "b").then_some(1e9)) {
        let value = value * factor;
        return Some(Numeral::Number { plain: written(value), value });
    }
    let measure = lexicon.measure(suffix)?;
    Some(Numeral::Measured { plain, value, measure })
}

/// Digits without separators of thousands, with a point before decimals; None for versions and the like.
fn plain(digits: &str, english: bool) -> Option<String> {
    let (group, point) = if english { (',', '.') } else { ('.', ',') };
    let body = digits.trim_start_matches(['+', '-']);
    let thousands = |sign: char| {
        let mut parts = body.split(sign);
        let first = parts.next().is_some_and(|part| (1..=3).contains(&part.len()));
        // The last group may have decimals behind it.
        first
            && body.contains(sign)
            && parts.all(|part| part.len() == 3 || (part.len() > 3 && part.as_bytes()[3] == point as u8))
    };
    let clean = if thousands(group) { digits.replace(group, "") } else { digits.to_owned() };
    // 500,1000 are two numbers.
    let decimals = clean.split_once(',').map_or(0, |(_, decimals)| decimals.len());
    let one = clean.matches(',').count() == 1 && decimals <= 3;
    let clean = if english && one { clean.replace(',', ".") } else { clean };
    let clean = if english { clean } else { clean.replace(',', ".") };
    if clean.matches('.').count() > 1 || clean.contains([',', '/', ':']) || clean[1..].contains('-') {
        return None;
    }
    // 5.00 is 5, but 3.10 is not 3.1: it may be a version.
    let clean = match clean.split_once('.') {
        Some((whole, decimals)) if decimals.bytes().all(|byte| byte == b'0') => whole.to_owned(),
        _ => clean,
    };
    Some(clean.trim_start_matches('+').to_owned())
}
