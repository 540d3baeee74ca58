//! Which kinds of signs a text has, seen in one pass: most texts have few, and rules about the others are done at once.

/// Kinds of signs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Signs(u8);

/// A capital letter of ASCII that is not the first sign.
const UPPER: u8 = 1;
/// A backslash or an opening bracket.
const ESCAPE: u8 = 1 << 1;
/// A colon, perhaps one of full width, or the end of a line.
const DIVIDER: u8 = 1 << 2;
/// A sign that code is written with.
const CODE: u8 = 1 << 3;

const KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = b'A';
    while byte <= b'Z' {
        kinds[byte as usize] = UPPER;
        byte += 1;
    }
    let code = b"/-&|<>=\\{}[]@#^~$%+*";
    let mut at = 0;
    while at < code.len() {
        kinds[code[at] as usize] |= CODE;
        at += 1;
    }
    kinds[b'\\' as usize] |= ESCAPE;
    kinds[b'[' as usize] |= ESCAPE;
    kinds[b':' as usize] |= DIVIDER;
    kinds[b'\n' as usize] |= DIVIDER;
    // How signs of full width begin.
    kinds[0xef] |= DIVIDER;
    kinds
};

impl Signs {
    pub(super) fn of(text: &str) -> Self {
        let [first, rest @ ..] = text.as_bytes() else { return Self(0) };
        let seen = rest.iter().fold(0, |seen, byte| seen | KINDS[*byte as usize]);
        Self(seen | (KINDS[*first as usize] & !UPPER))
    }

    /// Whether there is a capital letter of ASCII behind the first sign.
    pub(super) fn has_upper(self) -> bool {
        self.0 & UPPER != 0
    }

    /// Whether there is a backslash or an opening bracket.
    pub(super) fn has_escape(self) -> bool {
        self.0 & ESCAPE != 0
    }

    /// Whether there is a colon or the end of a line; maybe another sign of full width.
    pub(super) fn has_divider(self) -> bool {
        self.0 & DIVIDER != 0
    }

    /// Whether there is a sign that code is written with.
    pub(super) fn has_code(self) -> bool {
        self.0 & CODE != 0
    }
}

#[cfg(test)]
mod tests {
    use super::Signs;

    #[test]
    fn each_kind_is_seen_wherever_it_stands() {
        let kinds = |text: &str| {
            let signs = Signs::of(text);
            [signs.has_upper(), signs.has_escape(), signs.has_divider(), signs.has_code()]
        };
        assert_eq!(kinds(""), [false; 4]);
        assert_eq!(kinds("What is it?"), [false; 4]);
        assert_eq!(kinds("what is IT?"), [true, false, false, false]);
        assert_eq!(kinds("[a"), [false, true, false, true]);
        assert_eq!(kinds(r"\d"), [false, true, false, true]);
        assert_eq!(kinds("a: b"), [false, false, true, false]);
        assert_eq!(kinds("a\nb"), [false, false, true, false]);
        assert_eq!(kinds("问\u{ff1a}b"), [false, false, true, false]);
        assert_eq!(kinds("a && b"), [false, false, false, true]);
    }
}
