//! Headers of answers.
