//! Texts that show how large the numbers inside an encoder get.
//!
//! Made for this purpose, of the kind that services see: questions, requests, statements, some with names, numbers and code.
//! Some are very short: in these the numbers that are always large are larger than elsewhere.
//!
//! Without texts of one or two words among them "Ok" and "?" had a cosine of .9878 with f32, the least of 12,000; with
//! them the least is .9934.

pub(super) const TEXTS: [&str; 22] = [
    "How do I reset my password if I no longer have access to my email?",
    "What is the difference between a checking and a savings account?",
    "why is my card declined abroad",
    "Please cancel order 48213 and send the money back to my card.",
    "Can you translate \"good morning, how are you\" into Spanish?",
    "The app crashes whenever I open the settings page on Android 14.",
    "Who was the first person to reach the South Pole, and when?",
    "how many calories does a banana have",
    "Should I invest 10,000 dollars in stocks or pay off my mortgage first?",
    "My flight from London to New York was delayed by five hours: can I claim compensation?",
    "error: cannot borrow `x` as mutable because it is also borrowed as immutable",
    "turn off the lights in the kitchen",
    "Explain quantum entanglement to a ten-year-old.",
    "Is there a cure for the common cold?",
    "yes",
    "No!",
    "hello",
    "thanks.",
    "12",
    "why?",
    "!",
    "the cat",
];
