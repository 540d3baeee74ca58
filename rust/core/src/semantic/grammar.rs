//! How a text asks: question word, modality, conjunctions, pronouns, directions.

use super::reading::{Reading, Role, Token};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    Who,
    When,
    Where,
    Why,
    How,
    HowMuch,
    HowLong,
    HowOften,
    What,
    /// Yes or no, of what is: "Is my card blocked?". What can be done is asked for with "how" too.
    Whether,
    /// Whether something can, should or will be.
    Can,
    /// An order or a statement.
    Other,
}

/// The grammar of one reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grammar {
    pub(super) asks: Asks,
    /// All that is asked, as bits of [`Asks`]: "when and why".
    pub(super) kinds: u16,
    /// How many sentences have a question word.
    pub(super) questions: usize,
    pub(super) may: bool,
    pub(super) must: bool,
    pub(super) and: usize,
    pub(super) or: usize,
    /// Verbs in the past, and in the future.
    pub(super) past: usize,
    pub(super) future: usize,
    /// Whether I am in it.
    pub(super) first_person: bool,
    /// He and she, in order of appearance, whatever their case.
    pub(super) persons: Vec<u8>,
}

impl Grammar {
    /// Whether all that is asked is asked in the other text too: why, and when and why.
    pub(super) fn asks_part_of(&self, other: &Self) -> bool {
        self.kinds & other.kinds == self.kinds
    }
}

pub(super) fn grammar(reading: &Reading) -> Grammar {
    let mut out = Grammar {
        asks: Asks::Other,
        kinds: 0,
        questions: 0,
        may: false,
        must: false,
        and: 0,
        or: 0,
        past: 0,
        future: 0,
        first_person: false,
        persons: Vec::new(),
    };
    let mut asked_in = None;
    for (at, token) in reading.tokens.iter().enumerate() {
        if token.role != Role::Function {
            continue;
        }
        match token.text.as_str() {
            "can" | "could" | "may" | "might" => out.may = true,
            "should" | "must" | "ought" | "shall" => out.must = true,
            "and" => out.and += 1,
            "or" => out.or += 1,
            "did" | "was" | "were" | "had" => out.past += 1,
            "will" => out.future += 1,
            "i" | "me" | "my" | "mine" => out.first_person = true,
            _ => {}
        }
        out.persons.extend(person(&token.text).filter(|person| !out.persons.contains(person)));
        // "when" and "where" inside of a sentence mostly begin a clause; before another clause too: "When it ends, what happens?"
        let before = at.checked_sub(1).map(|before| &reading.tokens[before]);
        let inner = before.is_some_and(|before| before.clause == token.clause && before.role == Role::Content);
        let asked = asked_in == Some(token.sentence);
        let after = asked
            && matches!(out.asks, Asks::When | Asks::Where)
            && before.is_some_and(|before| before.clause != token.clause);
        let kind = asks(token, reading.tokens.get(at + 1));
        let joined = before.is_some_and(|before| matches!(before.text.as_str(), "and" | "or"));
        out.kinds |= kind.filter(|_| joined).map_or(0, |kind| 1 << kind as u16);
        let found = kind.filter(|_| after || !(inner || asked));
        if let Some(asks) = found {
            out.questions += usize::from(!asked);
            asked_in = Some(token.sentence);
            out.asks = asks;
            out.kinds |= 1 << asks as u16;
        }
    }
    if let Some(asks) = asks_yes_or_no(reading).filter(|_| out.questions == 0) {
        (out.asks, out.kinds, out.questions) = (asks, 1 << asks as u16, 1);
    }
    out
}

/// What a text of one sentence asks that begins with an auxiliary.
fn asks_yes_or_no(reading: &Reading) -> Option<Asks> {
    let [first, second, .., last] = reading.tokens.as_slice() else { return None };
    let word = first.text.as_str();
    let asks = match word {
        "is" | "are" | "am" | "was" | "were" | "do" | "does" | "did" | "has" | "have" | "had" | "whether" => {
            Asks::Whether
        }
        "can" | "could" | "may" | "might" | "will" | "would" | "should" | "must" | "shall" => Asks::Can,
        _ => return None,
    };
    // "Are there any bus lines?" asks which.
    let exist = second.text == "there";
    let one = first.role == Role::Function && first.sentence == last.sentence && !exist;
    // Not behind a courtesy that was dropped inside of the clause: "Can you do ...".
    (one && (first.first || word == "whether")).then_some(asks)
}

fn person(word: &str) -> Option<u8> {
    match word {
        "he" | "him" | "his" => Some(b'h'),
        "she" | "her" | "hers" => Some(b's'),
        _ => None,
    }
}

