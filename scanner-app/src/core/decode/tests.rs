//! Decoding from raw frames: every format, padding, odd sizes, damage, hostile pictures, deadlines.

use proptest::prelude::*;
use qrcodegen::{QrCode, QrCodeEcc, QrSegment, Version};

use super::luma::{LumaError, LumaView, SIDE_PX_MAX, to_luma};
use super::picture::LOOKS;
use super::raw::{PixelFormat, RawFrame};
use super::*;

/// 122 characters: as long as a short code, which a version 5-M symbol holds exactly.
const SHORT: &str = "T1S0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:\
                     0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:0123456789ABCDEFGHIJKLMNOPQ";

/// Luma without padding.
struct Painted {
    width: usize,
    height: usize,
    luma: Vec<u8>,
}

impl Painted {
    fn blank(width: usize, height: usize) -> Painted {
        Painted { width, height, luma: vec![200; width * height] }
    }

    /// Paints a code with its top left corner at `at`.
    fn hold(mut self, text: &str, module_px: usize, at: (usize, usize)) -> Painted {
        let segments = [QrSegment::make_alphanumeric(text)];
        let (least, most) = (Version::MIN, Version::MAX);
        let code = QrCode::encode_segments_advanced(&segments, QrCodeEcc::Medium, least, most, None, false).unwrap();
        let side = code.size() as usize * module_px;
        for y in 0..side {
            for x in 0..side {
                let dark = code.get_module((x / module_px) as i32, (y / module_px) as i32);
                self.luma[(at.1 + y) * self.width + at.0 + x] = if dark { 30 } else { 220 };
            }
        }
        self
    }

    fn short() -> Painted {
        Painted::blank(320, 240).hold(SHORT, 5, (40, 30))
    }

    fn view(&self) -> LumaView<'_> {
        LumaView::new(self.width, self.height, self.width, &self.luma).unwrap()
    }

    /// As a camera would send it, with `padding` bytes of rubbish after each row.
    fn raw(&self, format: PixelFormat, padding: usize) -> RawFrame {
        let (width, height) = (self.width as u32, self.height as u32);
        let stride = format.row_bytes_min(width) + padding;
        let mut data = Vec::new();
        for row in self.luma.chunks(self.width) {
            match format {
                PixelFormat::Yuyv => data.extend(row.iter().flat_map(|&y| [y, 77])),
                _ => data.extend(row),
            }
            data.extend((0..padding).map(|i| (i * 31) as u8));
        }
        if format == PixelFormat::Nv12 {
            data.resize(data.len() + stride * self.height / 2, 128);
        }
        RawFrame { format, width, height, stride: stride as u32, taken_ms: 0, data }
    }

    fn jpeg(&self) -> RawFrame {
        let mut data = Vec::new();
        let (width, height) = (self.width as u32, self.height as u32);
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut data, 85)
            .encode(&self.luma, width, height, image::ExtendedColorType::L8)
            .unwrap();
        RawFrame { format: PixelFormat::Mjpeg, width, height, stride: 0, taken_ms: 0, data }
    }
}

fn never() -> impl FnMut() -> bool {
    || false
}

fn texts(frame: &RawFrame) -> Vec<String> {
    let luma = to_luma(frame).unwrap();
    let decoded = decode(&luma.view(), &mut never());
    decoded.codes.into_iter().map(|code| String::from_utf8(code.text).unwrap()).collect()
}

/// A small seeded generator, so that the fuzz bodies are the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let x = self.0 ^ (self.0 >> 33);
        x.wrapping_mul(0xFF51_AFD7_ED55_8CCD) >> 16
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

#[test]
fn the_short_code_reads_from_every_format_with_and_without_padding() {
    let painted = Painted::short();
    for format in [PixelFormat::Yuyv, PixelFormat::Nv12, PixelFormat::Grey] {
        for padding in [0, 1, 64] {
            assert_eq!(texts(&painted.raw(format, padding)), [SHORT], "{format:?} {padding}");
        }
    }
    assert_eq!(texts(&painted.jpeg()), [SHORT]);
}

