//! Whether two words are one: a misspelling, another part of speech, a short form.

use super::frequent::is_frequent;
use super::reading::Token;
use super::scan::Case;

/// How two unequal words are related.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kinship {
    /// One is the other with a negating prefix: "secure", "insecure".
    Negated,
    /// One is the other, misspelt.
    Typo,
    /// Both are made of one base: "astrologer", "astrology".
    Derived,
}

/// Words longer than this are not compared letter by letter.
const MAX_LETTERS: usize = 40;

/// Prefixes that turn a word into its opposite.
const NEGATING: [&str; 8] = ["un", "in", "im", "il", "ir", "non", "dis", "de"];

/// Endings that make one part of speech of another, longest first; "less" is not among them.
const DERIVING: [&str; 51] = [
    "ization", "isation", "ational", "ically", "ation", "ition", "ement", "iness", "ility", "ative", "ology", "ogist",
    "ical", "ment", "ness", "ance", "ence", "able", "ible", "tion", "sion", "ship", "ist", "ion", "ity", "ive", "ing",
    "ant", "ent", "ate", "ize", "ers", "ism", "ian", "er", "or", "al", "ic", "ed", "th", "y", "e", "t",
    // Stems have lost their silent e.
    "ativ", "anc", "enc", "abl", "ibl", "iv", "at", "iz",
];

pub(super) fn kinship(a: &Token, b: &Token) -> Option<Kinship> {
    let (x, y) = (a.text.as_str(), b.text.as_str());
    if x.len() > MAX_LETTERS || y.len() > MAX_LETTERS {
        return None;
    }
    if negated(x, y) || negated(&a.stem, &b.stem) || party(x, y) || party(y, x) || apart(a, b) {
        return Some(Kinship::Negated);
    }
    let other_word = |word: &str| is_frequent(word) && !respelt(x, y);
    let same = match (a.known, b.known) {
        (true, true) => false,
        (true, false) => misspelt(y, x) && !other_word(y),
        (false, true) => misspelt(x, y) && !other_word(x),
        (false, false) => typo(x, y) && !chemicals(x, y) && !(other_word(x) && other_word(y) && !doubled(a, b)),
    };
    if same {
        return Some(Kinship::Typo);
    }
    if derived(&a.stem, &b.stem) && !(other_word(x) && other_word(y) && one_letter(x, y)) {
        return Some(Kinship::Derived);
    }
    None
}

/// What is spelt in two ways, in Britain and in America, or often taken for each other; `-` at the end: at the end only.
const SPELLINGS: [[&str; 2]; 17] = [
    ["our", "or"],
    ["is", "iz"],
    ["ys", "yz"],
    ["enc", "ens"],
    ["re-", "er-"],
    ["elled", "eled"],
    ["elling", "eling"],
    ["eller", "eler"],
    ["ogue", "og"],
    ["paed", "ped"],
    ["aesth", "esth"],
    ["anaem", "anem"],
    ["grey", "gray"],
    ["dgement", "dgment"],
    ["affect", "effect"],
    ["dvic", "dvis"],
    ["steph", "stev"],
];

/// Whether the words are one in two spellings: "colour", "color".
fn respelt(a: &str, b: &str) -> bool {
    let singular = |word: &'_ str| word.len() - usize::from(word.ends_with('s'));
    let one_way = |from: &str, to: &str, x: &str, y: &str| {
        let (from, end) = from.strip_suffix('-').map_or((from, false), |from| (from, true));
        let to = to.trim_end_matches('-');
        x.len() + to.len() == y.len() + from.len()
            && x.match_indices(from).filter(|(at, _)| !end || at + from.len() == singular(x)).any(|(at, _)| {
                y.strip_prefix(&x[..at]).and_then(|rest| rest.strip_prefix(to)) == Some(&x[at + from.len()..])
            })
    };
    SPELLINGS.iter().any(|[british, american]| one_way(british, american, a, b) || one_way(british, american, b, a))
}

/// Whether two names are one but for a doubled letter: "Hilary", "Hillary". Other words are not: "desert", "dessert".
fn doubled(a: &Token, b: &Token) -> bool {
    let undoubled = |token: &Token| {
        let mut letters: Vec<char> = token.text.chars().collect();
        letters.dedup();
        letters
    };
    a.case != Case::Lower && b.case != Case::Lower && undoubled(a) == undoubled(b)
}

/// Whether one does what is done to the other: "payer" and "payee", "licensor" and "licensee".
fn party(agent: &str, other: &str) -> bool {
    let base = agent.strip_suffix("er").or_else(|| agent.strip_suffix("or"));
    base.is_some_and(|base| base.len() >= 3 && other.strip_suffix("ee") == Some(base))
}

