//! The secrets in tickets' links: derived, never stored.
//!
//! Whoever reads the database (a backup, say) learns no link. The price: losing the link key voids the links that were not
//! used yet, and they must be re-issued.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use ticket_signer::TicketId;

/// How many older links are still recognised as outdated rather than wrong.
const REMEMBERED: u32 = 8;

/// The server's key for deriving link secrets. Not printed.
#[derive(Clone)]
pub struct LinkKey(std::sync::Arc<zeroize::Zeroizing<[u8; 32]>>);

impl LinkKey {
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(std::sync::Arc::new(zeroize::Zeroizing::new(bytes)))
    }

    fn mac(&self, ticket: TicketId, link_number: u32) -> Hmac<Sha256> {
        // HMAC takes a key of a whole block; a shorter one is filled with zeros (RFC 2104).
        let mut block = zeroize::Zeroizing::new([0; 64]);
        block[..32].copy_from_slice(&self.0[..]);
        let mut mac = Hmac::<Sha256>::new(&(*block).into());
        mac.update(b"turnstone.link.v1\0");
        mac.update(&ticket.0.to_be_bytes());
        mac.update(&link_number.to_be_bytes());
        mac
    }

    /// The secret of the ticket's link of this number.
    #[must_use]
    pub fn secret(&self, ticket: TicketId, link_number: u32) -> [u8; 16] {
        let whole = self.mac(ticket, link_number).finalize().into_bytes();
        let mut secret = [0; 16];
        secret.copy_from_slice(&whole[..16]);
        secret
    }

    /// Which of the ticket's links, `newest` and a few before it, has this secret. Compares in constant time.
    #[must_use]
    pub fn which(&self, ticket: TicketId, newest: u32, secret: &[u8]) -> Option<u32> {
        if secret.len() != 16 {
            return None;
        }
        let oldest = newest.saturating_sub(REMEMBERED).max(1);
        (oldest..=newest).rev().find(|number| self.mac(ticket, *number).verify_truncated_left(secret).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_link_has_a_secret_of_its_own() {
        let key = LinkKey::new([4; 32]);
        let (a, b) = (TicketId(1), TicketId(2));
        assert_eq!(key.which(a, 3, &key.secret(a, 3)), Some(3));
        assert_eq!(key.which(a, 3, &key.secret(a, 1)), Some(1));
        assert_eq!(key.which(a, 3, &key.secret(a, 4)), None);
        assert_eq!(key.which(b, 3, &key.secret(a, 3)), None);
        assert_eq!(LinkKey::new([5; 32]).which(a, 3, &key.secret(a, 3)), None);
        assert_eq!(key.which(a, 3, &[]), None);
    }
}
