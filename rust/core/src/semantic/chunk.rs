//! The runs of a text without white space: what the standard library finds, by bytes and with the letters that most runs are.

/// A run without white space.
#[derive(Clone, Copy)]
pub(super) struct Chunk<'t> {
    pub(super) text: &'t str,
    /// Where it begins in the text, in bytes.
    pub(super) begins: usize,
    /// With how many letters in ASCII it begins.
    pub(super) letters: usize,
}

/// The runs of a text without white space, by bytes as long as they are ASCII.
#[derive(Clone)]
pub(super) struct Chunks<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Chunks<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// The length of the white space at a place; None if something else is there.
    #[inline]
    fn space(&self, at: usize) -> Option<usize> {
        match *self.text.as_bytes().get(at)? {
            b'\t'..=b'\r' | b' ' => Some(1),
            byte if byte.is_ascii() => None,
            _ => self.text.get(at..)?.chars().next().filter(|c| c.is_whitespace()).map(char::len_utf8),
        }
    }
}

impl<'t> Iterator for Chunks<'t> {
    type Item = Chunk<'t>;

    fn next(&mut self) -> Option<Chunk<'t>> {
        let bytes = self.text.as_bytes();
        while let Some(length) = self.space(self.at) {
            self.at += length;
        }
        let begins = self.at;
        let letters = bytes[begins..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        self.at += letters;
        while self.at < bytes.len() && self.space(self.at).is_none() {
            self.at += 1;
        }
        (begins < self.at).then(|| Chunk { text: &self.text[begins..self.at], begins, letters })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn runs_are_those_of_the_standard_library(text in "[a-cA-Z .,'\\t\\x0b\\x1f\u{85}\u{a0}\u{2003}\u{e9}\u{3042}]{0,24}|\\PC{0,20}") {
            let found: Vec<Chunk<'_>> = Chunks::of(&text).collect();
            let expected: Vec<&str> = text.split_whitespace().collect();
            prop_assert_eq!(found.iter().map(|chunk| chunk.text).collect::<Vec<_>>(), expected);
            for Chunk { text: run, begins, letters } in found {
                prop_assert_eq!(&text[begins..begins + run.len()], run);
                prop_assert_eq!(run.bytes().take_while(u8::is_ascii_alphabetic).count(), letters);
            }
        }
    }
}
