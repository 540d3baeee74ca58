//! Numbers, units, dates and identifiers.

use super::super::Rule;
use super::{alike, apart, vetoed};

#[test]
fn numbers_are_compared_by_value() {
    apart(
        Rule::Number,
        &[
            ("Is 15 enough?", "Is 30 enough?"),
            ("What is loan 5567 worth?", "What is loan 5576 worth?"),
            ("Show branch #0471", "Show branch #0472"),
            ("the tax in 2023", "the tax in 2024"),
            ("two tickets please", "three tickets please"),
            ("I paid 1,000 euros", "I paid 10,000 euros"),
            ("does python 3.10 have it", "does python 3.1 have it"),
            ("call 555-123-4567", "call 555-123-4568"),
            ("is it 5 degrees", "is it -5 degrees"),
            ("wake me at 5pm", "wake me at 5am"),
            ("a table on March 5", "a table on March 6"),
            ("a table on 3/5/2024", "a table on 5/3/2024"),
            ("How do I get a card?", "How do I get a card for 2?"),
        ],
    );
    alike(&[
        ("two tickets", "2 tickets"),
        ("a pass for a week", "a pass for 7 days"),
        ("does it take an hour", "does it take 60 minutes"),
        ("is a fever of 38 degrees dangerous", "is a fever of 38 °C dangerous"),
        ("a site with 6k+ readers", "a site with 6k readers"),
        ("twenty-one days", "21 days"),
        ("two hundred and five seats", "205 seats"),
        ("I paid 1,000 euros", "I paid 1000 euros"),
        ("it costs $5", "it costs 5 dollars"),
        ("it costs 5 USD", "it costs $5.00"),
        ("50% of it", "50 percent of it"),
        ("wake me at 5pm", "wake me at 17:00"),
        ("wake me at 5 p.m.", "wake me at 5:00 pm"),
        ("wait one hour", "wait 60 minutes"),
        ("a year has 12 months", "a year has twelve months"),
        ("a table on March 5th", "a table on 5 March"),
        ("a table on 2024-03-05", "a table on March 5, 2024"),
        ("a table on 3/5/2024", "a table on 5 March 2024"),
        ("call 555-123-4567", "call (555) 123-4567"),
        ("the limit of a 401(k)", "the limit of a 401k"),
        ("it takes 5 million", "it takes 5,000,000"),
    ]);
}

#[test]
fn what_a_number_bounds() {
    apart(
        Rule::Number,
        &[
            ("a cabin for exactly three guests", "a cabin for at least three guests"),
            ("a cabin for exactly three guests", "a cabin for at most three guests"),
            ("Can I send 300 dollars?", "Can I send more than 300 dollars?"),
            ("Can I send up to 300 dollars?", "Can I send 300 dollars or more?"),
            ("Can I send no more than 300 dollars?", "Can I send no less than 300 dollars?"),
            ("trains that take longer than 2 hours", "trains that take 2 hours"),
            ("is it free under 12", "is it free for 12 and over"),
        ],
    );
    alike(&[
        ("a cabin for exactly three guests", "a cabin for three guests"),
        ("a cabin for at least three guests", "a cabin for three or more guests"),
        ("a cabin for three guests or more", "a cabin for no fewer than three guests"),
        ("Can I send no more than 300 dollars?", "Can I send at most 300 dollars?"),
        // Budgets: what costs about so much.
        ("the best phone under 300 dollars", "the best phone for about 300 dollars"),
    ]);
}

#[test]
fn units_in_each_others_place() {
    apart(
        Rule::Unit,
        &[
            ("My bill says 30 USD, my bank 30 EUR", "My bill says 30 EUR, my bank 30 USD"),
            ("I ordered 5 kg and got 5 lb", "I ordered 5 lb and got 5 kg"),
        ],
    );
    alike(&[("a 2 m by 2 ft plank", "a plank of 2 m by 2 feet")]);
}

#[test]
fn how_long_a_list_is_to_be_is_no_number_of_the_question() {
    alike(&[
        ("What are the top 5 museums in Oslo?", "What are the best museums in Oslo?"),
        ("What are the five types of clouds?", "What are the types of clouds?"),
        ("Give me 3 reasons to learn Rust", "Give me reasons to learn Rust"),
        ("the ten cheapest hotels in Oslo", "the cheapest hotels in Oslo"),
        ("top 5 museums in Oslo", "five best museums in Oslo"),
    ]);
    apart(
        Rule::Number,
        &[
            ("What are the top 5 museums in Oslo?", "What are the top 10 museums in Oslo?"),
            ("Do I need 2 types of photos?", "Do I need types of photos?"),
            ("Can I bring 2 bags?", "Can I bring bags?"),
            ("What are the best hotels for 5?", "What are the best hotels?"),
            ("Show the top 500 companies", "Show the companies"),
        ],
    );
}

