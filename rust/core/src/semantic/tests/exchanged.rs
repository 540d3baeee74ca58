//! The same words in other roles, and what is left out or put in around them.

use super::super::Rule;
use super::{alike, apart, vetoed};

#[test]
fn phrases_in_each_others_place() {
    apart(
        Rule::Order,
        &[
            ("Can stress cause hair loss?", "Can hair loss cause stress?"),
            ("How do I stop my dog from barking at other dogs?", "How do I stop other dogs from barking at my dog?"),
            (
                "How can I delete my account but keep my purchase history?",
                "How can I delete my purchase history but keep my account?",
            ),
            (
                "Run it on weekdays but not on Saturday and Sunday.",
                "Run it on Saturday and Sunday but not on weekdays.",
            ),
            ("Can a teacher report a parent to child services?", "Can a parent report a teacher to the school board?"),
            ("Are all squares rectangles?", "Are all rectangles squares?"),
            (
                "Is it louder upstairs or is it colder above than below?",
                "Is it louder upstairs or is it colder below than above?",
            ),
            ("Do I turn it off before I turn it on?", "Do I turn it on before I turn it off?"),
            // A neighbour is one of two, but here nobody is anybody's.
            ("My son hit my neighbour. Who pays?", "My neighbour hit my son. Who pays?"),
        ],
    );
    alike(&[
        ("Is it safe to mix bleach and vinegar?", "Is it safe to mix vinegar and bleach?"),
        ("Does aspirin interact with ibuprofen?", "Does ibuprofen interact with aspirin?"),
        ("When did Sherlock meet Watson?", "When did Watson meet Sherlock?"),
        ("Is Peru a neighbour of Chile?", "Is Chile a neighbour of Peru?"),
        ("Is it cheaper to go by boat or by plane?", "Is it cheaper to go by plane or by boat?"),
        ("Should I call before or after?", "Should I call after or before?"),
        ("Who do teachers think is the best poet?", "Who is the best poet according to teachers?"),
        ("In Python, how do I sort a list?", "How do I sort a list in Python?"),
        ("If I lose my card, what should I do?", "What should I do if I lose my card?"),
    ]);
}

#[test]
fn who_does_it_and_to_whom() {
    apart(
        Rule::Order,
        &[
            ("What do foxes hunt?", "What hunts foxes?"),
            ("What causes high blood pressure?", "What does high blood pressure cause?"),
            (
                "Can my employer refuse to give me a reference?",
                "Can I refuse to give my employer a reference from a previous job?",
            ),
            (
                "When do I owe my landlord interest on late rent?",
                "When does my landlord owe me interest on the deposit?",
            ),
        ],
    );
    alike(&[
        ("What does it mean?", "What is the meaning of it?"),
        ("Who can help me find a plumber?", "How can I find a plumber who helps?"),
    ]);
}

#[test]
fn what_a_verb_does_and_what_is_done_to_it() {
    apart(
        Rule::Order,
        &[
            ("Which proteins bind p53?", "Which proteins does p53 bind?"),
            ("Which packages depend on numpy?", "Which packages does numpy depend on?"),
            ("Which companies bought Google?", "Which companies did Google buy?"),
            ("Which country invaded Poland in 1939?", "Which country did Poland invade in 1939?"),
            ("Which teams have beaten Arsenal?", "Which teams has Arsenal beaten?"),
            ("List people Tom has emailed", "List people who have emailed Tom"),
            ("List employees hired by Maria", "List employees who hired Maria"),
            ("Show payments I received from Ann", "Show payments Ann received from me"),
            ("Show invoices Acme sent to us", "Show invoices we sent to Acme"),
            ("Which invoices did I send to Acme?", "Which invoices did Acme send to me?"),
            ("How do I know if a shy guy likes me?", "How do I know if a guy I like is shy?"),
        ],
    );
    alike(&[
        ("Which proteins does p53 bind?", "Which proteins are bound by p53?"),
        ("Which insurance covers theft?", "Theft is covered by which insurance?"),
        ("List employees hired by Maria", "List employees Maria hired"),
        ("My card was declined by the shop", "The shop declined my card"),
        ("Which drugs does aspirin interact with?", "Which drugs interact with aspirin?"),
        ("Who will win the 2015 cup?", "Who will win the cup 2015?"),
        ("How are taxes calculated?", "How do they calculate taxes?"),
        ("What are some good sites for learning Python?", "What are the best learning sites for Python?"),
        ("Do women wear tight revealing clothes?", "Do women wear revealing tight clothes?"),
        ("My tap is leaking, what now?", "I have a leaking tap, what now?"),
    ]);
}

