//! The decoders that are compared, each with its best options for QR codes, behind one trait.
//!
//! Invariant: what a peer does - panic, fail - costs it the picture and nothing else.

use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::{Context, Result};
use rqrr::PreparedImage;
use rxing::{BarcodeFormat, DecodeHints};
use scanner_app::core::decode::luma::LumaView;
use scanner_app::core::decode::{Decoder, Limits};
use zbar_rust::{ZBarConfig, ZBarImageScanner, ZBarSymbolType};
use zxingcpp::{BarcodeReader, ImageFormat, ImageView, TextMode};

use super::picture::Picture;

/// A decoder under test.
pub trait Reader {
    fn name(&self) -> &'static str;
    /// The texts of the QR codes in the picture, as bytes.
    fn read(&mut self, picture: &Picture) -> Vec<Vec<u8>>;
    /// What else there is to say after a run, and forget it.
    fn remarks(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// Turnstone's own, and its peers where they are wanted. Turnstone is the first, zxing-cpp the second.
pub fn all(with_peers: bool) -> Result<Vec<Box<dyn Reader>>> {
    let mut readers: Vec<Box<dyn Reader>> = vec![Box::<Turnstone>::default()];
    if with_peers {
        readers.push(Box::new(ZxingCpp::new("zxing-cpp", false)));
        readers.push(Box::new(ZxingCpp::new("zxing-cpp/n", true)));
        readers.push(Box::<Rxing>::default());
        readers.push(Box::new(Zbar::new()?));
        readers.push(Box::<Rqrr>::default());
    }
    Ok(readers)
}

/// What a reader of the table must know about the columns.
pub const NOTES: [&str; 5] = [
    "turnstone: default limits, no deadline, a fresh decoder for each picture.",
    "zxing-cpp: try_harder, try_rotate, try_invert, try_downscale, QR codes only; looks for every code there may be.",
    "zxing-cpp/n: the same, told beforehand how many codes are in view, so that it may stop: the least it can cost.",
    "rxing: TryHarder, AlsoInverted, QR codes only, told whether there are several codes. zbar: density 1, inverted, binary.",
    "rqrr: as it comes, with its panics caught.",
];

/// Our own decoder, afresh for each picture, so that nothing is carried from one to the next.
#[derive(Default)]
struct Turnstone {
    passes: BTreeMap<&'static str, usize>,
    units_max: u64,
}

impl Reader for Turnstone {
    fn name(&self) -> &'static str {
        "turnstone"
    }

    fn read(&mut self, picture: &Picture) -> Vec<Vec<u8>> {
        let Ok(view) = LumaView::new(picture.width, picture.height, picture.width, &picture.luma) else {
            return Vec::new();
        };
        let decoded = Decoder::default().decode(&view, &mut || false);
        *self.passes.entry(decoded.pass.map_or("none", |pass| pass.name())).or_default() += 1;
        self.units_max = self.units_max.max(decoded.units);
        decoded.codes.into_iter().map(|code| code.text).collect()
    }

    fn remarks(&mut self) -> Vec<String> {
        let passes: Vec<String> = self.passes.iter().map(|(pass, count)| format!("{pass} {count}")).collect();
        let (spent, limit) = (self.units_max, Limits::default().units_max);
        *self = Turnstone::default();
        vec![
            format!("turnstone's pictures by the pass that read them: {}", passes.join(", ")),
            format!("turnstone's costliest picture took {spent} units of {limit}"),
        ]
    }
}

struct ZxingCpp {
    name: &'static str,
    reader: BarcodeReader,
    /// Whether it is told how many codes there are.
    told: bool,
}

impl ZxingCpp {
    fn new(name: &'static str, told: bool) -> ZxingCpp {
        let reader = zxingcpp::read()
            .formats(zxingcpp::BarcodeFormat::QRCode)
            .try_harder(true)
            .try_rotate(true)
            .try_invert(true)
            .try_downscale(true)
            .text_mode(TextMode::Plain);
        ZxingCpp { name, reader, told }
    }
}

impl Reader for ZxingCpp {
    fn name(&self) -> &'static str {
        self.name
    }

    fn read(&mut self, picture: &Picture) -> Vec<Vec<u8>> {
        if self.told {
            self.reader.set_max_number_of_symbols(picture.codes() as i32);
        }
        let (width, height) = (picture.width as i32, picture.height as i32);
        let Ok(view) = ImageView::from_slice(&picture.luma, width, height, ImageFormat::Lum) else {
            return Vec::new();
        };
        let found = self.reader.from(view).unwrap_or_default();
        found.iter().map(|code| code.text().into_bytes()).collect()
    }
}