#[test]
fn corners_are_where_the_code_is() {
    let painted = Painted::blank(640, 480).hold(SHORT, 5, (300, 200));
    let decoded = decode(&painted.view(), &mut never());
    let side = 37.0 * 5.0;
    let expected = [(300.0, 200.0), (300.0 + side, 200.0), (300.0 + side, 200.0 + side), (300.0, 200.0 + side)];
    for (found, expected) in decoded.codes[0].corners.iter().zip(expected) {
        let off = (found.0 - expected.0).hypot(found.1 - expected.1);
        assert!(off < 12.0, "{found:?} for {expected:?}");
    }
}

#[test]
fn a_code_that_fills_the_view_is_read_at_half_size_and_cheaper() {
    let large = Painted::blank(640, 480).hold(SHORT, 11, (100, 30));
    let small = Painted::blank(640, 480).hold(SHORT, 2, (100, 30));
    let (large, small) = (decode(&large.view(), &mut never()), decode(&small.view(), &mut never()));
    assert_eq!((large.pass, small.pass), (Some(Pass::Half), Some(Pass::Full)));
    assert!(large.units < small.units, "{} {}", large.units, small.units);
}

#[test]
fn several_codes_in_view_are_all_read() {
    let painted =
        Painted::blank(640, 480).hold(SHORT, 5, (30, 30)).hold("T1P", 5, (400, 40)).hold("MENU", 5, (60, 300));
    let mut texts = texts(&painted.raw(PixelFormat::Grey, 0));
    texts.sort();
    assert_eq!(texts, ["MENU", "T1P", SHORT]);
    let mut decoder = Decoder::new(Limits { codes_max: 2, ..Limits::default() });
    assert_eq!(decoder.decode(&painted.view(), &mut never()).codes.len(), 2);
}

#[test]
fn bytes_that_are_no_text_come_through() {
    let segments = [QrSegment::make_bytes(&[0xFF, 0, 0xC3, 0x28])];
    let code = QrCode::encode_segments_advanced(&segments, QrCodeEcc::Medium, Version::MIN, Version::MAX, None, false)
        .unwrap();
    let mut painted = Painted::blank(200, 200);
    for (i, value) in painted.luma.iter_mut().enumerate() {
        let (x, y) = ((i % 200) as i32 - 40, (i / 200) as i32 - 40);
        *value = if x >= 0 && y >= 0 && code.get_module(x / 5, y / 5) { 0 } else { 255 };
    }
    assert_eq!(decode(&painted.view(), &mut never()).codes[0].text, [0xFF, 0, 0xC3, 0x28]);
}

#[test]
fn a_large_frame_is_searched_at_a_smaller_size() {
    let painted = Painted::blank(3840, 2160).hold(SHORT, 12, (900, 700));
    let decoded = decode(&painted.view(), &mut never());
    assert_eq!(decoded.codes.len(), 1);
    assert!((decoded.codes[0].centre().0 - (900.0 + 37.0 * 6.0)).abs() < 40.0);
}

#[test]
fn frames_whose_numbers_and_bytes_disagree_are_refused_by_type() {
    let good = Painted::short().raw(PixelFormat::Yuyv, 0);
    let with = |change: &dyn Fn(&mut RawFrame)| {
        let mut frame = good.clone();
        change(&mut frame);
        to_luma(&frame).err()
    };
    assert_eq!(with(&|f| f.width = 0), Some(LumaError::Empty { width: 0, height: 240 }));
    let huge = SIDE_PX_MAX as u32 + 1;
    assert_eq!(with(&|f| f.height = huge), Some(LumaError::TooLarge { width: 320, height: SIDE_PX_MAX + 1 }));
    assert_eq!(with(&|f| f.stride = 639), Some(LumaError::StrideTooShort { row_bytes: 640, stride: 639 }));
    let needed = 640 * 240;
    assert_eq!(with(&|f| f.data.truncate(needed - 1)), Some(LumaError::TooShort { needed, got: needed - 1 }));
    // The last row needs no padding.
    let mut padded = Painted::short().raw(PixelFormat::Grey, 64);
    padded.data.truncate(padded.data.len() - 64);
    assert_eq!(texts(&padded), [SHORT]);
}

