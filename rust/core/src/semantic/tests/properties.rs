//! What holds for all texts.

use proptest::prelude::*;

use super::super::{Reading, Rule, Veto, guard_words, veto};

/// Words of every kind: listed, unlisted, numbers, code, other scripts, punctuation.
fn word() -> impl Strategy<Value = String> {
    let listed = guard_words();
    prop_oneof![
        4 => proptest::sample::select(listed).prop_map(str::to_owned),
        4 => "[a-z]{1,9}",
        2 => "[A-Z][a-z]{2,8}",
        1 => "[0-9]{1,6}",
        1 => "[$€]?[0-9]{1,3}([.,:/-][0-9]{1,3}){0,3}(am|pm|km|%|th|k)?",
        1 => "[A-Z]{1,3}-?[0-9]{1,4}[A-Z]?",
        1 => "\\PC{1,6}",
        1 => proptest::sample::select(vec!["?", ",", ".", "\"", "`", "(", ")", "-", "'s", "n't", "https://a.b/c", "x_y"])
            .prop_map(str::to_owned),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::collection::vec(word(), 0..24).prop_map(|words| words.join(" ")),
        "\\PC{0,80}",
        any::<String>()
    ]
}

/// A question of plain unlisted words, in which every word counts.
fn plain_words() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec("[bcdfgklmprt]{2}[aeou][bdfklmprt]{3}a[bdklmp]", 3..9)
}

fn found(a: &str, b: &str) -> Option<Rule> {
    veto(&Reading::new(a), &Reading::new(b)).map(|veto| veto.rule)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_text_panics_and_the_verdict_is_symmetric(a in text(), b in text()) {
        let (x, y) = (Reading::new(&a), Reading::new(&b));
        let (there, back) = (veto(&x, &y), veto(&y, &x));
        prop_assert_eq!(there.as_ref().map(|veto| veto.rule), back.as_ref().map(|veto| veto.rule));
        prop_assert_eq!(there.map(Veto::turned), back);
    }

    #[test]
    fn a_text_that_is_nearly_the_other_one_is_judged_alike_from_both_sides(
        words in proptest::collection::vec(word(), 2..16), at in any::<prop::sample::Index>(), other in word(),
    ) {
        let mut changed = words.clone();
        let at = at.index(changed.len());
        changed[at] = other;
        let (a, b) = (words.join(" "), changed.join(" "));
        prop_assert_eq!(found(&a, &b), found(&b, &a));
    }

    #[test]
    fn no_text_is_vetoed_against_itself(a in text()) {
        prop_assert_eq!(found(&a, &a), None);
    }

    #[test]
    fn harmless_edits_do_not_veto(
        words in plain_words(),
        before in proptest::sample::select(vec!["", "Hey there, ", "Please ", "hi! ", "Could you tell me ", "Good morning, "]),
        behind in proptest::sample::select(vec!["", "?", "!!", ", please", ", if you don't mind", ". Thanks a lot!", ", thank you"]),
        upper in any::<bool>(),
    ) {
        let plain = format!("is {}", words.join(" "));
        let body = if upper { plain.to_uppercase() } else { plain.clone() };
        prop_assert_eq!(found(&plain, &format!("{before}{body}{behind}")), None);
    }

    #[test]
    fn white_space_does_not_count(words in proptest::collection::vec(word(), 0..12), space in "[ \t\n]{1,3}") {
        prop_assert_eq!(found(&words.join(" "), &words.join(&space)), None);
    }

    #[test]
    fn another_number_always_vetoes(words in plain_words(), at in any::<prop::sample::Index>(), a in 2_u32..100_000, b in 2_u32..100_000) {
        prop_assume!(a != b);
        let with = |number: u32| {
            let mut words = words.clone();
            words.insert(at.index(words.len()), number.to_string());
            words.join(" ")
        };
        prop_assert_eq!(found(&with(a), &with(b)), Some(Rule::Number));
        prop_assert_eq!(found(&with(a), &with(a).to_uppercase()), None);
    }

    #[test]
    fn another_word_in_the_same_place_always_vetoes(words in plain_words(), at in any::<prop::sample::Index>(), other in "[wxz]{2}i[vwz]{3}o[nst]") {
        let mut changed = words.clone();
        let at = at.index(words.len());
        changed[at] = other;
        prop_assert!(found(&words.join(" "), &changed.join(" ")).is_some());
    }

    #[test]
    fn a_negator_always_vetoes(words in plain_words(), negator in proptest::sample::select(vec!["not", "never", "without", "no"])) {
        let (first, rest) = (&words[0], words[1..].join(" "));
        prop_assert_eq!(found(&format!("is {first} {rest}"), &format!("is {first} {negator} {rest}")), Some(Rule::Negation));
    }
}

/// Texts that would take minutes if any step looked at all words for each word.
#[test]
fn hostile_texts_take_linear_time() {
    const BYTES: usize = 1 << 18;
    let parts = [
        "a",
        "\"",
        "`x",
        "(",
        "1",
        "1-",
        "1,",
        "1.",
        "a1",
        "1a ",
        "a ",
        "hundred ",
        "two ",
        "please ",
        "not ",
        "he ",
        "from a ",
        "to ",
        "by ",
        "what is the best way to ",
        "how do ",
        "hot ",
        "cold ",
        "is ",
        "please, ",
        "x, ",
        "x. ",
        "é",
        "e\u{301}",
        "\u{301}",
        "中",
        "$",
        "%",
        "$5 ",
        "march 5 ",
        "a@b.c ",
        "x_y ",
        "don't ",
        "'",
        ".",
        "is it a by b? ",
        "\\d",
        "[a-b]",
        "aBcDeF1 ",
        "MW ",
        "é ",
        "context: ",
        "translate this: ",
        "is this correct? ",
        "&& ",
        "I me do ",
        "and a ",
        "card0 ",
        "sue me ",
        "i sue ",
        "1 km ",
        "or not ",
        "the top 5 ",
        "no. 5 ",
        "stop going ",
    ];
    for part in parts {
        let long = Reading::new(&part.repeat(BYTES / part.len()));
        let other = Reading::new(&format!("{} pleae", part.repeat(BYTES / part.len() - 1)));
        assert_eq!(veto(&long, &long), None);
        assert_eq!(veto(&long, &other).map(|veto| veto.rule), veto(&other, &long).map(|veto| veto.rule), "{part}");
    }
    let numbered =
        |seed: usize| (0..BYTES / 8).map(|i| format!("w{}x", i * seed % 99_991)).collect::<Vec<_>>().join(" ");
    let counted = |unit: &str| (1..BYTES / 8).map(|i| format!("{i} {unit}")).collect::<Vec<_>>().join(" ");
    let names = [numbered(7), numbered(11)];
    let counts = [counted("km"), counted("kg")];
    let words = ["1 km ".repeat(BYTES / 5), "a mile ".repeat(BYTES / 7)];
    for [a, b] in [names, counts, words] {
        let (a, b) = (Reading::new(&a), Reading::new(&b));
        assert_eq!(veto(&a, &b).map(|veto| veto.rule), veto(&b, &a).map(|veto| veto.rule));
    }
}
