//! Paints what a camera at a gate would see: codes on screens, as luma, and encodes it as a camera would send it.
//!
//! Two ways lead to a picture. `Picture::of` and `Picture::hold` draw a bare code over an even background, which is what a
//! measurement wants. `View::paint` draws a gate: a phone or a sheet, held somehow, seen by a lens and a sensor.
//!
//! Invariants: pure, no clock and no I/O. Everything random comes from a seed, so that a frame that fails can be painted
//! again. Distances are in pixels of the picture, angles in degrees, brightness in 0 (black) to 255 (white).

mod held;
mod optics;
mod prop;
mod random;
mod view;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder as _};
use qrcodegen::{QrCode, QrCodeEcc, QrSegment};
use scanner_app::core::decode::raw::{PixelFormat, RawFrame};

pub use self::held::Held;
pub use self::random::Random;
pub use self::view::{Blur, Glare, Smear, View};

/// Why a picture could not be painted.
#[derive(Debug, thiserror::Error)]
pub enum PaintError {
    #[error("the text does not fit a QR code: shorten it")]
    TextTooLong,
    #[error("the picture could not be encoded")]
    Encode(#[from] image::ImageError),
}

/// A picture in luma, rows without padding.
#[derive(Clone)]
pub struct Picture {
    pub width: usize,
    pub height: usize,
    pub luma: Vec<u8>,
}

impl Picture {
    /// An even background.
    pub fn blank(width: usize, height: usize, brightness: u8) -> Picture {
        Picture { width, height, luma: vec![brightness; width * height] }
    }

    /// A clean code in the middle of a grey background: what most tests want.
    pub fn of(text: &str, width: usize, height: usize, module_px: f32) -> Result<Picture, PaintError> {
        let mut picture = Picture::blank(width, height, 128);
        picture.hold(text, &Held::in_the_middle(width, height, module_px))?;
        Ok(picture)
    }

    /// Blurs as a lens out of focus does: two box blurs of this radius.
    pub fn blur(&mut self, radius_px: usize) {
        if radius_px == 0 {
            return;
        }
        for _ in 0..2 {
            self.blur_rows(radius_px);
            self.transpose();
            self.blur_rows(radius_px);
            self.transpose();
        }
    }

    /// Adds noise of this standard deviation.
    pub fn noise(&mut self, deviation: f32, seed: u64) {
        let mut random = Random(seed);
        for value in &mut self.luma {
            let noisy = f32::from(*value) + random.bell() * deviation;
            *value = noisy.round().clamp(0.0, 255.0) as u8;
        }
    }

    /// The frame a camera would send. `padding` bytes follow every row, filled with what a camera leaves there: anything.
    pub fn encode(&self, format: PixelFormat, padding: usize, taken_ms: i64) -> Result<RawFrame, PaintError> {
        const JPEG_QUALITY: u8 = 85;
        let (width, height) = (self.width as u32, self.height as u32);
        let mut stride = format.row_bytes_min(width) + padding;
        let mut data = Vec::new();
        match format {
            PixelFormat::Mjpeg => {
                stride = 0;
                JpegEncoder::new_with_quality(&mut data, JPEG_QUALITY).encode(
                    &self.luma,
                    width,
                    height,
                    ExtendedColorType::L8,
                )?;
            }
            PixelFormat::Yuyv => {
                for row in self.rows() {
                    data.extend(row.iter().flat_map(|&y| [y, 128]));
                    data.extend((0..padding).map(|i| i as u8));
                }
            }
            PixelFormat::Grey | PixelFormat::Nv12 => {
                for row in self.rows() {
                    data.extend_from_slice(row);
                    data.extend((0..padding).map(|i| i as u8));
                }
                if format == PixelFormat::Nv12 {
                    data.resize(data.len() + stride * self.height.div_ceil(2), 128);
                }
            }
        }
        Ok(RawFrame { format, width, height, stride: stride as u32, taken_ms, data })
    }