#[test]
fn one_of_a_unit_is_the_unit() {
    alike(&[
        ("Can I learn to swim in a week?", "Can I learn to swim in one week?"),
        ("How far is a mile in metres?", "How far is 1 mile in metres?"),
    ]);
    apart(
        Rule::Number,
        &[
            ("What did I spend last month?", "What did I spend 1 month?"),
            ("Can I learn to swim in a week?", "Can I learn to swim in 2 weeks?"),
            ("Can I learn to swim in a week?", "Can I learn to swim in one hour?"),
        ],
    );
}

#[test]
fn units_of_one_kind_are_told_apart() {
    apart(
        Rule::Unit,
        &[
            ("Can I take 500 mg of aspirin?", "Can I take 500 g of aspirin?"),
            ("a timer for 30 minutes", "a timer for 30 seconds"),
            ("a warranty of 2 months", "a warranty of 2 years"),
            ("5 km on foot", "5 m on foot"),
            ("send 100 USD and get 90 EUR", "send 100 EUR and get 90 USD"),
            ("parcels of 10 kg and 5 lb", "parcels of 5 kg and 10 lb"),
            ("Wie lange dauern 30 Minuten?", "Wie lange dauern 30 Sekunden?"),
        ],
    );
    alike(&[
        ("it weighs 5 lb", "it weighs 5 pounds"),
        ("it costs 5 pounds", "it costs £5"),
        ("a timer for 90 seconds", "a timer for 1.5 minutes"),
        ("it weighs 500 g", "it weighs 500 grams"),
        ("is 5 enough", "is 5 km enough"),
        ("between 5 and 10 kg", "between 5 kg and 10 kg"),
    ]);
    vetoed(&[("between 5 and 10 kg", "between 5 mg and 10 kg and 5 g")]);
}

#[test]
fn digits_in_other_groups_are_one_number_where_nothing_else_divides_them() {
    alike(&[
        ("call 555 123 4567", "call 5551234567"),
        ("call 555.123.4567", "call 555-123-4567"),
        ("card 4556 1234 5678 9012", "card 4556123456789012"),
    ]);
    apart(
        Rule::Number,
        &[
            ("ping 192.168.1.11", "ping 192.168.11.1"),
            ("a price of $12,345.67", "a price of $1,234,567"),
            ("the rate on 2024-12-01", "the rate on 2024-01-21"),
            ("on January 11, 2024", "on November 1, 2024"),
            ("release 10.0.19041", "release 100.1.9041"),
            ("is it -1234567", "is it 1234567"),
        ],
    );
}

#[test]
fn numbers_belong_to_what_they_count() {
    vetoed(&[("a room for two adults and three children", "a room for three adults and two children")]);
    alike(&[("a room for two adults and three children", "a room for three children and two adults")]);
}

#[test]
fn numbers_in_other_writings() {
    alike(&[
        ("Can I bring one bag?", "Can I bring 1 bag?"),
        ("Who was the 1st president?", "Who was the first president?"),
        ("When did World War 2 end?", "When did World War II end?"),
        ("Who ruled in the 16th century?", "Who ruled in the sixteenth century?"),
        ("Is half an hour enough?", "Are 30 minutes enough?"),
        ("Where is order no. 48213?", "Where is order 48213?"),
    ]);
    vetoed(&[
        ("Who was the 1st president?", "Who was the second president?"),
        ("When did World War 1 end?", "When did World War II end?"),
        ("Can I bring one bag?", "Can I bring 2 bags?"),
        ("Who won the 2nd of 3 rounds?", "Who won the third of 2 rounds?"),
        ("Is it not 5?", "Is it 5?"),
        ("Is half an hour enough?", "Is an hour enough?"),
        ("Can I take 5 teaspoons?", "Can I take 5 tablespoons?"),
    ]);
}

#[test]
fn the_same_number_of_something_else() {
    apart(Rule::Unit, &[("it costs $5", "it costs 5 euros"), ("wait 30 months", "wait 30 seconds")]);
    alike(&[("it costs 5", "it costs $5")]);
}

#[test]
fn a_letter_belongs_to_its_identifier() {
    vetoed(&[
        ("the balance of account 9876-7846", "the balance of account 9876-7846C"),
        ("the parcels of zip 86345", "the parcels of zip 86345K"),
        ("where is ISBN 978-6-19-738766-6", "where is ISBN 978-6-19-738766-6A"),
        ("the state of part 95V-72", "the state of part 95V-72C"),
    ]);
    alike(&[("a race of 1500m", "a race of 1500 m"), ("is 72F warm", "is 72 fahrenheit warm")]);
}