#[test]
fn a_jpeg_cut_anywhere_is_an_error_and_what_follows_it_is_ignored() {
    let whole = Painted::short().jpeg();
    let mut torn = whole.clone();
    for length in (0..whole.data.len()).step_by(97) {
        torn.data.truncate(0);
        torn.data.extend_from_slice(&whole.data[..length]);
        assert!(matches!(to_luma(&torn), Err(LumaError::JpegTruncated | LumaError::JpegDamaged(_))), "{length}");
    }
    torn.data = whole.data[..whole.data.len() / 2].to_vec();
    assert_eq!(to_luma(&torn).err(), Some(LumaError::JpegTruncated));
    let mut longer = whole.clone();
    longer.data.extend([0; 999]);
    assert_eq!(texts(&longer), [SHORT]);
}

#[test]
fn a_jpeg_without_huffman_tables_reads_as_cameras_send_it() {
    // Cameras leave the tables out and say AVI1: the usual ones are meant, which are what the encoder writes.
    let frame = Painted::short().jpeg();
    let mut data = vec![0xFF, 0xD8, 0xFF, 0xE0, 0, 16];
    data.extend(b"AVI1\0\0\0\0\0\0\0\0\0\0");
    let mut at = 2;
    while frame.data[at + 1] != 0xDA {
        let length = 2 + usize::from(u16::from_be_bytes([frame.data[at + 2], frame.data[at + 3]]));
        if !matches!(frame.data[at + 1], 0xC4 | 0xE0) {
            data.extend(&frame.data[at..at + length]);
        }
        at += length;
    }
    data.extend(&frame.data[at..]);
    assert_eq!(texts(&RawFrame { data, ..frame }), [SHORT]);
}

#[test]
fn an_expired_deadline_ends_the_search_and_is_asked_for_again_and_again() {
    let painted = Painted::blank(640, 480).hold(SHORT, 5, (100, 100));
    let decoded = decode(&painted.view(), &mut || true);
    assert_eq!((decoded.codes.len(), decoded.stopped, decoded.units), (0, Some(Stop::Deadline), 0));

    let mut asked = 0u64;
    let all = decode(&painted.view(), &mut || {
        asked += 1;
        false
    });
    assert!(asked > all.units / 30_000, "{asked} times in {} units", all.units);
    // Whenever it expires, the search ends before it is asked a second time.
    for expires_at in 1..asked {
        let mut now = 0;
        let decoded = decode(&painted.view(), &mut || {
            now += 1;
            now >= expires_at
        });
        assert_eq!(now, expires_at);
        assert_eq!(decoded.stopped, Some(Stop::Deadline));
        assert!(decoded.units <= all.units);
    }
}

#[test]
fn the_budget_is_exact_and_the_same_every_time() {
    let painted = Painted::short();
    let all = decode(&painted.view(), &mut never());
    assert_eq!(all, decode(&painted.view(), &mut never()));
    let with = |units_max| {
        let mut decoder = Decoder::new(Limits { units_max, ..Limits::default() });
        decoder.decode(&painted.view(), &mut never())
    };
    assert_eq!(with(all.units).codes, all.codes);
    let short = with(all.units - 1);
    assert_eq!((short.codes.len(), short.stopped), (0, Some(Stop::Budget)));
    assert!(short.units < all.units);
}

/// A field of finder patterns: any three of them might belong together.
fn finders(random: &mut Random, count: usize) -> Painted {
    let mut painted = Painted::blank(640, 480);
    for _ in 0..count {
        let module = 1 + random.below(4);
        let (left, top) = (random.below(640 - 7 * module), random.below(480 - 7 * module));
        for y in 0..7 * module {
            for x in 0..7 * module {
                let (column, row) = (x / module, y / module);
                let ring = column == 0 || row == 0 || column == 6 || row == 6;
                let stone = (2..5).contains(&column) && (2..5).contains(&row);
                painted.luma[(top + y) * 640 + left + x] = if ring || stone { 0 } else { 255 };
            }
        }
    }
    painted
}