/// Rust's port of the same family.
#[derive(Default)]
struct Rxing {
    panics: usize,
}

impl Reader for Rxing {
    fn name(&self) -> &'static str {
        "rxing"
    }

    fn read(&mut self, picture: &Picture) -> Vec<Vec<u8>> {
        let (width, height) = (picture.width as u32, picture.height as u32);
        let mut hints = DecodeHints {
            TryHarder: Some(true),
            AlsoInverted: Some(true),
            PossibleFormats: Some(HashSet::from([BarcodeFormat::QR_CODE])),
            ..DecodeHints::default()
        };
        let found = guarded(&mut self.panics, || {
            if picture.codes() > 1 {
                let luma = picture.luma.clone();
                rxing::helpers::detect_multiple_in_luma_with_hints(luma, width, height, &mut hints)
            } else {
                let only = Some(BarcodeFormat::QR_CODE);
                rxing::helpers::detect_in_luma_slice_with_hints(&picture.luma, width, height, only, &mut hints)
                    .map(|code| vec![code])
            }
        });
        let found = found.and_then(Result::ok).unwrap_or_default();
        found.iter().map(|code| code.getText().as_bytes().to_vec()).collect()
    }

    fn remarks(&mut self) -> Vec<String> {
        panics("rxing", &mut self.panics)
    }
}

struct Zbar {
    scanner: ZBarImageScanner,
}

impl Zbar {
    fn new() -> Result<Zbar> {
        let mut scanner = ZBarImageScanner::new();
        let mut set = |kind, config, value| {
            scanner.set_config(kind, config, value).with_context(|| format!("zbar refuses {config:?}"))
        };
        set(ZBarSymbolType::ZBarNone, ZBarConfig::ZBarCfgEnable, 0)?;
        set(ZBarSymbolType::ZBarQRCode, ZBarConfig::ZBarCfgEnable, 1)?;
        // The symbol's own bytes: its guess of their character set is often wrong.
        set(ZBarSymbolType::ZBarQRCode, ZBarConfig::ZBarCfgBinary, 1)?;
        set(ZBarSymbolType::ZBarNone, ZBarConfig::ZBarCfgXDensity, 1)?;
        set(ZBarSymbolType::ZBarNone, ZBarConfig::ZBarCfgYDensity, 1)?;
        set(ZBarSymbolType::ZBarNone, ZBarConfig::ZBarCfgTestInverted, 1)?;
        Ok(Zbar { scanner })
    }
}

impl Reader for Zbar {
    fn name(&self) -> &'static str {
        "zbar"
    }

    fn read(&mut self, picture: &Picture) -> Vec<Vec<u8>> {
        let (width, height) = (picture.width as u32, picture.height as u32);
        let found = self.scanner.scan_y800(&picture.luma, width, height).unwrap_or_default();
        found.into_iter().map(|code| code.data).collect()
    }
}

#[derive(Default)]
struct Rqrr {
    panics: usize,
}

impl Reader for Rqrr {
    fn name(&self) -> &'static str {
        "rqrr"
    }

    fn read(&mut self, picture: &Picture) -> Vec<Vec<u8>> {
        let (width, height) = (picture.width, picture.height);
        let found = guarded(&mut self.panics, || {
            let mut image = PreparedImage::prepare_from_greyscale(width, height, |x, y| picture.luma[y * width + x]);
            let grids = image.detect_grids();
            let mut texts = Vec::new();
            for grid in grids {
                let mut text = Vec::new();
                if grid.decode_to(&mut text).is_ok() {
                    texts.push(text);
                }
            }
            texts
        });
        found.unwrap_or_default()
    }

    fn remarks(&mut self) -> Vec<String> {
        panics("rqrr", &mut self.panics)
    }
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Keeps the panics that are caught here from being printed. To be called once.
pub fn quiet_guarded_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !GUARDED.get() {
            before(info);
        }
    }));
}

fn guarded<T>(panics: &mut usize, work: impl FnOnce() -> T) -> Option<T> {
    GUARDED.set(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(false);
    if done.is_err() {
        *panics += 1;
    }
    done.ok()
}

fn panics(name: &str, count: &mut usize) -> Vec<String> {
    match std::mem::take(count) {
        0 => Vec::new(),
        count => vec![format!("{name} panicked on {count} pictures")],
    }
}
