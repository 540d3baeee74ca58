//! Why a stored answer is not served: the names of the rules and what a user is told.

use std::fmt;

/// What differs, in the words of the asked and of the stored text; either may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// In the asked text.
    pub asked: String,
    /// In the stored text.
    pub stored: String,
}

/// The rule that tells two texts apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// Numbers, amounts, dates or times differ.
    Number,
    /// The same number of something else.
    Unit,
    /// Identifiers, addresses, paths or names from programs differ.
    Identifier,
    /// What stands in quotation marks differs.
    Literal,
    /// One says the contrary of the other with a negator.
    Negation,
    /// One says the contrary of the other with an opposite word.
    Antonym,
    /// Up and down, before and after, more and less.
    Direction,
    /// The same words in other roles.
    Order,
    /// Other persons, places or products.
    Entity,
    /// One word stands for another.
    Substitution,
    /// A word that narrows the question stands in one of them only.
    Modifier,
    /// Who and when, how and why.
    QuestionType,
    /// Can and should.
    Modality,
    /// And and or.
    Conjunction,
    /// He and she, my and your.
    Pronoun,
    /// All and some.
    Quantifier,
}

/// A reason not to serve a stored answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Veto {
    /// The rule that fired.
    pub rule: Rule,
    /// What it found.
    pub words: Words,
}

impl Rule {
    /// The rule's name, which stays as it is from version to version.
    pub fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Unit => "unit",
            Self::Identifier => "identifier",
            Self::Literal => "literal",
            Self::Negation => "negation",
            Self::Antonym => "antonym",
            Self::Direction => "direction",
            Self::Order => "order",
            Self::Entity => "entity",
            Self::Substitution => "substitution",
            Self::Modifier => "modifier",
            Self::QuestionType => "question_type",
            Self::Modality => "modality",
            Self::Conjunction => "conjunction",
            Self::Pronoun => "pronoun",
            Self::Quantifier => "quantifier",
        }
    }

    /// Every rule.
    pub const ALL: [Self; 16] = [
        Self::Number,
        Self::Unit,
        Self::Identifier,
        Self::Literal,
        Self::Negation,
        Self::Antonym,
        Self::Direction,
        Self::Order,
        Self::Entity,
        Self::Substitution,
        Self::Modifier,
        Self::QuestionType,
        Self::Modality,
        Self::Conjunction,
        Self::Pronoun,
        Self::Quantifier,
    ];
}

impl Veto {
    /// The rule's name.
    pub fn name(&self) -> &'static str {
        self.rule.name()
    }

    pub(super) fn new(rule: Rule, asked: impl Into<String>, stored: impl Into<String>) -> Self {
        Self { rule, words: Words { asked: asked.into(), stored: stored.into() } }
    }

    /// The same veto, seen from the other text.
    pub(super) fn turned(self) -> Self {
        let Words { asked, stored } = self.words;
        Self::new(self.rule, stored, asked)
    }
}

/// Longer words are cut in sentences for users.
const MAX_SHOWN: usize = 60;

impl fmt::Display for Veto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |text: &str| -> String {
            let mut short: String = text.chars().take(MAX_SHOWN).collect();
            if short.len() < text.len() {
                short.push('…');
            }
            if short.is_empty() { "nothing".into() } else { format!("\"{short}\"") }
        };
        let name = self.name().replace('_', " ");
        write!(f, "{name}: {} against {}", shown(&self.words.asked), shown(&self.words.stored))
    }
}
