//! What a small word changes in texts that agree in all others: was and is, all and some, my and your, why and whether.

use super::align::{Difference, is_auxiliary};
use super::grammar::{Asks, is_question};
use super::reading::{Reading, Role, Token};
use super::veto::{Rule, Veto};

/// Of when the first auxiliary speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tense {
    Past,
    Present,
}

/// Of how many something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Amount {
    All,
    Most,
    Some,
    Any,
    One,
}

/// What a small word says otherwise in texts whose other words have counterparts; `asks`: what each asks for.
pub(super) fn nuance(a: &Reading, b: &Reading, asks: [Asks; 2], difference: &Difference) -> Option<Veto> {
    let same = difference.only.iter().all(Vec::is_empty);
    let one = a.tokens.len() == b.tokens.len() && a.tokens.iter().zip(&b.tokens).filter(differ).nth(1).is_none();
    let tense = || if same { other_tense(a, b, asks) } else { None };
    let amount = || if same || one { other_amount(a, b, asks) } else { None };
    // "How to train your dog" is about anybody's.
    let owner = || if one && !asks.contains(&Asks::How) { other_owner(a, b) } else { None };
    tense().or_else(amount).or_else(owner)
}

fn differ((x, y): &(&Token, &Token)) -> bool {
    x.key != y.key
}

/// What was is not what is, where a fact about something definite is asked for: the head of the bank, my card. "Who was Bach"
/// asks who he is.
fn other_tense(a: &Reading, b: &Reading, asks: [Asks; 2]) -> Option<Veto> {
    let facts = asks.iter().all(|asks| matches!(asks, Asks::Whether | Asks::Who | Asks::When | Asks::HowMuch));
    let word = |tense: Tense| if tense == Tense::Past { "was" } else { "is" };
    let (x, y) = (tense(a)?, tense(b)?);
    (x != y && facts && is_definite(a) && is_definite(b)).then(|| Veto::new(Rule::Modality, word(x), word(y)))
}

/// Whether something definite follows the first auxiliary, and no word or year that settles when it was.
fn is_definite(reading: &Reading) -> bool {
    const AUXILIARIES: [&str; 9] = ["is", "are", "am", "was", "were", "do", "does", "did", "had"];
    const DEFINITE: [&str; 16] =
        ["the", "my", "your", "our", "their", "his", "her", "its", "this", "i", "we", "you", "he", "she", "it", "they"];
    const SETTLED: [&str; 12] = [
        "first",
        "last",
        "founder",
        "founders",
        "inventor",
        "inventors",
        "author",
        "authors",
        "creator",
        "creators",
        "winner",
        "winners",
    ];
    let text = reading.folded.to_lowercase();
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let mut words = words.skip_while(|word| !AUXILIARIES.contains(word)).skip(1);
    words.next().is_some_and(|word| DEFINITE.contains(&word))
        && words.next().is_none_or(|word| !SETTLED.contains(&word))
        && !reading.numbers.iter().any(|number| number.plain.len() == YEAR && number.unit.is_empty())
}

/// How many digits a year has.
const YEAR: usize = 4;

/// The tense of the first auxiliary; None if it says what has been, will be or may be.
fn tense(reading: &Reading) -> Option<Tense> {
    let tense = |token: &Token| match token.text.as_str() {
        "did" | "was" | "were" | "had" => Some(Some(Tense::Past)),
        "is" | "are" | "am" | "do" | "does" => Some(Some(Tense::Present)),
        "has" | "have" | "will" | "would" | "can" | "could" | "may" | "might" | "shall" | "should" | "must" => {
            Some(None)
        }
        _ => None,
    };
    reading.tokens.iter().filter(|token| token.role == Role::Function).find_map(tense).flatten()
}

/// All or some; not where examples are asked for. "Can anyone join" asks what "can everyone join" does.
fn other_amount(a: &Reading, b: &Reading, asks: [Asks; 2]) -> Option<Veto> {
    let (x, y) = (amount(a)?, amount(b)?);
    let any = [x.0, y.0].contains(&Amount::Any);
    let same = x.0 == y.0
        || (any && [x.0, y.0].contains(&Amount::Some))
        || (any && asks.iter().any(|asks| matches!(asks, Asks::Can | Asks::Where)));
    (!same && !asks.contains(&Asks::What)).then(|| Veto::new(Rule::Quantifier, x.1, y.1))
}

