use proptest::prelude::*;

use super::*;

fn seed() -> Router {
    Router::new(Table::default()).unwrap()
}

fn refused(change: impl FnOnce(&mut Table)) -> String {
    let mut table = Table::default();
    change(&mut table);
    Router::new(table).map(drop).unwrap_err().to_string()
}

#[test]
fn one_prompt_for_each_tier() {
    let long = format!("{} and so on", "all of it ".repeat(50));
    let prompts = [
        ("What is the capital of France?", "gpt-4o-mini", "simple", 0),
        ("Boil the water, then add the pasta.", "gpt-4o", "medium", 300),
        ("First write code for an interest rate swap, then test it.", "claude-sonnet-4", "complex", 700),
        (&format!("First implement the theorem somehow. {long}"), "claude-opus-4", "specialized", 1000),
    ];
    for (prompt, model, tier, score) in prompts {
        let decision = seed().route(&[prompt], 0);
        assert_eq!((decision.model.as_str(), decision.tier.as_str(), decision.score), (model, tier, score), "{prompt}");
    }
}

#[test]
fn a_reason_names_numbers_and_words() {
    let decision = seed().route(&["First implement it, then rest"], 0);
    assert_eq!(decision.reason, "score 0.5 is below 0.6: steps 0.3 (first, then) + code 0.2 (implement)");
    assert_eq!(seed().route(&["Hello"], 0).reason, "score 0 is below 0.3: no signal fired");
    let decision = seed().route(&[&"legal medical clinical financial quantum theorem genome ".repeat(8)], 0);
    let words = "legal, medical, clinical, financial, quantum, 2 more";
    assert_eq!(decision.reason, format!("score 0.3 is below 0.6: length 0.1 (112 tokens) + domain 0.2 ({words})"));
}

#[test]
fn length_counts_from_the_first_byte_over_a_hundred_tokens() {
    assert_eq!(seed().route(&[&"x".repeat(400)], 0).score, 0);
    let decision = seed().route(&[&"x".repeat(401)], 0);
    assert_eq!((decision.score, decision.signals[0].tokens), (100, Some(101)));
    assert_eq!(seed().route(&[&"x".repeat(200), &"x".repeat(201)], 0).score, 100, "texts count together");
    assert_eq!(seed().route(&["x"], 99).score, 0);
    assert_eq!(seed().route(&["x"], 100).signals[0].tokens, Some(101), "and what is only counted");
    assert_eq!(seed().route(&["x"], u64::MAX).signals[0].tokens, Some(u64::MAX));
}

#[test]
fn no_phrase_reaches_from_one_text_into_the_next() {
    assert_eq!(seed().route(&["write", "code"], 0).score, 0);
    assert_eq!(seed().route(&["write code", ""], 0).score, 200);
}

#[test]
fn the_first_exception_of_the_table_wins_over_the_score() {
    let exception = |phrase: &str, tier: &str| Exception { phrase: phrase.into(), tier: tier.into() };
    let exceptions = vec![exception("legal hold", "specialized"), exception("weather", "simple")];
    let router = Router::new(Table { exceptions, ..Table::default() }).unwrap();
    let decision = router.route(&["The weather, then a Legal Hold"], 0);
    assert_eq!((decision.tier.as_str(), decision.score), ("specialized", 500));
    assert_eq!(decision.reason, "exception 'legal hold' decides for specialized; score 0.5 alone says medium");
    assert_eq!(router.route(&["then the weather"], 0).model, "gpt-4o-mini");
}

#[test]
fn what_is_wrong_with_a_table_is_said_with_the_number() {
    assert_eq!(refused(|table| table.tiers.clear()), "a router needs at least 1 tier, got 0");
    assert_eq!(
        refused(|table| table.tiers[1].below = Some(300)),
        "upper bound of tier 'medium' must be above 0.3, got 0.3"
    );
    assert_eq!(refused(|table| table.tiers[0].below = Some(0)), "upper bound of tier 'simple' must be above 0, got 0");
    assert_eq!(refused(|table| table.tiers[1].below = None), "tier 'medium' needs an upper bound: it is not the last");
    let last = "the last tier 'specialized' must have no upper bound, got 0.9";
    assert_eq!(refused(|table| table.tiers[3].below = Some(900)), last);
    assert_eq!(refused(|table| table.tiers[1].name = "simple".into()), "two tiers are called 'simple'");
    assert_eq!(refused(|table| table.tiers[2].model.clear()), "tier 'complex' has no model");
    assert_eq!(refused(|table| table.rules[1].name.clear()), "rule 2 has no name");
    assert_eq!(refused(|table| table.rules[1].weight = 1001), "weight of rule 'steps' must be from 0 to 1, got 1.001");
    let zero = "min_tokens of rule 'length' must be at least 1, got 0";
    assert_eq!(refused(|table| table.rules[0].signal = Signal::MinTokens(0)), zero);
    let none = "rule 'length' needs at least 1 word, got 0";
    assert_eq!(refused(|table| table.rules[0].signal = Signal::Words(Vec::new())), none);
    let sign = "rule 'steps': phrase '!' holds no word";
    assert_eq!(refused(|table| table.rules[1].signal = Signal::Words(vec!["!".into()])), sign);
    let lost = Exception { phrase: "x".into(), tier: "best".into() };
    let message = "exception 'x' leads to tier 'best'; the tiers are simple, medium, complex, specialized";
    assert_eq!(refused(|table| table.exceptions.push(lost)), message);
}

#[test]
fn the_generation_tells_tables_apart() {
    assert_eq!(seed().generation(), seed().generation());
    assert_eq!(seed().generation().len(), 32);
    let changes: [fn(&mut Table); 5] = [
        |table| table.tiers[0].model = "other".into(),
        |table| table.tiers[0].below = Some(299),
        |table| table.rules[1].weight = 299,
        |table| table.rules[0].signal = Signal::MinTokens(102),
        |table| table.exceptions.push(Exception { phrase: "x".into(), tier: "simple".into() }),
    ];
    for change in changes {
        let mut table = Table::default();
        change(&mut table);
        assert_ne!(Router::new(table).unwrap().generation(), seed().generation());
    }
}

proptest! {
    #[test]
    fn the_score_is_the_sum_of_what_fired_and_lies_in_its_tier(
        words in prop::collection::vec("then|implement|law|maybe|strengthen|[a-z]{1,9}|write code|not sure", 0..40),
    ) {
        let decision = seed().route(&[&words.join(" ")], 0);
        prop_assert_eq!(decision.score, decision.signals.iter().map(|signal| signal.weight).sum::<u32>());
        let table = Table::default();
        let tier = table.tier_named(&decision.tier).unwrap();
        prop_assert!(table.tiers[tier].below.is_none_or(|below| decision.score < below));
        prop_assert!(tier == 0 || table.tiers[tier - 1].below.is_some_and(|floor| decision.score >= floor));
    }
}