/// Decodes within `limits`, and holds the decoder to them by what it really does: looks between pixels, which are most of
/// its work, are counted apart from its own account.
fn bounded(decoder: &mut Decoder, limits: Limits, view: &LumaView<'_>) -> Decoded {
    let before = LOOKS.get();
    let decoded = decoder.decode(view, &mut never());
    assert!(decoded.units <= limits.units_max);
    let looks = LOOKS.get() - before;
    assert!(looks <= decoded.units, "{looks} looks for {} units", decoded.units);
    decoded
}

#[test]
fn hostile_frames_stay_within_the_budget() {
    let mut random = Random(11);
    let limits = Limits { units_max: 1_000_000, ..Limits::default() };
    let mut decoder = Decoder::new(limits);
    let mut stops = Vec::new();
    for count in [10, 20, 40, 80, 160, 400, 1_500] {
        let decoded = bounded(&mut decoder, limits, &finders(&mut random, count).view());
        stops.push(decoded.stopped);
    }
    assert!(stops.contains(&Some(Stop::Budget)), "no frame was hostile enough: {stops:?}");
}

/// A symbol whose patterns are whole and whose data are dice: every pass and remedy is tried on it, in vain.
#[test]
fn a_symbol_that_says_nothing_is_paid_for_to_the_end() {
    let mut random = Random(12);
    for module_px in [3, 4, 5] {
        let mut painted = Painted::blank(320, 240).hold(SHORT, module_px, (40, 30));
        for (row, column) in (9..37).flat_map(|row| (9..37).map(move |column| (row, column))) {
            if (28..33).contains(&row) && (28..33).contains(&column) {
                continue;
            }
            let value = if random.below(2) == 0 { 30 } else { 220 };
            for y in 0..module_px {
                let from = (30 + row * module_px + y) * 320 + 40 + column * module_px;
                painted.luma[from..from + module_px].fill(value);
            }
        }
        let limits = Limits::default();
        let decoded = bounded(&mut Decoder::new(limits), limits, &painted.view());
        assert_eq!((decoded.codes.len(), decoded.stopped), (0, None));
        assert!(decoded.units > 1_000_000, "not every remedy was tried: {} units", decoded.units);
    }
}

#[test]
fn fuzz_whole_frames() {
    let mut random = Random(5);
    let limits = Limits { units_max: 3_000_000, ..Limits::default() };
    for round in 0..400 {
        let (width, height) = (1 + random.below(640), 1 + random.below(640));
        let mut luma: Vec<u8> = match round % 4 {
            0 => (0..width * height).map(|_| random.next() as u8).collect(),
            1 => {
                let (across, down) = (1 + random.below(9), 1 + random.below(9));
                (0..width * height)
                    .map(|i| if (i % width / across + i / width / down) % 2 == 0 { 0 } else { 255 })
                    .collect()
            }
            2 => vec![random.next() as u8; width * height],
            _ => {
                let Painted { luma, .. } = finders(&mut random, 30);
                luma.into_iter().cycle().take(width * height).collect()
            }
        };
        for _ in 0..random.below(200) {
            let at = random.below(luma.len());
            luma[at] ^= 0xFF;
        }
        let view = LumaView::new(width, height, width, &luma).unwrap();
        bounded(&mut Decoder::new(limits), limits, &view);
    }
}

#[test]
fn fuzz_damaged_codes() {
    let mut random = Random(6);
    let clean = Painted::short();
    for _ in 0..150 {
        let mut painted = Painted { luma: clean.luma.clone(), ..clean };
        for _ in 0..random.below(40) {
            let (left, top, side) = (random.below(300), random.below(220), 1 + random.below(20));
            let value = random.next() as u8;
            for y in top..(top + side).min(240) {
                for x in left..(left + side).min(320) {
                    painted.luma[y * 320 + x] = value;
                }
            }
        }
        for code in decode(&painted.view(), &mut never()).codes {
            assert_eq!(code.text, SHORT.as_bytes(), "a misread");
        }
    }
}

