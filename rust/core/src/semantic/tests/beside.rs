//! What stands beside the question: greetings, names, thanks, sentences about oneself, marks of lists, quotation marks.

use super::super::{Reading, Rule, veto};
use super::{alike, apart, vetoed};

/// The question in one text, the other question in the other, with something beside one or both of them.
fn beside(front: &str, back: &str) {
    for (a, b) in [
        ("Is my parcel insured?", "Why is my parcel insured?"),
        ("How do I rent a boat?", "How do I sell a boat?"),
        ("Can my tenant sue me?", "Can I sue my tenant?"),
        ("What is my deductible?", "What is your deductible?"),
        ("Does the warranty cover the screen?", "Does the warranty cover the battery?"),
    ] {
        let with = |text: &str| Reading::new(&format!("{front}{text}{back}"));
        assert!(veto(&with(a), &with(b)).is_some(), "both: {front}{a}{back} | {b}");
        assert!(veto(&with(a), &Reading::new(b)).is_some(), "one: {front}{a}{back} | {b}");
        assert!(veto(&Reading::new(a), &with(b)).is_some(), "other: {a} | {front}{b}{back}");
        assert!(veto(&with(a), &Reading::new(a)).is_none(), "same: {front}{a}{back}");
    }
}

#[test]
fn courtesies_hide_no_difference() {
    beside("Hi, ", "");
    beside("Hi! ", "");
    beside("Hello Maria, ", "");
    beside("Q: ", "");
    beside("- ", "");
    beside("1. ", "");
    beside("", " Thanks in advance!");
    beside("", " Thanks,\nPeter");
    beside("", " Best regards, Maria");
    beside("By the way, ", "");
    beside("\u{1f44b} ", "");
}

#[test]
fn sentences_about_oneself_hide_no_difference() {
    for (front, back) in [("I am new to this. ", ""), ("", " I am a bit worried."), ("We just moved in. ", "")] {
        for (a, b) in [
            ("How do I rent a boat?", "How do I sell a boat?"),
            ("Can my tenant sue me?", "Can I sue my tenant?"),
            ("Is a hamster smarter than a parrot?", "Is a parrot smarter than a hamster?"),
        ] {
            vetoed(&[(&format!("{front}{a}{back}"), b)]);
            vetoed(&[(&format!("{front}{a}{back}"), &format!("{front}{b}{back}"))]);
        }
    }
    // What one question says, the other text says elsewhere; and a second question says more of what is asked.
    alike(&[
        ("I lost my purse. How do I get it back?", "How do I get my lost purse back?"),
        ("Does the vaccine hurt? If so, why?", "Why does the vaccine hurt?"),
    ]);
}

#[test]
fn a_time_in_a_clause_of_its_own_is_no_courtesy() {
    vetoed(&[
        ("When does the spa open, in the morning?", "When does the spa open, in the evening?"),
        ("In the morning, may I take it?", "In the evening, may I take it?"),
        ("Who is the better assistant: Siri or Google?", "Who is the better assistant: Siri or Alexa?"),
        ("What does it cost (per day)?", "What does it cost (per week)?"),
        ("Is the rink open on Fridays (afternoon)?", "Is the rink open on Fridays (morning)?"),
    ]);
    alike(&[("Good morning, is the rink open?", "Is the rink open? Have a nice day!")]);
}

#[test]
fn sides_that_are_read_as_fillers() {
    apart(
        Rule::Antonym,
        &[
            ("Why does my left ear ring?", "Why does my right ear ring?"),
            ("How do I delete the odd rows?", "How do I delete the even rows?"),
        ],
    );
    alike(&[("Is it safe to swim, right?", "Is it safe to swim?")]);
}

#[test]
fn apostrophes_of_all_kinds() {
    for sign in ["\u{b4}", "`", "\u{2bc}", "\u{2019}"] {
        let short = format!("Why can{sign}t I pay?");
        vetoed(&[(&short, "Why can I pay?")]);
        alike(&[(&short, "Why can't I pay?"), (&short, "Why can not I pay?")]);
    }
}

#[test]
fn one_text_in_several_forms() {
    alike(&[
        ("\"When does the late train leave?\"", "When does the late train leave?"),
        ("It is safe, no?", "It is safe?"),
        ("a table for two? Thanks.", "a table for 2?"),
        ("NO. 5 is late", "no. 5 is late"),
        ("Where do buses stop?", "Where does the bus stop?"),
        ("WHEN DOES THE TRAIN LEAVE?", "When does the train leave?"),
        ("meet me at half past 8", "meet me at 8:30"),
        ("is it neither safe nor legal", "is it not safe and not legal, neither of them"),
    ]);
    vetoed(&[
        ("meet me at half past six", "meet me at six"),
        ("meet me at quarter to 6", "meet me at 6"),
        ("Is it safe and legal to dive?", "Is it neither safe nor legal to dive?"),
        ("rooms w/o breakfast", "rooms with breakfast"),
        ("no entry fee", "entry fee"),
        ("In Oslo, when does the fair open?", "In Oslo, where does the fair open?"),
        ("where is gate a12", "where is gate b12"),
    ]);
    // An hour that no clock has.
    assert!(veto(&Reading::new("100000000 o'clock"), &Reading::new("5 o'clock")).is_some());
}
