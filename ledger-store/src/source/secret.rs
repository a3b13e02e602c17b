//! Validation of a source's secret.

use thiserror::Error;

/// Minimum length of a secret, in characters.
pub const MIN_SECRET: usize = 16;
/// Maximum length of a secret, in characters.
pub const MAX_SECRET: usize = 200;
/// Minimum number of different characters; fewer make brute force feasible.
const MIN_DIFFERENT: usize = 8;
/// Longest accepted run of neighbouring letters or digits, such as `abcdefg`.
const LONGEST_RUN: usize = 7;

/// The reason why a text is rejected as a secret. The message never quotes the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WeakSecret {
    /// A character is not visible ASCII, and headers carry no others.
    #[error("use visible ASCII characters; headers carry no others")]
    NotVisible,
    /// The text is too short to be safe against brute force, or too long.
    #[error("use {MIN_SECRET} to {MAX_SECRET} characters")]
    Length,
    /// The text repeats itself, or consists of a few characters.
    #[error("it repeats itself; use a random one, such as openssl rand -hex 32 makes")]
    Repetitive,
    /// The text has a run of the alphabet or of digits.
    #[error(
        "it follows the alphabet or counts; use a random one, such as openssl rand -hex 32 makes"
    )]
    Sequence,
}

/// Checks that a text is acceptable as a source's secret. Older secrets are not checked again.
///
/// # Errors
/// [`WeakSecret`] names the requirement that is not met.
pub fn check_secret(text: &str) -> Result<(), WeakSecret> {
    let bytes = text.as_bytes();
    if !bytes.iter().all(u8::is_ascii_graphic) {
        return Err(WeakSecret::NotVisible);
    }
    if !(MIN_SECRET..=MAX_SECRET).contains(&bytes.len()) {
        return Err(WeakSecret::Length);
    }
    let mut different = bytes.to_vec();
    different.sort_unstable();
    different.dedup();
    let half = bytes.len() / 2;
    let is_periodic = (1..=half).any(|period| bytes[period..] == bytes[..bytes.len() - period]);
    if different.len() < MIN_DIFFERENT || is_periodic {
        return Err(WeakSecret::Repetitive);
    }
    if bytes.windows(LONGEST_RUN + 1).any(is_run) {
        return Err(WeakSecret::Sequence);
    }
    Ok(())
}

/// Whether the characters form an ascending or descending run.
fn is_run(bytes: &[u8]) -> bool {
    let is_step =
        |up: i16| bytes.windows(2).all(|pair| i16::from(pair[1]) - i16::from(pair[0]) == up);
    is_step(1) || is_step(-1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_can_be_guessed_is_refused_and_says_why() {
        for (text, why) in [
            ("", WeakSecret::Length),
            ("aaaaaaaa", WeakSecret::Length),
            ("R7!kQ2@zP9#mL4$", WeakSecret::Length),
            ("aaaaaaaaaaaaaaaaaaaaaaaa", WeakSecret::Repetitive),
            ("abababababababababab", WeakSecret::Repetitive),
            ("secretsecretsecret", WeakSecret::Repetitive),
            ("Tr0ub4dor&3Tr0ub4dor&3", WeakSecret::Repetitive),
            ("11223344556677112", WeakSecret::Repetitive),
            ("abcdefghijklmnop", WeakSecret::Sequence),
            ("x9-0123456789-fq2Lw", WeakSecret::Sequence),
            ("zyxwvutsrqponmlk", WeakSecret::Sequence),
            ("sixteen visible!", WeakSecret::NotVisible),
            ("sechzehn-Zeichen-lang-ß", WeakSecret::NotVisible),
        ] {
            let Err(found) = check_secret(text) else { panic!("{text} is taken") };
            assert_eq!(found, why, "{text}");
            assert!(text.is_empty() || !found.to_string().contains(text), "never quoted");
        }
        assert_eq!(check_secret(&"aB3$".repeat(51)), Err(WeakSecret::Length));
    }

    #[test]
    fn a_random_secret_is_taken() {
        for text in [
            "3f9a1c7be2d04586",
            "vJ8kQm2Zx4Tn7RbW",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "test-secret-of-tenant-0",
        ] {
            assert_eq!(check_secret(text), Ok(()), "{text}");
        }
    }
}
