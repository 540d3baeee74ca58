//! The word lists of the guards, a file for each subject. They are data: what is done with them is in `lexicon`.

pub(super) mod english;
pub(super) mod foreign;
pub(super) mod irregular;
pub(super) mod measures;
pub(super) mod opposites;
pub(super) mod synonyms;