fn asks(token: &Token, next: Option<&Token>) -> Option<Asks> {
    Some(match token.text.as_str() {
        "who" | "whom" | "whose" => Asks::Who,
        "when" => Asks::When,
        "where" => Asks::Where,
        "why" => Asks::Why,
        "what" | "which" => Asks::What,
        "how" => match next.map_or("", |next| next.text.as_str()) {
            "much" | "many" | "big" | "large" | "high" | "tall" | "heavy" => Asks::HowMuch,
            "long" | "soon" | "fast" => Asks::HowLong,
            "often" | "frequently" => Asks::HowOften,
            _ => Asks::How,
        },
        _ => return None,
    })
}

/// Whether a word asks for something.
pub(super) fn is_question(token: &Token) -> bool {
    asks(token, None).is_some()
}

/// Whether a word links what follows it to what stands before.
pub(super) fn is_preposition(token: &Token) -> bool {
    const PREPOSITIONS: [&str; 22] = [
        "in", "on", "at", "for", "with", "by", "from", "to", "of", "as", "about", "after", "before", "during", "under",
        "over", "near", "into", "without", "within", "through", "against",
    ];
    token.role == Role::Function && PREPOSITIONS.contains(&token.text.as_str())
}

/// Whether the two kinds of question cannot have one answer. "What" asks for nearly anything, but seldom for a time or a
/// number; "how" and "where" ask what "can" does.
pub(super) fn conflict(a: Asks, b: Asks) -> bool {
    match (a, b) {
        (Asks::Other, _) | (_, Asks::Other) => false,
        (Asks::What, other) | (other, Asks::What) => matches!(other, Asks::When | Asks::HowMuch),
        (Asks::Can, other) | (other, Asks::Can) => {
            !matches!(other, Asks::Can | Asks::How | Asks::Where | Asks::Whether)
        }
        _ => a != b,
    }
}

/// Pairs of particles and prepositions that are opposites, each end by its commonest word.
const DIRECTIONS: [[&str; 2]; 12] = [
    ["up", "down"],
    ["in", "out"],
    ["on", "off"],
    ["over", "under"],
    ["before", "after"],
    ["more", "less"],
    ["most", "least"],
    ["from", "to"],
    ["many", "few"],
    ["if", "unless"],
    ["for", "against"],
    ["because", "although"],
];

/// The pair of [`DIRECTIONS`] that a word belongs to, and which end of it is meant.
fn direction(word: &str) -> Option<(usize, usize)> {
    Some(match word {
        "up" => (0, 0),
        "down" => (0, 1),
        "in" | "inside" | "into" => (1, 0),
        "out" | "outside" => (1, 1),
        "on" => (2, 0),
        "off" => (2, 1),
        "over" | "above" => (3, 0),
        "under" | "below" => (3, 1),
        "before" | "until" | "till" | "within" => (4, 0),
        "after" | "since" => (4, 1),
        "more" => (5, 0),
        "less" | "fewer" => (5, 1),
        "most" => (6, 0),
        "least" | "fewest" => (6, 1),
        "from" => (7, 0),
        "to" => (7, 1),
        "many" | "much" => (8, 0),
        "few" => (8, 1),
        "if" => (9, 0),
        "unless" => (9, 1),
        "for" => (10, 0),
        "against" => (10, 1),
        "because" => (11, 0),
        "although" | "though" => (11, 1),
        _ => return None,
    })
}

/// The first pair of which one text has one end and the other text the other.
pub(super) fn opposed(a: &Reading, b: &Reading) -> Option<(&'static str, &'static str)> {
    let ends = |reading: &Reading| {
        let mut ends = [[0_u32; 2]; DIRECTIONS.len()];
        for token in reading.tokens.iter().filter(|token| token.role == Role::Function) {
            if let Some((pair, end)) = direction(&token.text) {
                ends[pair][end] += 1;
            }
        }
        ends
    };
    let (x, y) = (ends(a), ends(b));
    DIRECTIONS.iter().enumerate().find_map(|(pair, words)| {
        let (p, q) = (x[pair], y[pair]);
        let turned = (p[0] > q[0] && p[1] < q[1]) || (p[0] < q[0] && p[1] > q[1]);
        let first = usize::from(p[0] < q[0]);
        turned.then(|| (words[first], words[1 - first]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_of_a_direction_is_known_by_its_name() {
        for (pair, words) in DIRECTIONS.iter().enumerate() {
            assert_eq!(words.map(direction), [Some((pair, 0)), Some((pair, 1))]);
        }
    }
}
