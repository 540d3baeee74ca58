//! The table that a router has unless it is told another.

use super::table::{Rule, Signal, Table, Tier};

/// Words of a task with several steps.
const STEPS: &[&str] = &["then", "after", "first", "finally"];

/// Words of a task that asks for code.
const CODE: &[&str] = &["write code", "implement", "function"];

/// Terms of law, medicine, finance and science.
///
/// A term is here if it is rarely said outside of its field. Words with an everyday meaning are left out ("patient",
/// "interest", "party", "cell", "force") or stand in a phrase that has only the technical one ("interest rate").
#[rustfmt::skip] // one line a thought, not one a word
const DOMAIN: &[&str] = &[
    // law
    "legal", "contract law", "liability", "plaintiff", "defendant", "statute", "jurisdiction", "litigation", "lawsuit",
    "indemnity", "copyright", "patent", "breach of contract", "gdpr",
    // medicine
    "medical", "clinical", "diagnosis", "symptom", "symptoms", "dosage", "contraindication", "contraindications",
    "prognosis", "chemotherapy", "hypertension", "diabetes", "antibiotic", "antibiotics",
    // finance
    "financial", "equity", "portfolio", "amortization", "ebitda", "interest rate", "interest rates", "balance sheet",
    "cash flow", "arbitrage", "hedge fund", "capital gains", "mortgage", "valuation",
    // science
    "scientific", "quantum", "theorem", "molecule", "molecular", "genome", "enzyme", "entropy", "thermodynamics",
    "photosynthesis", "isotope", "differential equation", "differential equations", "relativity",
];

/// Words of somebody who does not know what exactly is asked: hedges and vagueness.
///
/// Left out is what also stands in clear questions: "could" ("could you"), "kind of" ("what kind of"), "about".
#[rustfmt::skip]
const AMBIGUITY: &[&str] = &[
    "maybe", "perhaps", "possibly", "presumably", "not sure", "unsure", "not certain", "uncertain", "unclear",
    "ambiguous", "vague", "somehow", "something like", "or something", "it depends", "i guess", "no idea",
    "hard to say",
];

impl Default for Table {
    /// The seed table: five signals that sum to 1, four tiers.
    fn default() -> Self {
        Self {
            tiers: vec![
                tier("simple", "gpt-4o-mini", Some(300)),
                tier("medium", "gpt-4o", Some(600)),
                tier("complex", "claude-sonnet-4", Some(800)),
                tier("specialized", "claude-opus-4", None),
            ],
            rules: vec![
                // Over 100 tokens.
                Rule { name: "length".into(), weight: 100, signal: Signal::MinTokens(101) },
                words("steps", 300, STEPS),
                words("code", 200, CODE),
                words("domain", 200, DOMAIN),
                words("ambiguity", 200, AMBIGUITY),
            ],
            exceptions: Vec::new(),
        }
    }
}

fn tier(name: &str, model: &str, below: Option<u32>) -> Tier {
    Tier { name: name.into(), model: model.into(), below }
}

fn words(name: &str, weight: u32, words: &[&str]) -> Rule {
    Rule { name: name.into(), weight, signal: Signal::Words(words.iter().map(|&word| word.to_owned()).collect()) }
}
