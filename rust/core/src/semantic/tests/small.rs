//! Small differences that count: a letter between frequent words, a small word in texts that agree otherwise.

use super::super::Rule;
use super::{alike, apart, vetoed};

#[test]
fn frequent_words_are_no_slips_of_each_other() {
    vetoed(&[
        ("How old is Maria?", "How old is Mario?"),
        ("what is the largest county in texas", "what is the largest country in texas"),
        ("How do I make tomato paste?", "How do I make tomato pasta?"),
        ("How do I make a dessert?", "How do I make a desert?"),
        ("what did plato write", "what did pluto write"),
        ("what is the capital of slovakia", "what is the capital of slovenia"),
        ("is prednisone safe", "is prednisolone safe"),
        ("who is a prefect", "who is a perfect"),
        ("what is ethane used for", "what is ethene used for"),
        ("How do I clean a filing cabinet?", "How do I clean a filling cabinet?"),
    ]);
    alike(&[
        ("what is the capital of slovakia", "what is the capital of slovackia"),
        ("What is the colour of my theatre ticket?", "What is the color of my theater ticket?"),
        ("Who will organise the defence?", "Who will organize the defense?"),
        ("Is Hillary in the office?", "Is Hilary in the office?"),
        ("How does it affect my neighbour?", "How does it effect my neighbor?"),
    ]);
    vetoed(&[
        ("Can hail damage a plane?", "Can hail damage a plant?"),
        ("is sodium chloride poisonous", "is sodium chlorite poisonous"),
        ("what is the boiling point of ethanol", "what is the boiling point of methanol"),
    ]);
}

#[test]
fn small_words_in_texts_that_agree_otherwise() {
    apart(
        Rule::Quantifier,
        &[
            ("Do all cards work abroad?", "Do some cards work abroad?"),
            ("Is every seat taken?", "Is any seat taken?"),
            ("Do most plans include calls?", "Do all plans include calls?"),
            ("Does everyone pay?", "Does anyone pay?"),
            ("How do I close some of my accounts?", "How do I close all of my accounts?"),
        ],
    );
    apart(
        Rule::Modality,
        &[
            ("Who was the head of the bank?", "Who is the head of the bank?"),
            ("Was the road closed?", "Is the road closed?"),
            ("Did I qualify?", "Do I qualify?"),
            ("When did the shop open?", "When does the shop open?"),
            ("What can I wear?", "What should I wear?"),
        ],
    );
    apart(
        Rule::Pronoun,
        &[("What is my limit?", "What is your limit?"), ("What are our hours?", "What are their hours?")],
    );
    apart(
        Rule::QuestionType,
        &[
            ("Why is my card blocked?", "Is my card blocked?"),
            ("Does the bank make money?", "How does the bank make money?"),
            ("What do I pay?", "When do I pay?"),
            ("Can the sofa be delivered?", "When can the sofa be delivered?"),
            ("Tell me whether a heat pump works.", "Tell me how a heat pump works."),
            ("Does vitamin D help?", "How much vitamin D helps?"),
            ("How many people were hired?", "Which people were hired?"),
        ],
    );
    apart(
        Rule::Modifier,
        &[
            ("Is aspirin safe?", "Is aspirin safe for children?"),
            ("Can I park here?", "Can I park here at night?"),
            ("Can I vote?", "Can I vote by mail?"),
            ("How do I stay awake?", "How do I stay awake during a lecture?"),
        ],
    );
    apart(Rule::Antonym, &[("Is it always free?", "Is it sometimes free?")]);
    alike(&[
        ("Do some cards work abroad?", "Do any cards work abroad?"),
        ("What are some good books?", "What are all the good books?"),
        ("Which are the best songs of all time?", "What are some of the best songs?"),
        ("What was the Peace of Lodi?", "What is the Peace of Lodi?"),
        ("How do I train my dog?", "How do you train your dog?"),
        ("How to improve my English?", "How to improve your English?"),
        ("Who was Cleopatra?", "Who is Cleopatra?"),
        ("Who was the first man on the moon?", "Who is the first man on the moon?"),
        ("Can anyone vote?", "Can everyone vote?"),
        ("Can I buy a ticket online?", "Where can I buy a ticket online?"),
        ("When is the deadline?", "What is the deadline?"),
        ("Is Java hard to learn?", "How hard is it to learn Java?"),
        ("Is aspirin safe?", "Is aspirin safe for me?"),
        ("How do I cook rice?", "How do I cook rice at home?"),
        ("When my lease ends, what happens?", "What happens when my lease ends?"),
        ("Which shops are there in the station?", "What shops are there in the station?"),
        ("What is the fee?", "How much is the fee?"),
        ("Can I open an account online?", "How do I open an account online?"),
        ("Are there shops in the station?", "What shops are there in the station?"),
        ("What is the best time to call?", "When is the best time to call?"),
        ("What should I do if my tooth aches?", "What can I do if my tooth aches?"),
    ]);
}
