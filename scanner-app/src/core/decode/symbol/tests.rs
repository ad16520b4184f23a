//! Bits without pictures: every version, level and mask of an independent encoder, with damage.

use proptest::prelude::*;
use qrcodegen::{DataTooLong, Mask, QrCode, QrCodeEcc, QrSegment, Version as QrVersion};

use super::*;

const LEVELS: [QrCodeEcc; 4] = [QrCodeEcc::Low, QrCodeEcc::Medium, QrCodeEcc::Quartile, QrCodeEcc::High];

fn encode(text: &str, level: QrCodeEcc, version: usize, mask: u8) -> Result<QrCode, DataTooLong> {
    let version = QrVersion::new(version as u8);
    let segments = QrSegment::make_segments(text);
    QrCode::encode_segments_advanced(&segments, level, version, version, Some(Mask::new(mask)), false)
}

fn modules(code: &QrCode, mirrored: bool) -> Modules {
    let side = code.size();
    let places = (0..side).flat_map(|y| (0..side).map(move |x| if mirrored { (y, x) } else { (x, y) }));
    let values = places.map(|(x, y)| if code.get_module(x, y) { 50.0 } else { -50.0 }).collect();
    Modules { version: Version::of_side(side as usize).unwrap(), values }
}

fn text_of(modules: &Modules) -> Option<String> {
    let mut never = || false;
    let mut meter = Meter::new(u64::MAX, &mut never);
    read(modules, &mut meter).unwrap().map(|text| String::from_utf8(text).unwrap())
}

#[test]
fn every_version_level_and_mask_reads_plain_and_mirrored() {
    for version in 1..=40 {
        for (number, level) in LEVELS.into_iter().enumerate() {
            let mask = ((version + number) % 8) as u8;
            let text = format!("V{version}L{number}");
            let code = encode(&text, level, version, mask).unwrap();
            for mirrored in [false, true] {
                assert_eq!(text_of(&modules(&code, mirrored)).as_deref(), Some(text.as_str()), "{version} {number}");
            }
        }
    }
}

#[test]
fn every_kind_of_segment_reads() {
    for text in ["0", "0123456789", "01234567", "A-Z:0/", "ODD", "höflich", "{\"a\":1}", "12345abcABC$%"] {
        let code = QrCode::encode_text(text, QrCodeEcc::Medium).unwrap();
        assert_eq!(text_of(&modules(&code, false)).as_deref(), Some(text));
    }
}

#[test]
fn kanji_and_stated_character_sets_come_as_utf_8() {
    // 13 bits each: the first rows of the two halves of Shift JIS.
    let kanji = [0x935F_u32, 0xE4AA];
    let bits = kanji.into_iter().flat_map(kanji_bits).collect();
    let segment = QrSegment::new(qrcodegen::QrSegmentMode::Kanji, 2, bits);
    let code = QrCode::encode_segments(&[segment], QrCodeEcc::Low).unwrap();
    assert_eq!(text_of(&modules(&code, false)).as_deref(), Some("点茗"));
    for (number, bytes, text) in
        [(3, &b"\xE9t\xE9\x80"[..], "été\u{80}"), (22, b"\xE4\xE0", "да"), (26, "да".as_bytes(), "да")]
    {
        let code = QrCode::encode_segments(&[QrSegment::make_eci(number), QrSegment::make_bytes(bytes)], LEVELS[1]);
        assert_eq!(text_of(&modules(&code.unwrap(), false)).as_deref(), Some(text));
    }
}

#[test]
fn a_text_has_one_character_set() {
    let (kanji, latin) = (QrSegment::new(qrcodegen::QrSegmentMode::Kanji, 1, kanji_bits(0x935F)), b"caf\xE9");
    let symbol = |bytes: &[u8]| {
        let segments = [kanji.clone(), QrSegment::make_bytes(bytes)];
        let mut never = || false;
        let modules = modules(&QrCode::encode_segments(&segments, QrCodeEcc::Low).unwrap(), false);
        read(&modules, &mut Meter::new(u64::MAX, &mut never)).unwrap().unwrap()
    };
    assert_eq!(symbol("cafés".as_bytes()), "点cafés".as_bytes());
    assert_eq!(symbol(latin), b"\x93\x5Fcaf\xE9");
}

fn kanji_bits(word: u32) -> Vec<bool> {
    let word = word - if word < 0xE040 { 0x8140 } else { 0xC140 };
    let value = (word >> 8) * 0xC0 + (word & 0xFF);
    (0..13).rev().map(|bit| value >> bit & 1 == 1).collect()
}

#[test]
fn nothing_is_read_from_nothing() {
    let version = Version::of_side(37).unwrap();
    for value in [0.0, 1.0, -1.0, f32::NAN, f32::INFINITY] {
        assert_eq!(text_of(&Modules { version, values: vec![value; 37 * 37] }), None);
    }
}

proptest! {
    #[test]
    fn doubtful_modules_are_given_up_before_sure_ones(seed in any::<[u64; 4]>(), damage in 0usize..20) {
        // 86 codewords in two blocks of 24 for correction: 12 wrong ones each at most, or 20 known to be doubtful.
        let text = "T1S0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:0123456789";
        let code = encode(text, QrCodeEcc::Medium, 5, 3).unwrap();
        let mut symbol = modules(&code, false);
        // One place of the symbol is washed out: random, but weak.
        let (x0, y0) = (12 + damage / 4, 12 + damage / 5);
        let mut state = seed[0] | 1;
        for y in y0..y0 + 9 {
            for x in x0..x0 + 9 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed[1] | 1);
                symbol.values[y * 37 + x] = (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5;
            }
        }
        prop_assert_eq!(text_of(&symbol), Some(text.to_owned()));
    }

    #[test]
    fn any_modules_are_survived(side in 0usize..40, seed in any::<u64>()) {
        let version = Version::new(side + 1).unwrap();
        let mut state = seed;
        let values = (0..version.side() * version.side()).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / 65_536.0 - 128.0
        });
        let symbol = Modules { version, values: values.collect() };
        prop_assert_eq!(text_of(&symbol), None);
    }
}

#[test]
fn a_block_with_an_erasure_outside_it_is_beyond_correction() {
    let mut block = [1, 2, 3, 4, 5, 6, 7, 8];
    assert_eq!(reed_solomon::correct(&mut block, 4, &[8], 0), None);
    assert_eq!(block, [1, 2, 3, 4, 5, 6, 7, 8]);
}