/// The amount that the only word for one says.
fn amount(reading: &Reading) -> Option<(Amount, &str)> {
    let of = |(at, token): (usize, &Token)| {
        let next = || reading.tokens.get(at + 1).map_or("", |next| next.text.as_str());
        Some(match token.text.as_str() {
            // The best of all time.
            "all" if next() == "time" => return None,
            "all" | "every" | "each" | "everyone" | "everybody" | "everything" => Amount::All,
            "most" => Amount::Most,
            "one" if token.role == Role::Function && next() != "of" => Amount::One,
            "several" | "few" | "some" | "someone" | "somebody" | "something" => Amount::Some,
            "any" | "anyone" | "anybody" | "anything" => Amount::Any,
            _ => return None,
        })
    };
    let mut found = reading.tokens.iter().enumerate();
    let mut next = || found.by_ref().find_map(|(at, token)| Some((of((at, token))?, token.text.as_str())));
    next().filter(|_| next().is_none())
}

/// My limit, your limit; but where only one of them is asked with I, "you" may be anybody.
fn other_owner(a: &Reading, b: &Reading) -> Option<Veto> {
    let (x, y) = a.tokens.iter().zip(&b.tokens).find(differ)?;
    let owns = |token: &Token| matches!(token.text.as_str(), "my" | "our" | "your" | "their" | "his" | "her");
    let speaks = |reading: &Reading, person: &str| reading.tokens.iter().any(|token| token.text == person);
    let same = || ["i", "you", "we", "they"].iter().all(|person| speaks(a, person) == speaks(b, person));
    (owns(x) && owns(y) && same()).then(|| Veto::new(Rule::Pronoun, x.text.as_str(), y.text.as_str()))
}

/// Whether texts whose kinds of question are in conflict do ask for different things. "What is the best age" asks when, "what
/// is the fee" how much; "is it hard" and "how hard is it" have one answer, unlike "is the card blocked" and "why is the card
/// blocked".
pub(super) fn asks_otherwise(a: &Reading, b: &Reading, asks: [Asks; 2]) -> bool {
    const TIMES: [&str; 11] =
        ["time", "age", "date", "day", "week", "month", "year", "hour", "deadlin", "moment", "schedul"];
    let timed = |reading: &Reading| reading.tokens.iter().any(|token| TIMES.contains(&token.stem.as_str()));
    let counted = |reading: &Reading| reading.tokens.iter().any(|token| token.text == "many");
    // The keys of the words behind those that ask.
    let asked = |reading: &Reading| -> Vec<u64> {
        let asks = |token: &Token| is_auxiliary(token) || is_question(token) || is_modal(token) || is_amount(token);
        let asks = |token: &&Token| token.role == Role::Function && asks(token);
        reading.tokens.iter().skip_while(asks).map(|token| token.key).collect()
    };
    let yes_or_no = |asks: &Asks| matches!(asks, Asks::Whether | Asks::Can);
    if asks.contains(&Asks::What) && asks.contains(&Asks::When) {
        return !timed(a) && !timed(b);
    }
    if asks.contains(&Asks::What) && !(counted(a) || counted(b)) {
        return false;
    }
    !(asks.contains(&Asks::What) || asks.iter().any(yes_or_no)) || asked(a) == asked(b)
}

fn is_modal(token: &Token) -> bool {
    matches!(token.text.as_str(), "can" | "could" | "may" | "might" | "should" | "must" | "shall" | "whether")
}

fn is_amount(token: &Token) -> bool {
    matches!(token.text.as_str(), "much" | "many" | "long" | "often")
}

/// "What should I do", "what can we do": advice, whatever one can or should.
pub(super) fn asks_advice(reading: &Reading) -> bool {
    let asks = |three: &[Token]| {
        three.iter().all(|token| token.role == Role::Function)
            && matches!(three[0].text.as_str(), "can" | "could" | "should" | "must")
            && matches!(three[1].text.as_str(), "i" | "we" | "you" | "one")
            && three[2].text == "do"
    };
    reading.tokens.windows(3).any(asks)
}
