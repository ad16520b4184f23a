//! From data codewords to a text: numeric, alphanumeric, byte and kanji segments, with their character sets.
//!
//! Bytes without a stated character set are returned as they are; kanji and stated sets are turned into UTF-8.

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

/// Reads all segments; `None` when they contradict themselves, which a wrong correction does.
pub(super) fn read(bytes: &[u8], version: Version) -> Option<Vec<u8>> {
    let mut bits = Bits { bytes, at: 0 };
    let mut text = Vec::new();
    let mut charset = None;
    while bits.left() >= 4 {
        match bits.take(4)? {
            0 => break,
            1 => numeric(&mut bits, version, &mut text)?,
            2 => alphanumeric(&mut bits, version, &mut text)?,
            4 => byte(&mut bits, version, charset, &mut text)?,
            8 => kanji(&mut bits, version, &mut text)?,
            7 => charset = charset_named(designator(&mut bits)?),
            // Structured append: which part of how many, and their parity. Each part is a code of its own here.
            3 => _ = bits.take(16)?,
            // FNC1: what the text is about, not what it says.
            5 => {}
            9 => _ = bits.take(8)?,
            _ => return None,
        }
    }
    Some(text)
}

fn numeric(bits: &mut Bits<'_>, version: Version, text: &mut Vec<u8>) -> Option<()> {
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

fn alphanumeric(bits: &mut Bits<'_>, version: Version, text: &mut Vec<u8>) -> Option<()> {
    let count = bits.take(count_bits(version, [9, 11, 13]))?;
    for _ in 0..count / 2 {
        let pair = bits.take(11)?;
        text.push(*ALPHANUMERIC.get(pair / 45)?);
        text.push(ALPHANUMERIC[pair % 45]);
    }
    if count % 2 == 1 {
        text.push(*ALPHANUMERIC.get(bits.take(6)?)?);
    }
    Some(())
}

fn byte(bits: &mut Bits<'_>, version: Version, charset: Option<&'static Encoding>, text: &mut Vec<u8>) -> Option<()> {
    let count = bits.take(count_bits(version, [8, 16, 16]))?;
    if bits.left() < count * 8 {
        return None;
    }
    let mut raw = Vec::with_capacity(count);
    for _ in 0..count {
        raw.push(bits.take(8)? as u8);
    }
    match charset {
        Some(charset) => text.extend(charset.decode_without_bom_handling(&raw).0.bytes()),
        None => text.extend(raw),
    }
    Some(())
}

fn kanji(bits: &mut Bits<'_>, version: Version, text: &mut Vec<u8>) -> Option<()> {
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
    text.extend(encoding_rs::SHIFT_JIS.decode_without_bom_handling(&shift_jis).0.bytes());
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

/// The character set behind an interpretation's number (AIM ECI assignments); bytes of others are left alone.
fn charset_named(number: usize) -> Option<&'static Encoding> {
    let label: &[u8] = match number {
        1 | 3 => b"iso-8859-1",
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
    Encoding::for_label(label)
}
