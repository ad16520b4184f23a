//! Newtype identifiers, so that a ticket id cannot be passed where an event id is meant.

use std::fmt;
use std::str::FromStr;

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct IdError {
    text: String,
    expected: &'static str,
}

macro_rules! decimal_id {
    ($(#[$doc:meta])* $name:ident, $int:ty, $expected:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, minicbor::Encode, minicbor::Decode)]
        #[cbor(transparent)]
        pub struct $name(#[n(0)] pub $int);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                text.parse().map(Self).map_err(|_| IdError { text: text.to_owned(), expected: $expected })
            }
        }
    };
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $expected:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, minicbor::Encode, minicbor::Decode)]
        #[cbor(transparent)]
        pub struct $name(#[n(0)] pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:016x}", self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let lower = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                match u64::from_str_radix(text, 16) {
                    Ok(id) if text.len() == 16 && lower => Ok(Self(id)),
                    _ => Err(IdError { text: text.to_owned(), expected: $expected }),
                }
            }
        }
    };
}

decimal_id!(
    /// One performance of one event of an organiser.
    EventId, u32, "an event id (0 to 4294967295)"
);
decimal_id!(
    /// What a ticket entitles to: the row of the event's class table.
    ClassId, u16, "a class id (0 to 65535)"
);
decimal_id!(
    /// One lane (a turnstile, a door) of an event.
    LaneId, u32, "a lane id (0 to 4294967295)"
);
hex_id!(
    /// A ticket, for life: random, written as 16 lower-case hex digits.
    TicketId, "a ticket id (16 lower-case hex digits)"
);
hex_id!(
    /// An enrolled handheld: random, written as 16 lower-case hex digits.
    DeviceId, "a device id (16 lower-case hex digits)"
);

/// Which issue of a ticket this is: 1 at first; re-issue, binding or transfer raises it and retires the lower ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, minicbor::Encode)]
#[cbor(transparent)]
pub struct Serial(#[n(0)] u8);

impl<'b, C> minicbor::Decode<'b, C> for Serial {
    fn decode(decoder: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Serial::new(decoder.u8()?).ok_or_else(|| minicbor::decode::Error::message("a serial runs from 1 to 254"))
    }
}

impl Serial {
    /// The serial of a new ticket.
    pub const FIRST: Serial = Serial(1);
    /// The last serial that a credential can carry; the one after it ends the ticket id.
    pub const LAST: Serial = Serial(254);

    /// Serials run from 1 to 254; 0 never was, and 255 ends the ticket id.
    pub fn new(serial: u8) -> Option<Serial> {
        (Serial::FIRST.0..=Serial::LAST.0).contains(&serial).then_some(Serial(serial))
    }

    pub fn get(self) -> u8 {
        self.0
    }

    /// The serial that retires this one; `None` when the ticket id has come to its end.
    pub fn next(self) -> Option<Serial> {
        Serial::new(self.0 + 1)
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A 15-second slice of time: unix seconds / 15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeStep(pub u32);

impl TimeStep {
    /// Seconds in a step.
    pub const SECONDS: i64 = 15;

    /// The step that `now_s` (unix seconds) lies in. Times outside the format's range are clamped to its ends.
    pub fn at(now_s: i64) -> TimeStep {
        TimeStep(now_s.div_euclid(Self::SECONDS).clamp(0, i64::from(u32::MAX)) as u32)
    }

    /// Unix seconds at which this step begins.
    pub fn starts_at_s(self) -> i64 {
        i64::from(self.0) * Self::SECONDS
    }
}

/// What a lane asked the guest to type: 1 to 9999, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Challenge(u16);

impl Challenge {
    /// No challenge was asked.
    pub const NONE: Challenge = Challenge(0);
    /// The largest challenge: four digits.
    pub const MAX: u16 = 9999;

    /// `0` means none was asked; above 9999 there is none.
    pub fn new(challenge: u16) -> Option<Challenge> {
        (challenge <= Self::MAX).then_some(Challenge(challenge))
    }

    pub fn get(self) -> u16 {
        self.0
    }
}

/// The first 8 bytes of SHA-256 over a public key under its own domain string: names a key, proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl FromStr for KeyId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        text.parse::<TicketId>()
            .map(|id| KeyId(id.0.to_be_bytes()))
            .map_err(|_| IdError { text: text.to_owned(), expected: "a key id (16 lower-case hex digits)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_ends_before_255() {
        assert_eq!(Serial::new(0), None);
        assert_eq!(Serial::new(255), None);
        assert_eq!(Serial::LAST.next(), None);
        assert_eq!(Serial::FIRST.next().map(Serial::get), Some(2));
    }

    #[test]
    fn steps_are_fifteen_seconds_and_never_wrap() {
        assert_eq!(TimeStep::at(0), TimeStep(0));
        assert_eq!(TimeStep::at(14), TimeStep(0));
        assert_eq!(TimeStep::at(15), TimeStep(1));
        assert_eq!(TimeStep::at(-1), TimeStep(0));
        assert_eq!(TimeStep::at(i64::MAX), TimeStep(u32::MAX));
    }

    #[test]
    fn ticket_ids_have_one_spelling() {
        assert_eq!("00000000000000ff".parse(), Ok(TicketId(255)));
        for wrong in ["ff", "00000000000000FF", "+0000000000000ff", "00000000000000fg", ""] {
            assert!(wrong.parse::<TicketId>().is_err(), "{wrong}");
        }
    }
}
