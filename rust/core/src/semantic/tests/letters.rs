//! What is the same to an encoder without case and accents, and passages of which each letter counts.

use super::super::Rule;
use super::{alike, apart};

#[test]
fn names_in_another_case() {
    apart(
        Rule::Identifier,
        &[
            ("Who owns the token aB3xZ9kQ?", "Who owns the token AB3XZ9KQ?"),
            ("Who owns video dQw4w9WgXcQ?", "Who owns video dqw4w9wgxcq?"),
            ("Decode aGVsbG8gV29ybGQ", "Decode aGVsbG8gv29ybGQ"),
            (r"What does \d match?", r"What does \D match?"),
            ("What does [a-z] match?", "What does [A-Z] match?"),
            ("How many watts are 5 mW?", "How many watts are 5 MW?"),
            ("How long do 10 Mb take?", "How long do 10 MB take?"),
            ("How many Mb are in a Gb?", "How many MB are in a GB?"),
            ("What is the molar mass of Co?", "What is the molar mass of CO?"),
        ],
    );
    alike(&[
        ("How do I use WhatsApp on my iPhone?", "how do i use whatsapp on my iphone"),
        ("Is the PlayStation5 out?", "Is the playstation5 out?"),
        ("Where is flight BA123?", "where is flight ba123"),
        ("How long do 10 MB take?", "how long do 10 mb take"),
        ("WHAT IS THE MOLAR MASS OF CO?", "What is the molar mass of Co?"),
        ("What does [a-z] match?", "What does [a-z] match, please?"),
        ("In Which City Is It?", "in which city is it"),
    ]);
}

#[test]
fn words_with_other_accents() {
    apart(
        Rule::Substitution,
        &[
            ("¿Cuántos años tienes?", "¿Cuántos anos tienes?"),
            ("Was bedeutet drücken?", "Was bedeutet drucken?"),
            ("Il a pêché hier ?", "Il a péché hier ?"),
            ("Что такое мой?", "Что такое мои?"),
            ("はしはどこですか", "ばしはどこですか"),
            ("What does resume mean?", "What does résumé mean?"),
        ],
    );
    alike(&[
        ("¿Cómo cambio mi contraseña?", "como cambio mi contraseña"),
        ("Où est le café ?", "ou est le cafe ?"),
        ("Where is the nearest café?", "Where is the nearest cafe?"),
        ("Когда придёт мой счёт?", "Когда придет мой счет?"),
        // One sign, or a letter and an accent that joins it.
        ("Was kostet Öl?", "Was kostet O\u{308}l?"),
    ]);
}

#[test]
fn passages_of_which_each_letter_counts() {
    apart(
        Rule::Literal,
        &[
            ("Proofread: We was happy", "Proofread: We were happy"),
            ("Correct this: She don't like it", "Correct this: She doesn't like it"),
            ("Translate to French: I go home", "Translate to French: I went home"),
            ("Translate to German:\nThe dog", "Translate to German:\nThe dogs"),
            ("Summarise: The board approved", "Summarise: The board approves"),
            ("Proofread: Let's eat, grandma", "Proofread: Let's eat grandma"),
            ("What does this do: print(A)", "What does this do: print(a)"),
            ("Capitalise the title: the lord of the rings", "Capitalise the title: The Lord of the Rings"),
            ("Übersetze ins Englische: Ich gehe heim", "Übersetze ins Englische: Ich ging heim"),
            ("Traduis en anglais : il a pêché", "Traduis en anglais : il a péché"),
            ("Переведи на английский: я иду домой", "Переведи на английский: я шёл домой"),
            ("Is this sentence correct? I have went home", "Is this sentence correct? I have gone home"),
            (
                "Context: The contract ended. Question: Is it valid?",
                "Context: The contract ends. Question: Is it valid?",
            ),
            (
                "Answer from the context.\n\nContext:\nFees are free.\n\nQuestion: What are fees?",
                "Answer from the context.\n\nContext:\nFees were free.\n\nQuestion: What are fees?",
            ),
        ],
    );
    alike(&[
        ("Please translate to French: I go home", "Translate to French: I go home "),
        ("Question: how do I reset my password?", "Question: how can I reset my password?"),
        ("Can you translate at 10:30?", "Could you translate at 10:30?"),
        (
            "Context: The contract ended. Question: How can I end it?",
            "Context: The contract ended. Question: How do I end it?",
        ),
        ("Is this my card? How do I lock it?", "Is this my card? How can I lock it?"),
        // No passage follows.
        ("How do I translate a page?", "How can I translate a page?"),
    ]);
}

#[test]
fn operators_of_several_signs() {
    apart(
        Rule::Identifier,
        &[
            ("What does & do in C?", "What does && do in C?"),
            ("What does / do in Python?", "What does // do in Python?"),
        ],
    );
    alike(&[("pros / cons of solar", "pros & cons of solar")]);
}