#[test]
fn what_is_left_out_or_all_that_is_left() {
    vetoed(&[
        ("How do I cancel all my scheduled payments?", "How do I cancel only my next scheduled payment?"),
        ("Which wild mushrooms are edible raw?", "Which wild mushrooms are edible only when cooked?"),
        (
            "How do I catch all exceptions except KeyboardInterrupt in Python?",
            "How do I catch only KeyboardInterrupt in Python?",
        ),
        ("Best exercises for lower back pain at home", "Best exercises for lower back pain during pregnancy"),
        (
            "Which is the most spoken language in Switzerland?",
            "Which is the least spoken national language in Switzerland?",
        ),
        (
            "Do I have to pay tax on gifts I receive from my parents?",
            "Do I have to pay tax on gifts I make to my parents?",
        ),
    ]);
}

/// Long texts that are copies of one another differ where they differ; those that are worded anew do not.
#[test]
fn copies_of_long_texts() {
    let story = "I rent a two-bedroom flat and the boiler broke down ten days ago in the middle of January. I have told the \
                 landlord twice in writing and he has not sent anyone.";
    let repair = format!("{story} Can I pay for the repair and deduct it from the rent?");
    let leave = format!("{story} Can I move out at once and end the lease?");
    vetoed(&[(repair.as_str(), leave.as_str())]);
    alike(&[(
        "My tomato plants on the balcony have curled leaves, but there are no insects to be seen and I water them every \
         evening. What could be the reason?",
        "Leaves of my balcony tomatoes are curling. No bugs visible, watered each evening. Why?",
    )]);
}

#[test]
fn opposites_by_their_prefixes() {
    apart(
        Rule::Antonym,
        &[
            ("How do I upgrade my plan?", "How do I downgrade my plan?"),
            ("Is breakfast included?", "Is breakfast excluded?"),
            ("How do I encode the file?", "How do I decode the file?"),
            ("How do I read a file in Go?", "How do I write a file in Go?"),
            ("Who won the cup in 2019?", "Who lost the cup in 2019?"),
            ("Who is the current president of France?", "Who is the first president of France?"),
        ],
    );
}

#[test]
fn all_that_one_asks_the_other_asks_too() {
    alike(&[
        ("When and why do leaves fall?", "Why do leaves fall?"),
        ("How do I get rich?", "How do I become rich?"),
        ("Is it too late to say sorry?", "Is it ever too late to apologize?"),
        ("What are the best coaching institutes in Delhi?", "What are the best coaching institutes in Delhi/NCR?"),
    ]);
    vetoed(&[
        ("Why and when did you join?", "How and when did you join?"),
        ("My bank failed to renew my card.", "My bank renewed my card."),
    ]);
}

#[test]
fn other_languages() {
    vetoed(&[
        ("¿Cómo paso fotos del iPhone al ordenador?", "¿Cómo paso fotos del ordenador al iPhone?"),
        ("Wie melde ich ein Auto an?", "Wie melde ich ein Auto ab?"),
        ("Comment créer un compte sur votre site ?", "Comment supprimer mon compte sur votre site ?"),
        (
            "Comment se faire rembourser un billet de train non échangeable ?",
            "Comment se faire rembourser un billet de train échangeable ?",
        ),
    ]);
    alike(&[("Wie sperre ich die Karte?", "Wie sperre ich meine Karte?")]);
}
