//! Password hashing: argon2id with the parameters that its authors' crate holds for sound (19 MiB, 2 passes).

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};

use super::AccountsError;
use crate::platform::Random;

/// The hash as a PHC string, with a fresh salt.
pub fn hash(password: &str, random: &Random) -> Result<String, AccountsError> {
    let hash: PasswordHash = Argon2::default()
        .hash_password_with_salt(password.as_bytes(), &random.bytes::<16>())
        .map_err(|_| AccountsError::Hashing)?;
    Ok(hash.to_string())
}

/// Whether the password fits the stored hash. Without one, as much work is done and the answer is no.
pub fn fits(password: &str, stored: Option<&str>, random: &Random) -> Result<bool, AccountsError> {
    let Some(stored) = stored else {
        hash(password, random)?;
        return Ok(false);
    };
    let stored = PasswordHash::new(stored).map_err(|_| AccountsError::Hashing)?;
    Ok(Argon2::default().verify_password(password.as_bytes(), &stored).is_ok())
}
