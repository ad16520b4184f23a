//! The bit-level half of `decode::fuzz`: any modules, any blocks, any segments.
//!
//! Syndromes are computed here by other arithmetic than the corrector's, so that one mistake does not hide another.

use std::sync::LazyLock;

use super::super::fuzz::{Input, REAL, any_version};
use super::*;

pub(in crate::core::decode) fn bits(input: &mut Input<'_>) {
    match input.byte() % 4 {
        0 => any_modules(input),
        1 => damaged_modules(input),
        2 => blocks(input),
        _ => any_segments(input),
    }
}

/// Reads with `units_max`, and holds the meter to it.
fn read_within(modules: &Modules, units_max: u64) -> Option<Vec<u8>> {
    let mut never = || false;
    let mut meter = Meter::new(units_max, &mut never);
    let read = read(modules, &mut meter);
    assert!(meter.spent() <= units_max, "{} of {units_max} units", meter.spent());
    assert_ne!(read, Err(Stop::Deadline));
    read.ok().flatten()
}

/// Noise with a few chosen values in it, with or without a format that reads.
fn any_modules(input: &mut Input<'_>) {
    let version = any_version(input);
    let side = version.side();
    let mut dice = input.dice();
    let mut values: Vec<f32> = (0..side * side).map(|_| (dice.next() & 0xFFFF) as f32 / 256.0 - 128.0).collect();
    if !input.one_in(4) {
        let code = format_bits(u32::from(input.byte()) % 32);
        for bit in 0..15 {
            for (x, y) in format_places(bit, side) {
                values[y * side + x] = if code >> bit & 1 == 1 { 90.0 } else { -90.0 };
            }
        }
    }
    for _ in 0..input.below(16) {
        let at = input.below(values.len());
        values[at] = input.any_float();
    }
    let units_max = if input.one_in(4) { u64::from(input.word()) } else { u64::MAX };
    let text = read_within(&Modules { version, values }, units_max);
    assert!(text.is_none_or(|text| !text.is_empty()));
}

/// A real code with less damage than it can bear must read; with more, it must only be survived.
fn damaged_modules(input: &mut Input<'_>) {
    let version = any_version(input);
    let number = version.number();
    let real = &REAL[(number - 1) * 4 + input.below(4)];
    let side = real.code.size() as usize;
    let mirrored = input.one_in(2);
    let dark = |x, y| if mirrored { real.code.get_module(y, x) } else { real.code.get_module(x, y) };
    let places = (0..side as i32).flat_map(|y| (0..side as i32).map(move |x| (x, y)));
    let mut values: Vec<f32> = places.map(|(x, y)| if dark(x, y) { 50.0 } else { -50.0 }).collect();
    let level = [Level::L, Level::M, Level::Q, Level::H][real.level as usize];
    let bearable = (version.ecc_per_block(level) - version.misdecode_protection(level)) / 2;
    let much = input.one_in(2);
    let function = version.function_modules();
    let mut damaged = 0;
    for _ in 0..input.below(if much { 64 } else { bearable + 1 }) {
        let at = input.below(values.len());
        if much {
            values[at] = input.any_float();
        } else if !function[at] {
            // One module is in one codeword, so no block has more wrong ones than this.
            values[at] = -values[at];
            damaged += 1;
        }
    }
    assert!(damaged <= bearable);
    let text = read_within(&Modules { version, values }, u64::MAX);
    if !much {
        assert_eq!(text.as_deref(), Some(real.text.as_bytes()), "version {number}, {damaged} modules");
    }
}

/// Products in the field, by shifting and adding.
static PRODUCTS: LazyLock<Vec<[u8; 256]>> = LazyLock::new(|| {
    let product = |mut a: u32, mut b: u32| {
        let mut sum = 0;
        while b > 0 {
            sum ^= if b & 1 == 1 { a } else { 0 };
            a = a << 1 ^ if a & 0x80 == 0 { 0 } else { 0x11D };
            b >>= 1;
        }
        sum as u8
    };
    (0..256).map(|a| std::array::from_fn(|b| product(a, b as u32))).collect()
});

