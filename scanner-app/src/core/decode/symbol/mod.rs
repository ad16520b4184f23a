//! From sampled modules to a text: format, mask, codewords, correction, segments.
//!
//! Everything here is soft: a module is a number whose sign says dark or light and whose size says how surely, so that
//! doubtful codewords can be given up (erased) before sure ones are. Invariant: a text is returned only if every block's
//! syndromes came out zero, and where codewords were given up, with four of redundancy to spare.

#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzz;
mod reed_solomon;
mod segments;
#[cfg(test)]
mod tests;
mod version;

pub(super) use self::version::{Level, Version};
use super::meter::{Meter, Stop};

/// A symbol's modules, row by row: above 0 dark, below 0 light.
pub(super) struct Modules {
    pub(super) version: Version,
    pub(super) values: Vec<f32>,
}

/// The least agreement of the format bits with a format, from -1 to 1. Three wrong bits of fifteen are 0.6.
const FORMAT_AGREEMENT_MIN: f32 = 0.45;
/// Formats tried for one symbol.
const FORMATS_MAX: usize = 2;
/// Correction codewords left unused when doubtful codewords are given up: a wrong text then passes once in 2^32.
const ERASURE_SPARE: usize = 4;
/// What reading a symbol costs, per codeword, in units.
const UNITS_PER_CODEWORD: u64 = 60;

#[derive(Clone, Copy, Debug)]
struct Format {
    level: Level,
    mask: u8,
    /// Rows and columns are exchanged: the symbol is seen in a mirror.
    mirrored: bool,
}

impl Modules {
    fn at(&self, x: usize, y: usize, mirrored: bool) -> f32 {
        let (x, y) = if mirrored { (y, x) } else { (x, y) };
        self.values[y * self.version.side() + x]
    }
}

/// Reads a symbol; `None` when its format or a block is beyond correction.
pub(super) fn read(modules: &Modules, meter: &mut Meter<'_>) -> Result<Option<Vec<u8>>, Stop> {
    for format in formats(modules) {
        meter.spend(modules.version.codewords() as u64 * UNITS_PER_CODEWORD)?;
        if let Some(text) = read_as(modules, format) {
            return Ok(Some(text));
        }
    }
    Ok(None)
}

/// The fifteen format bits of a level and mask: BCH (15, 5), masked so that they are never all light.
fn format_bits(data: u32) -> u32 {
    version::bch(data, 10, 0x537) ^ 0x5412
}

/// Where a format bit is written: beside the top left finder, and again beside the two others.
fn format_places(bit: usize, side: usize) -> [(usize, usize); 2] {
    let first = match bit {
        0..=5 => (8, bit),
        6 => (8, 7),
        7 => (8, 8),
        8 => (7, 8),
        _ => (14 - bit, 8),
    };
    let second = if bit < 8 { (side - 1 - bit, 8) } else { (8, side - 15 + bit) };
    [first, second]
}

/// The formats that the modules may mean, likeliest first.
fn formats(modules: &Modules) -> impl Iterator<Item = Format> + use<> {
    let side = modules.version.side();
    let mut likely = Vec::with_capacity(64);
    for mirrored in [false, true] {
        let mut bits = [0.0f32; 15];
        let mut size = f32::EPSILON;
        for (bit, sum) in bits.iter_mut().enumerate() {
            for (x, y) in format_places(bit, side) {
                let value = modules.at(x, y, mirrored);
                *sum += value;
                size += value.abs();
            }
        }
        for data in 0..32 {
            let code = format_bits(data);
            let agreement: f32 =
                bits.iter().enumerate().map(|(bit, &v)| if code >> bit & 1 == 1 { v } else { -v }).sum();
            let level = [Level::M, Level::L, Level::H, Level::Q][data as usize >> 3];
            likely.push((agreement / size, Format { level, mask: (data & 7) as u8, mirrored }));
        }
    }
    likely.sort_by(|a, b| b.0.total_cmp(&a.0));
    likely.into_iter().take(FORMATS_MAX).filter(|(agreement, _)| *agreement >= FORMAT_AGREEMENT_MIN).map(|(_, f)| f)
}

