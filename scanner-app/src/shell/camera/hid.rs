//! Reads what an imager types as a USB keyboard, from its hidraw device: the eight-byte reports of the boot protocol.
//!
//! The layout is the US one, which imagers use unless told otherwise. Only characters that a code can hold are known;
//! any other key is ignored.

/// How long a report is: modifiers, a reserved byte, six keys that are down.
const REPORT_BYTES: usize = 8;
/// Both shift keys among the modifiers.
const SHIFT: u8 = 0b0010_0010;
/// In every key's place when too many are down at once.
const ROLLOVER: u8 = 0x01;

/// Turns reports into typed bytes. A key types once, however long it is held.
#[derive(Default)]
pub(super) struct Keyboard {
    down: [u8; 6],
}

impl Keyboard {
    /// The bytes that a read from the device has typed. Anything but whole reports is ignored.
    pub(super) fn typed(&mut self, read: &[u8]) -> Vec<u8> {
        let mut typed = Vec::new();
        for report in read.chunks_exact(REPORT_BYTES) {
            let mut keys = [0; 6];
            keys.copy_from_slice(&report[2..]);
            if keys[0] == ROLLOVER {
                continue;
            }
            let shifted = report[0] & SHIFT != 0;
            let newly = keys.iter().filter(|key| !self.down.contains(key));
            typed.extend(newly.filter_map(|&key| character(key, shifted)));
            self.down = keys;
        }
        typed
    }
}

fn character(key: u8, shifted: bool) -> Option<u8> {
    const DIGITS: &[u8; 10] = b"1234567890";
    const SHIFTED_DIGITS: &[u8; 10] = b"!@#$%^&*()";
    Some(match key {
        0x04..=0x1D if shifted => b'A' + key - 0x04,
        0x04..=0x1D => b'a' + key - 0x04,
        0x1E..=0x27 if shifted => SHIFTED_DIGITS[usize::from(key - 0x1E)],
        0x1E..=0x27 => DIGITS[usize::from(key - 0x1E)],
        0x28 | 0x58 => b'\n',
        0x2C => b' ',
        0x2D => {
            if shifted {
                b'_'
            } else {
                b'-'
            }
        }
        0x2E => {
            if shifted {
                b'+'
            } else {
                b'='
            }
        }
        0x33 => {
            if shifted {
                b':'
            } else {
                b';'
            }
        }
        0x36 => {
            if shifted {
                b'<'
            } else {
                b','
            }
        }
        0x37 => {
            if shifted {
                b'>'
            } else {
                b'.'
            }
        }
        0x38 => {
            if shifted {
                b'?'
            } else {
                b'/'
            }
        }
        0x54 => b'/',
        0x55 => b'*',
        0x56 => b'-',
        0x57 => b'+',
        0x59..=0x61 => b'1' + key - 0x59,
        0x62 => b'0',
        0x63 => b'.',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(modifiers: u8, keys: &[u8]) -> [u8; 8] {
        let mut report = [0; 8];
        report[0] = modifiers;
        report[2..2 + keys.len()].copy_from_slice(keys);
        report
    }

    #[test]
    fn every_character_of_a_code_can_be_typed() {
        let mut typed = Vec::new();
        for shifted in [false, true] {
            typed.extend((0..=255).filter_map(|key| character(key, shifted)));
        }
        for wanted in b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:\n" {
            assert!(typed.contains(wanted), "{}", char::from(*wanted));
        }
    }

    #[test]
    fn a_held_key_types_once_and_again_after_its_release() {
        let mut keyboard = Keyboard::default();
        let mut read = Vec::new();
        for keys in [&[0x17][..], &[0x17], &[0x17, 0x1E], &[], &[0x17], &[1, 1, 1, 1, 1, 1], &[0x28]] {
            read.extend(report(0x02, keys));
        }
        assert_eq!(keyboard.typed(&read), b"T!T\n");
        assert_eq!(keyboard.typed(&[1, 2, 3]), b"");
    }
}
