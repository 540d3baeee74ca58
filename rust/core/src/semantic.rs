//! Whether a near question may be answered by a stored answer.

pub mod refusal;