/// One is the other behind a negating prefix, or they end in "less" and "ful" (or nothing).
fn negated(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    let prefixed = short.len() >= 3
        && long.strip_suffix(short).is_some_and(|prefix| NEGATING.contains(&prefix.trim_end_matches('-')));
    let deprived = |x: &str, y: &str| {
        x.strip_suffix("less").is_some_and(|base| base.len() >= 3 && (y == base || y.strip_suffix("ful") == Some(base)))
    };
    prefixed || deprived(a, b) || deprived(b, a) || contrasted(a, b)
}

/// Opposites one of which is on another scale, or of little weight alone.
const APART: [[&str; 2]; 7] = [
    ["win", "lose"],
    ["earliest", "latest"],
    ["current", "former"],
    ["current", "first"],
    ["current", "last"],
    ["current", "next"],
    ["current", "previous"],
];

fn apart(a: &Token, b: &Token) -> bool {
    let is = |token: &Token, word: &str| token.text == word || token.stem == word;
    APART.iter().any(|[x, y]| (is(a, x) && is(b, y)) || (is(a, y) && is(b, x)))
}

/// Prefixes that turn one word into two opposites.
const CONTRASTING: [[&str; 2]; 19] = [
    ["up", "down"],
    ["en", "de"],
    ["in", "de"],
    ["in", "ex"],
    ["im", "ex"],
    ["in", "out"],
    ["for", "back"],
    ["multi", "single"],
    ["pro", "anti"],
    ["hyper", "hypo"],
    ["over", "under"],
    ["inter", "intra"],
    ["endo", "exo"],
    ["macro", "micro"],
    ["pre", "post"],
    ["mono", "poly"],
    ["homo", "hetero"],
    ["immigra", "emigra"],
    ["meth", "eth"],
];

/// Whether two words differ in the prefixes of a pair only: "hypertension" and "hypotension".
fn contrasted(a: &str, b: &str) -> bool {
    // What is common has three letters at least.
    let end = |word: &str| word.len().checked_sub(3);
    let (Some(p), Some(q)) = (end(a), end(b)) else { return false };
    if a.as_bytes()[p..] != b.as_bytes()[q..] {
        return false;
    }
    let rest = |x: &str, y: &str| a.strip_prefix(x).zip(b.strip_prefix(y)).is_some_and(|(p, q)| p == q && p.len() >= 3);
    CONTRASTING.iter().any(|[x, y]| rest(x, y) || rest(y, x))
}

/// Whether one is the other with a slip of the fingers. Short words are too close to other words.
pub(super) fn typo(a: &str, b: &str) -> bool {
    // Bytes first: most pairs end here. Two letters of four bytes are the most that a slip adds.
    if a.len().abs_diff(b.len()) > 8 || a.len().min(b.len()) < 4 || !close(a, b) {
        return false;
    }
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let (short, long) = if a.len() <= b.len() { (&a, &b) } else { (&b, &a) };
    if short.len() < 4 || long.len() - short.len() > 2 || long.len() > MAX_LETTERS {
        return false;
    }
    // A last letter more is an inflection, or another word.
    let distance = distance(short, long);
    match distance {
        0 => true,
        1 if short.len() == long.len() => slipped(short, long),
        1 => dropped(short, long),
        2 => short.len() >= 8 && short[0] == long[0] && !inserted(short, long),
        _ => false,
    }
}

/// Whether two letters side by side are all that one word has more: "prednisone", "prednisolone". Two slips seldom fall
/// together.
fn inserted(short: &[char], long: &[char]) -> bool {
    let at = short.iter().zip(long).take_while(|(x, y)| x == y).count();
    long.len() == short.len() + 2 && long[at + 2..] == short[at..]
}

/// Whether `word`, which no list knows, may be the known word `meant`. One letter more must be a slip: a "hostel" is no
/// "hotel".
pub(super) fn misspelt(word: &str, meant: &str) -> bool {
    slip(word, meant) || (word.len() != meant.len() + 1 && typo(word, meant))
}

/// Whether `word`, which no list knows, is the known word `meant` with one slip of the fingers: two letters exchanged, one
/// left out, one doubled, or a neighbour on the keyboard struck instead or as well.
fn slip(word: &str, meant: &str) -> bool {
    if meant.len() < 4
        || meant.len() > MAX_LETTERS
        || word.len().abs_diff(meant.len()) > 1
        || !(word.is_ascii() && meant.is_ascii())
    {
        return false;
    }
    let (w, m) = (word.as_bytes(), meant.as_bytes());
    let at = w.iter().zip(m).take_while(|(x, y)| x == y).count();
    match w.len().cmp(&m.len()) {
        std::cmp::Ordering::Less => m.len() >= 5 && w[at..] == m[at + 1..],
        std::cmp::Ordering::Greater => w[at + 1..] == m[at..] && struck_twice(w, at),
        std::cmp::Ordering::Equal if at + 1 < w.len() && w[at] == m[at + 1] && w[at + 1] == m[at] => {
            w[at + 2..] == m[at + 2..]
        }
        std::cmp::Ordering::Equal => {
            at < w.len()
                && w[at + 1..] == m[at + 1..]
                && (at > 0 || w.len() >= 6)
                && beside(char::from(w[at]), char::from(m[at]))
        }
    }
}