    /// For people to look at.
    pub fn png(&self) -> Result<Vec<u8>, PaintError> {
        let mut data = Vec::new();
        let (width, height) = (self.width as u32, self.height as u32);
        PngEncoder::new(&mut data).write_image(&self.luma, width, height, ExtendedColorType::L8)?;
        Ok(data)
    }

    fn rows(&self) -> std::slice::ChunksExact<'_, u8> {
        self.luma.chunks_exact(self.width.max(1))
    }

    fn blur_rows(&mut self, radius: usize) {
        for row in self.luma.chunks_exact_mut(self.width.max(1)) {
            let before = row.to_vec();
            let mut sum = before.iter().take(radius).map(|&v| u32::from(v)).sum::<u32>();
            let mut count = radius.min(before.len()) as u32;
            for (x, out) in row.iter_mut().enumerate() {
                if let Some(&entering) = before.get(x + radius) {
                    sum += u32::from(entering);
                    count += 1;
                }
                if let Some(leaving) = x.checked_sub(radius + 1) {
                    sum -= u32::from(before[leaving]);
                    count -= 1;
                }
                *out = (sum / count.max(1)) as u8;
            }
        }
    }

    fn transpose(&mut self) {
        let mut turned = vec![0; self.luma.len()];
        for (y, row) in self.rows().enumerate() {
            for (x, &value) in row.iter().enumerate() {
                turned[x * self.height + y] = value;
            }
        }
        self.luma = turned;
        std::mem::swap(&mut self.width, &mut self.height);
    }
}

/// The symbol of a text: level M, the smallest version that holds it, alphanumeric wherever the text allows it.
pub fn symbol(text: &str) -> Result<QrCode, PaintError> {
    let segment = if QrSegment::is_alphanumeric(text) {
        QrSegment::make_alphanumeric(text)
    } else {
        QrSegment::make_bytes(text.as_bytes())
    };
    let (least, most) = (qrcodegen::Version::MIN, qrcodegen::Version::MAX);
    QrCode::encode_segments_advanced(&[segment], QrCodeEcc::Medium, least, most, None, false)
        .map_err(|_| PaintError::TextTooLong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use scanner_app::core::decode::{decode, luma::to_luma};

    /// As long as a short code: it must fit version 5 exactly.
    fn short_code(random: &mut Random) -> String {
        const SET: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
        let mut text = String::from("T1S");
        text.extend((0..119).map(|_| char::from(SET[(random.next_u64() % SET.len() as u64) as usize])));
        text
    }

    #[test]
    fn a_short_code_is_a_version_5_symbol() {
        let text = short_code(&mut Random(1));
        assert_eq!(symbol(&text).unwrap().version().value(), 5);
        assert_eq!(symbol(&format!("{text}0")).unwrap().version().value(), 6);
    }

    #[test]
    fn painted_frames_read_back_in_every_format() {
        let mut random = Random(2);
        for format in PixelFormat::ALL {
            let text = short_code(&mut random);
            let mut picture = Picture::blank(640, 480, 90);
            let held = Held { rotation_deg: 7.0, tilt_deg: 10.0, ..Held::in_the_middle(640, 480, 6.0) };
            picture.hold(&text, &held).unwrap();
            picture.blur(1);
            picture.noise(4.0, 3);
            let frame = picture.encode(format, 32, 0).unwrap();
            let luma = to_luma(&frame).unwrap();
            let decoded = decode(&luma.view(), &mut || false);
            assert_eq!(decoded.codes.len(), 1, "{format:?}");
            assert_eq!(decoded.codes[0].text, text.as_bytes(), "{format:?}");
            let (x, y) = decoded.codes[0].centre();
            assert!((x - 320.0).abs() < 15.0 && (y - 240.0).abs() < 15.0, "{x},{y}");
        }
    }

    #[test]
    fn the_same_seed_paints_the_same_frame() {
        let paint = |seed| {
            let mut picture = Picture::of("T1", 80, 60, 2.0).unwrap();
            picture.noise(9.0, seed);
            picture.luma
        };
        assert_eq!(paint(5), paint(5));
        assert_ne!(paint(5), paint(6));
    }
}
