//! Texts that show how large the numbers inside an encoder get.
//!
//! Made for this purpose, of the kind that services see: questions, requests, statements, some with names, numbers and code.

pub(super) const TEXTS: [&str; 24] = [
    "How do I reset my password if I no longer have access to my email?",
    "What is the difference between a checking and a savings account?",
    "why is my card declined abroad",
    "Please cancel order 48213 and send the money back to my card.",
    "Is it safe to travel to Japan in August with a small child?",
    "best way to learn programming in 3 months",
    "Can you translate \"good morning, how are you\" into Spanish?",
    "The app crashes whenever I open the settings page on Android 14.",
    "Who was the first person to reach the South Pole, and when?",
    "Write a function in Python that returns the median of a list.",
    "What are some good books about the history of mathematics?",
    "I never received the parcel although the tracking says delivered.",
    "how many calories does a banana have",
    "Should I invest 10,000 dollars in stocks or pay off my mortgage first?",
    "Set an alarm for half past six tomorrow morning.",
    "What happens to the human body during deep sleep?",
    "My flight from London to New York was delayed by five hours: can I claim compensation?",
    "error: cannot borrow `x` as mutable because it is also borrowed as immutable",
    "Does the premium plan include phone support on weekends?",
    "turn off the lights in the kitchen",
    "Explain quantum entanglement to a ten-year-old.",
    "Which is larger, the population of Canada or that of California?",
    "I'd like to change the delivery address of my subscription to 22 Baker Street.",
    "Is there a cure for the common cold?",
];
