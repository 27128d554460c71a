//! Bad input gives a message that says what is wrong, where, and what to do.