#[test]
fn fuzz_damaged_jpegs() {
    let mut random = Random(7);
    let whole = Painted::short().jpeg();
    for _ in 0..600 {
        let mut frame = whole.clone();
        for _ in 0..1 + random.below(12) {
            // Mostly in the headers, where it hurts.
            let bound = if random.below(3) > 0 { 700 } else { frame.data.len() };
            let at = random.below(bound.min(frame.data.len()));
            frame.data[at] = random.next() as u8;
        }
        let _ = to_luma(&frame);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a frame says of itself, it converts or is refused, and what it converts to has the size it said.
    #[test]
    fn any_raw_frame_converts_or_is_refused(
        format in 0usize..4,
        width in prop_oneof![0u32..70, any::<u32>()],
        height in prop_oneof![0u32..70, any::<u32>()],
        extra in prop_oneof![0u32..9, any::<u32>()],
        data in proptest::collection::vec(any::<u8>(), 0..9_000),
    ) {
        let format = PixelFormat::ALL[format];
        let stride = (format.row_bytes_min(width) as u32).wrapping_add(extra);
        let frame = RawFrame { format, width, height, stride, taken_ms: 0, data };
        if let Ok(luma) = to_luma(&frame) {
            let view = luma.view();
            prop_assert!(format == PixelFormat::Mjpeg || view.width() == width as usize);
            for y in 0..view.height() {
                prop_assert_eq!(view.row(y).len(), view.width());
            }
            let decoded = Decoder::new(Limits { units_max: 500_000, ..Limits::default() }).decode(&view, &mut never());
            prop_assert!(decoded.units <= 500_000);
        }
    }

    /// YUYV and GREY of the same picture convert to the same luma, also at odd widths.
    #[test]
    fn formats_agree(width in 1usize..40, height in 1usize..20, padding in 0usize..9, seed: u64) {
        let mut random = Random(seed);
        let painted = Painted { width, height, luma: (0..width * height).map(|_| random.next() as u8).collect() };
        for format in [PixelFormat::Yuyv, PixelFormat::Nv12, PixelFormat::Grey] {
            let frame = painted.raw(format, padding);
            let luma = to_luma(&frame).unwrap();
            for y in 0..height {
                prop_assert_eq!(luma.view().row(y), &painted.luma[y * width..(y + 1) * width]);
            }
        }
    }
}

#[test]
fn what_was_read_before_the_deadline_is_kept() {
    let painted = Painted::blank(640, 480).hold(SHORT, 5, (30, 30)).hold("MENU", 5, (300, 300));
    let mut asked = 0u64;
    let all = decode(&painted.view(), &mut || {
        asked += 1;
        false
    });
    assert_eq!(all.codes.len(), 2);
    let counts: Vec<usize> = (1..=asked)
        .map(|expires_at| {
            let mut now = 0;
            let decoded = decode(&painted.view(), &mut || {
                now += 1;
                now >= expires_at
            });
            decoded.codes.len()
        })
        .collect();
    assert!(counts.contains(&1), "one of the two: {counts:?}");
    assert!(counts.is_sorted(), "what more time takes away: {counts:?}");
}

#[test]
fn an_unread_frame_says_whether_something_in_it_looks_like_a_code() {
    let likely = |painted: &Painted| {
        let decoded = decode(&painted.view(), &mut never());
        assert!(decoded.codes.is_empty());
        decoded.likely
    };
    // Its data are gone, and one finder is enough.
    let mut spoilt = Painted::short();
    for y in 30..215 {
        let from = if y < 72 { 82 } else { 40 };
        spoilt.luma[y * 320 + from..y * 320 + 225].fill(200);
    }
    assert!(likely(&spoilt));
    let mut random = Random(3);
    let scene = |luma: &mut dyn FnMut(usize) -> u8| Painted {
        width: 320,
        height: 240,
        luma: (0..320 * 240).map(luma).collect(),
    };
    assert!(!likely(&scene(&mut |_| 128)), "a wall");
    assert!(!likely(&scene(&mut |at| (at % 320 / 2) as u8)), "light that falls off");
    assert!(!likely(&scene(&mut |at| if at % 320 / 8 % 2 == 0 { 20 } else { 220 })), "stripes");
    assert!(!likely(&scene(&mut |_| 100 + (random.next() % 16) as u8)), "noise");
}