fn masked(mask: u8, x: usize, y: usize) -> bool {
    match mask {
        0 => (x + y).is_multiple_of(2),
        1 => y.is_multiple_of(2),
        2 => x.is_multiple_of(3),
        3 => (x + y).is_multiple_of(3),
        4 => (x / 3 + y / 2).is_multiple_of(2),
        5 => x * y % 2 + x * y % 3 == 0,
        6 => (x * y % 2 + x * y % 3).is_multiple_of(2),
        _ => ((x + y) % 2 + x * y % 3).is_multiple_of(2),
    }
}

/// A codeword and how sure its least sure bit is.
#[derive(Clone, Copy)]
struct Codeword {
    value: u8,
    sureness: f32,
}

fn codewords(modules: &Modules, format: Format) -> Vec<Codeword> {
    let side = modules.version.side();
    let function = modules.version.function_modules();
    let count = modules.version.codewords();
    let mut out = Vec::with_capacity(count);
    let (mut value, mut sureness, mut bits) = (0u8, f32::MAX, 0);
    let mut right = side - 1;
    loop {
        if right == 6 {
            right = 5;
        }
        // Columns in pairs from the right; every other pair upwards, the first one too.
        let upwards = (right + 1) & 2 == 0;
        for step in 0..side {
            let y = if upwards { side - 1 - step } else { step };
            for x in [right, right - 1] {
                if function[y * side + x] || out.len() == count {
                    continue;
                }
                let module = modules.at(x, y, format.mirrored);
                value = value << 1 | u8::from((module > 0.0) != masked(format.mask, x, y));
                sureness = sureness.min(module.abs());
                bits += 1;
                if bits == 8 {
                    out.push(Codeword { value, sureness });
                    (value, sureness, bits) = (0, f32::MAX, 0);
                }
            }
        }
        if right < 2 {
            return out;
        }
        right -= 2;
    }
}

fn read_as(modules: &Modules, format: Format) -> Option<Vec<u8>> {
    let version = modules.version;
    let stream = codewords(modules, format);
    let (blocks, ecc) = (version.blocks(format.level), version.ecc_per_block(format.level));
    let short_blocks = blocks - stream.len() % blocks;
    let short_data = stream.len() / blocks - ecc;
    let mut data = Vec::with_capacity(stream.len());
    let mut block = Vec::with_capacity(256);
    for index in 0..blocks {
        let long = usize::from(index >= short_blocks);
        block.clear();
        block.extend((0..short_data).map(|i| stream[i * blocks + index]));
        if long == 1 {
            block.push(stream[short_data * blocks + index - short_blocks]);
        }
        let after = short_data * blocks + blocks - short_blocks;
        block.extend((0..ecc).map(|i| stream[after + i * blocks + index]));
        let corrected = correct(&block, ecc, version.misdecode_protection(format.level))?;
        data.extend_from_slice(&corrected[..short_data + long]);
    }
    segments::read(&data, version).filter(|text| !text.is_empty())
}

/// Corrects a block: as it is, then with more and more of its least sure codewords given up.
fn correct(block: &[Codeword], ecc: usize, protection: usize) -> Option<Vec<u8>> {
    let mut values: Vec<u8> = block.iter().map(|c| c.value).collect();
    if reed_solomon::correct(&mut values, ecc, &[], protection).is_some() {
        return Some(values);
    }
    let most = ecc.saturating_sub(ERASURE_SPARE);
    if most < 2 {
        return None;
    }
    let mut doubtful: Vec<usize> = (0..block.len()).collect();
    doubtful.sort_by(|&a, &b| block[a].sureness.total_cmp(&block[b].sureness));
    for share in 1..=4 {
        let erased = most * share / 4;
        if erased > 0 && reed_solomon::correct(&mut values, ecc, &doubtful[..erased], ERASURE_SPARE).is_some() {
            return Some(values);
        }
    }
    None
}
