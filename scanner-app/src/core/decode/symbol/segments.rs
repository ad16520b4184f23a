//! From data codewords to a text: numeric, alphanumeric, byte and kanji segments, with their character sets.
//!
//! Kanji and stated character sets are turned into UTF-8. Bytes without a stated set are returned as they are; where those
//! are no UTF-8, everything is, and kanji are Shift JIS then: a text has one character set.

use encoding_rs::Encoding;

use super::version::Version;

const ALPHANUMERIC: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn left(&self) -> usize {
        self.bytes.len() * 8 - self.at
    }

    fn take(&mut self, count: usize) -> Option<usize> {
        if self.left() < count {
            return None;
        }
        let value = (self.at..self.at + count)
            .fold(0, |value, at| value << 1 | usize::from(self.bytes[at / 8] >> (7 - at % 8) & 1));
        self.at += count;
        Some(value)
    }
}

/// What a segment's count field takes, in bits, for small, middle and large versions.
fn count_bits(version: Version, widths: [usize; 3]) -> usize {
    match version.number() {
        1..=9 => widths[0],
        10..=26 => widths[1],
        _ => widths[2],
    }
}

/// What is read so far: as it stands in the symbol, and with all that has a stated character set in UTF-8.
#[derive(Default)]
struct Text {
    raw: Vec<u8>,
    utf8: Vec<u8>,
}

impl Text {
    fn push(&mut self, byte: u8) {
        self.raw.push(byte);
        self.utf8.push(byte);
    }
}

/// Reads all segments; `None` when they contradict themselves, which a wrong correction does.
pub(super) fn read(bytes: &[u8], version: Version) -> Option<Vec<u8>> {
    let mut bits = Bits { bytes, at: 0 };
    let mut text = Text::default();
    let mut charset = None;
    let mut fnc1 = false;
    while bits.left() >= 4 {
        match bits.take(4)? {
            0 => break,
            1 => numeric(&mut bits, version, &mut text)?,
            2 => alphanumeric(&mut bits, version, fnc1, &mut text)?,
            4 => byte(&mut bits, version, charset, &mut text)?,
            8 => kanji(&mut bits, version, &mut text)?,
            7 => charset = charset_named(designator(&mut bits)?),
            // Structured append: which part of how many, and their parity. Each part is a code of its own here.
            3 => _ = bits.take(16)?,
            // FNC1: the text is of an industry's format, in which `%` separates its fields.
            5 => fnc1 = true,
            9 => {
                fnc1 = true;
                bits.take(8)?;
            }
            _ => return None,
        }
    }
    Some(if std::str::from_utf8(&text.utf8).is_ok() { text.utf8 } else { text.raw })
}

fn numeric(bits: &mut Bits<'_>, version: Version, text: &mut Text) -> Option<()> {
    let mut count = bits.take(count_bits(version, [10, 12, 14]))?;
    while count > 0 {
        let digits = count.min(3);
        let value = bits.take([0, 4, 7, 10][digits])?;
        if value >= [1, 10, 100, 1000][digits] {
            return None;
        }
        for power in [100, 10, 1].into_iter().skip(3 - digits) {
            text.push(b'0' + (value / power % 10) as u8);
        }
        count -= digits;
    }
    Some(())
}

fn alphanumeric(bits: &mut Bits<'_>, version: Version, fnc1: bool, text: &mut Text) -> Option<()> {
    const GROUP_SEPARATOR: u8 = 0x1D;
    let count = bits.take(count_bits(version, [9, 11, 13]))?;
    let mut characters = Vec::with_capacity(count);
    for _ in 0..count / 2 {
        let pair = bits.take(11)?;
        characters.push(*ALPHANUMERIC.get(pair / 45)?);
        characters.push(ALPHANUMERIC[pair % 45]);
    }
    if count % 2 == 1 {
        characters.push(*ALPHANUMERIC.get(bits.take(6)?)?);
    }
    let mut characters = characters.into_iter().peekable();
    while let Some(character) = characters.next() {
        // `%%` stands for itself.
        let separates = fnc1 && character == b'%' && characters.next_if_eq(&b'%').is_none();
        text.push(if separates { GROUP_SEPARATOR } else { character });
    }
    Some(())
}

fn byte(bits: &mut Bits<'_>, version: Version, charset: Option<Charset>, text: &mut Text) -> Option<()> {
    let count = bits.take(count_bits(version, [8, 16, 16]))?;
    if bits.left() < count * 8 {
        return None;
    }
    let mut raw = Vec::with_capacity(count);
    for _ in 0..count {
        raw.push(bits.take(8)? as u8);
    }
    match charset {
        Some(Charset::Latin1) => text.utf8.extend(raw.iter().map(|&byte| char::from(byte)).collect::<String>().bytes()),
        Some(Charset::Named(charset)) => text.utf8.extend(charset.decode_without_bom_handling(&raw).0.bytes()),
        None => text.utf8.extend(&raw),
    }
    text.raw.extend(raw);
    Some(())
}

fn kanji(bits: &mut Bits<'_>, version: Version, text: &mut Text) -> Option<()> {
    let count = bits.take(count_bits(version, [8, 10, 12]))?;
    if bits.left() < count * 13 {
        return None;
    }
    let mut shift_jis = Vec::with_capacity(count * 2);
    for _ in 0..count {
        let value = bits.take(13)?;
        let word = ((value / 0xC0) << 8) + value % 0xC0;
        let word = word + if word < 0x1F00 { 0x8140 } else { 0xC140 };
        shift_jis.extend((word as u16).to_be_bytes());
    }
    text.utf8.extend(encoding_rs::SHIFT_JIS.decode_without_bom_handling(&shift_jis).0.bytes());
    text.raw.extend(shift_jis);
    Some(())
}

/// An extended channel interpretation's number: one to three bytes, told by the leading bits.
fn designator(bits: &mut Bits<'_>) -> Option<usize> {
    let first = bits.take(8)?;
    match first {
        0..=0x7F => Some(first),
        0x80..=0xBF => Some((first & 0x3F) << 8 | bits.take(8)?),
        0xC0..=0xDF => Some((first & 0x1F) << 16 | bits.take(16)?),
        _ => None,
    }
}

#[derive(Clone, Copy)]
enum Charset {
    /// Each byte is the character of that number, also where browsers take it for windows-1252.
    Latin1,
    Named(&'static Encoding),
}

/// The character set behind an interpretation's number (AIM ECI assignments); bytes of others are left alone.
fn charset_named(number: usize) -> Option<Charset> {
    let label: &[u8] = match number {
        1 | 3 => return Some(Charset::Latin1),
        4 => b"iso-8859-2",
        5 => b"iso-8859-3",
        6 => b"iso-8859-4",
        7 => b"iso-8859-5",
        8 => b"iso-8859-6",
        9 => b"iso-8859-7",
        10 => b"iso-8859-8",
        11 => b"iso-8859-9",
        12 => b"iso-8859-10",
        13 => b"iso-8859-11",
        15 => b"iso-8859-13",
        16 => b"iso-8859-14",
        17 => b"iso-8859-15",
        18 => b"iso-8859-16",
        20 => b"shift_jis",
        21 => b"windows-1250",
        22 => b"windows-1251",
        23 => b"windows-1252",
        24 => b"windows-1256",
        25 => b"utf-16be",
        28 => b"big5",
        29 | 32 => b"gb18030",
        30 => b"euc-kr",
        _ => return None,
    };
    Encoding::for_label(label).map(Charset::Named)
}