/// Whether the letter at a place may have come in with one next to it.
fn struck_twice(word: &[u8], at: usize) -> bool {
    let same = |other: Option<&u8>| other.is_some_and(|other| beside(char::from(*other), char::from(word[at])));
    same(word.get(at + 1)) || at.checked_sub(1).is_some_and(|before| same(word.get(before)))
}

/// Whether words that may be one slip apart agree before and behind it, and those that may be two apart in their first
/// letter. What this refuses is never measured.
fn close(a: &str, b: &str) -> bool {
    let longer = a.len().max(b.len());
    if !(a.is_ascii() && b.is_ascii()) || longer > MAX_LETTERS {
        return longer <= 4 * MAX_LETTERS;
    }
    if a.len().min(b.len()) >= 8 {
        let (x, y) = (a.as_bytes(), b.as_bytes());
        return x[0] == y[0] || x[1] == y[1] || (x[0] == y[1] && x[1] == y[0]);
    }
    let front = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    let back = a.bytes().rev().zip(b.bytes().rev()).take_while(|(x, y)| x == y).count();
    front + back + 2 >= longer
}

/// One letter missing: doubled letters anywhere, others only inside of longer words.
fn dropped(short: &[char], long: &[char]) -> bool {
    let at = short.iter().zip(long).take_while(|(x, y)| x == y).count();
    let doubled = at > 0 && long[at] == long[at - 1];
    doubled || (short.len() >= 4 && at > 0 && at < short.len()) || (short.len() >= 6 && (at == 0 || long[at] != 's'))
}

/// One letter wrong, or two exchanged.
fn slipped(a: &[char], b: &[char]) -> bool {
    let at = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let exchanged = a.get(at + 1).is_some_and(|next| *next == b[at]) && b.get(at + 1) == Some(&a[at]);
    exchanged || (a.len() >= 5 && neighbours(a[at], b[at])) || (a.len() >= 7 && at > 0)
}

/// Whether two letters lie side by side on a keyboard, or are vowels that are often taken for each other.
fn neighbours(a: char, b: char) -> bool {
    beside(a, b) || ("aeiou".contains(a) && "aeiou".contains(b))
}

/// Whether two letters are the same or lie side by side on a keyboard.
fn beside(a: char, b: char) -> bool {
    const ROWS: [&str; 3] = ["qwertyuiop", "asdfghjkl", "zxcvbnm"];
    let place = |c: char| ROWS.iter().enumerate().find_map(|(row, keys)| keys.find(c).map(|at| (row, at)));
    match (place(a), place(b)) {
        (Some((r, x)), Some((s, y))) => r.abs_diff(s) <= 1 && x.abs_diff(y) <= 1,
        _ => false,
    }
}

/// Edits between two words: letters put in, left out, replaced, or exchanged with their neighbour (Damerau–Levenshtein
/// distance, restricted form). Three stands for three or more.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()].min(3)
}

/// Whether two words differ in their last letters only, one each: "plane", "plant".
fn one_letter(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.is_ascii() && b.is_ascii() && a[..a.len() - 1] == b[..b.len() - 1]
}

/// Endings of salts of different acids, and of hydrocarbons.
const CHEMICAL: [[&str; 3]; 2] = [["ide", "ite", "ate"], ["ane", "ene", "yne"]];

/// Whether two words differ in endings that name different chemicals: "chloride", "chlorite".
fn chemicals(a: &str, b: &str) -> bool {
    let base = |word: &str, endings: &[&str; 3]| {
        let least = if endings[0] == "ane" { 3 } else { 4 };
        endings.iter().find_map(|ending| word.strip_suffix(ending)).map(str::len).filter(|len| *len >= least)
    };
    let same = |endings: &[&str; 3]| {
        base(a, endings).is_some_and(|len| base(b, endings) == Some(len) && a.get(..len) == b.get(..len))
    };
    a != b && CHEMICAL.iter().any(same)
}

/// Both are one base with an ending that makes another part of speech.
fn derived(a: &str, b: &str) -> bool {
    let common = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    if common < 4 || !a.is_char_boundary(common) || !b.is_char_boundary(common) || common * 2 < a.len().max(b.len()) {
        return false;
    }
    let ending = |word: &str| {
        (common.saturating_sub(2)..=common)
            .rev()
            .filter_map(|at| word.get(at..))
            .any(|rest| rest.is_empty() || rest == "i" || DERIVING.contains(&rest))
    };
    ending(a) && ending(b)
}