fn product(a: u8, b: u8) -> u8 {
    PRODUCTS[usize::from(a)][usize::from(b)]
}

/// Whether a block is a codeword.
fn is_codeword(block: &[u8], ecc: usize) -> bool {
    let mut root = 1;
    (0..ecc).all(|_| {
        let syndrome = block.iter().fold(0, |sum, &c| product(sum, root) ^ c);
        root = product(root, 2);
        syndrome == 0
    })
}

/// Makes a block a codeword by what its last `ecc` bytes become.
fn encode(block: &mut [u8], ecc: usize) {
    let mut generator = vec![1u8];
    let mut root = 1;
    for _ in 0..ecc {
        generator.push(0);
        for i in (1..generator.len()).rev() {
            generator[i] ^= product(generator[i - 1], root);
        }
        root = product(root, 2);
    }
    let data = block.len() - ecc;
    let mut rest = vec![0u8; ecc];
    for &byte in &block[..data] {
        let lead = byte ^ rest[0];
        rest.rotate_left(1);
        rest[ecc - 1] = 0;
        rest.iter_mut().zip(&generator[1..]).for_each(|(rest, &g)| *rest ^= product(g, lead));
    }
    block[data..].copy_from_slice(&rest);
}

/// Reed and Solomon, with any block, any erasures and any numbers.
fn blocks(input: &mut Input<'_>) {
    let len = if input.one_in(16) { input.below(300) } else { 1 + input.below(80) };
    let ecc = if input.one_in(16) { input.below(300) } else { input.below(31) };
    let spare = if input.one_in(4) { input.below(40) } else { 0 };
    let mut dice = input.dice();
    let mut block: Vec<u8> = (0..len).map(|_| dice.next() as u8).collect();
    let sound = ecc > 0 && ecc < len && len <= 255 && ecc <= 30 && !input.one_in(4);
    if sound {
        encode(&mut block, ecc);
        assert!(is_codeword(&block, ecc), "or the rest shows nothing");
    }
    let original = block.clone();
    // Places in and out of the block, doubled or not.
    let mut erasures: Vec<usize> = Vec::new();
    for _ in 0..input.below(20) {
        erasures.push(if input.one_in(16) { usize::from(input.word()) } else { input.below(len) });
    }
    if !input.one_in(4) {
        erasures.sort_unstable();
        erasures.dedup();
    }
    for &place in &erasures {
        if let Some(value) = block.get_mut(place) {
            *value ^= dice.next() as u8;
        }
    }
    for _ in 0..input.below(20) {
        if len > 0 {
            block[input.below(len)] ^= input.byte();
        }
    }
    let before = block.clone();
    let corrected = reed_solomon::correct(&mut block, ecc, &erasures, spare);
    let distinct = erasures.is_sorted_by(|a, b| a < b) && erasures.iter().all(|&place| place < len);
    match corrected {
        None => assert_eq!(block, before, "a block beyond correction stays as it was"),
        Some(count) => {
            assert!(is_codeword(&block, ecc), "corrected to something else");
            let changed = (0..len).filter(|&at| block[at] != before[at]).count();
            assert!(changed <= count);
        }
    }
    let wrong = (0..len).filter(|at| before[*at] != original[*at] && !erasures.contains(at)).count();
    if sound && distinct && 2 * wrong + erasures.len() + spare <= ecc {
        assert_eq!(block, original, "{wrong} wrong and {} erased of {ecc}", erasures.len());
    }
}

/// Any bytes as the segments of any version.
fn any_segments(input: &mut Input<'_>) {
    let version = any_version(input);
    let bytes = input.rest();
    if let Some(text) = segments::read(bytes, version) {
        // The most that comes of a byte: three of UTF-8.
        assert!(text.len() <= bytes.len() * 3, "{} of {}", text.len(), bytes.len());
    }
}
