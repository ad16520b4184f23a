//! Pictures from files, as luma: PNG, JPEG, WebP, GIF (its first frame) and recorded frames.
//!
//! Invariants: a file is untrusted, so its size, its sides and what it makes us allocate are bounded before it is decoded,
//! and nothing here panics on any file; what is too large for the decoder is shrunk by a whole factor; transparent
//! pictures lie on white, as they do on a page; how a picture is to be turned (EXIF) is ignored, as a camera would.

use std::fs::File;
use std::io::{self, Cursor, Read as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::error::{ImageError, LimitErrorKind};
use image::{DynamicImage, GenericImageView as _, ImageDecoder as _, ImageFormat, ImageReader, Limits};

use super::camera::frames::{self, FrameFileError};
use crate::core::decode::luma::{LumaError, LumaView, SIDE_PX_MAX, to_luma};

/// The largest file that is read, in bytes. Photographs have a tenth of it, recorded frames two thirds.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// The longest side that is decoded, in pixels; above [`SIDE_PX_MAX`] the picture is shrunk afterwards.
const FILE_SIDE_PX_MAX: u32 = 16_384;
/// The most that the pixels of a picture may take while it is decoded, in bytes.
const PIXEL_BYTES_MAX: u64 = 512 << 20;
/// The most pixels of a JPEG: a progressive one takes six more bytes for each while it is decoded.
const JPEG_PIXELS_MAX: u64 = 112 << 20;
/// The formats read, by the contents and never by the name.
const FORMATS: [ImageFormat; 4] = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Gif];

/// Why a file gives no picture. Each message is a sentence for whoever named the file.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    #[error("The file cannot be read ({0})")]
    Io(#[from] io::Error),
    #[error("This is a pipe or a device and no file: name a picture")]
    NoFile,
    #[error("The file is empty")]
    Empty,
    #[error("The file is larger than {} MiB, the most that is read: shrink the picture", FILE_BYTES_MAX >> 20)]
    FileTooLarge,
    #[error("The file is no PNG, JPEG, WebP or GIF picture and no recorded frame: convert it to one of them")]
    Unknown,
    #[error("The picture has more than {FILE_SIDE_PX_MAX} pixels a side: shrink it or cut the code out")]
    TooLarge,
    #[error("The picture would take more memory than the {} MiB it may: shrink it or cut the code out", PIXEL_BYTES_MAX >> 20)]
    TooMuchMemory,
    #[error("The picture is damaged or not what it says it is ({0}): save it again")]
    Damaged(String),
    #[error("The recorded frame cannot be used: {0}")]
    Frame(#[from] FrameFileError),
    #[error("The recorded frame cannot be used: {0}")]
    Luma(#[from] LumaError),
}

/// A picture in luma, rows without padding, no side longer than [`SIDE_PX_MAX`].
pub struct Picture {
    width: usize,
    height: usize,
    luma: Vec<u8>,
}

impl Picture {
    /// Errors: none that a picture made here can have; the type of the view demands the check.
    pub fn view(&self) -> Result<LumaView<'_>, LumaError> {
        LumaView::new(self.width, self.height, self.width, &self.luma)
    }
}

/// Reads a picture file.
pub fn read(path: &Path) -> Result<Picture, PictureError> {
    let kind = std::fs::metadata(path)?.file_type();
    // Opening a pipe would wait for whoever writes into it. Of a directory, reading says what it is.
    if !kind.is_file() && !kind.is_dir() {
        return Err(PictureError::NoFile);
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(PictureError::FileTooLarge);
    }
    parse(bytes)
}

/// Reads a picture file's bytes. The catch is for the day on which one of the readers panics on a file that nobody has
/// thought of: the other files are still to be read.
pub fn parse(bytes: Vec<u8>) -> Result<Picture, PictureError> {
    catch_unwind(AssertUnwindSafe(|| {
        if bytes.is_empty() {
            Err(PictureError::Empty)
        } else if bytes.starts_with(frames::MAGIC) {
            recorded(bytes)
        } else {
            encoded(&bytes)
        }
    }))
    .unwrap_or_else(|_| Err(PictureError::Damaged("its reader gave up".to_owned())))
}

fn recorded(bytes: Vec<u8>) -> Result<Picture, PictureError> {
    let frame = frames::parse(bytes)?;
    let luma = to_luma(&frame)?;
    let view = luma.view();
    let luma = (0..view.height()).flat_map(|y| view.row(y)).copied().collect();
    Ok(Picture { width: view.width(), height: view.height(), luma })
}

fn encoded(bytes: &[u8]) -> Result<Picture, PictureError> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    let format = reader.format().filter(|format| FORMATS.contains(format)).ok_or(PictureError::Unknown)?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(FILE_SIDE_PX_MAX);
    limits.max_image_height = Some(FILE_SIDE_PX_MAX);
    limits.max_alloc = Some(PIXEL_BYTES_MAX);
    reader.limits(limits.clone());
    let decoder = reader.into_decoder().map_err(fault)?;
    let (width, height) = decoder.dimensions();
    // The reader has compared the sides alone; what they come to is known only now.
    limits.reserve(decoder.total_bytes()).map_err(fault)?;
    if format == ImageFormat::Jpeg && u64::from(width) * u64::from(height) > JPEG_PIXELS_MAX {
        return Err(PictureError::TooMuchMemory);
    }
    let image = DynamicImage::from_decoder(decoder).map_err(fault)?;
    Ok(luma_of(&image))
}

fn fault(error: ImageError) -> PictureError {
    match error {
        ImageError::Limits(limit) => match limit.kind() {
            LimitErrorKind::DimensionError => PictureError::TooLarge,
            _ => PictureError::TooMuchMemory,
        },
        ImageError::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            PictureError::Damaged("it ends too early".to_owned())
        }
        other => PictureError::Damaged(other.to_string()),
    }
}

/// Takes the luma out of decoded pixels. Deeper samples lose their lower bits: a code is black and white.
fn luma_of(image: &DynamicImage) -> Picture {
    let size = image.dimensions();
    let top = |sample: u16| (sample >> 8) as u8;
    match image {
        DynamicImage::ImageLuma8(pixels) => shrink(size, pixels, |p: &[u8; 1]| p[0]),
        DynamicImage::ImageLumaA8(pixels) => shrink(size, pixels, |p: &[u8; 2]| on_white(p[0], p[1])),
        DynamicImage::ImageRgb8(pixels) => shrink(size, pixels, |p: &[u8; 3]| weighed(*p)),
        DynamicImage::ImageRgba8(pixels) => {
            shrink(size, pixels, |p: &[u8; 4]| on_white(weighed([p[0], p[1], p[2]]), p[3]))
        }
        DynamicImage::ImageLuma16(pixels) => shrink(size, pixels, |p: &[u16; 1]| top(p[0])),
        DynamicImage::ImageLumaA16(pixels) => shrink(size, pixels, |p: &[u16; 2]| on_white(top(p[0]), top(p[1]))),
        DynamicImage::ImageRgb16(pixels) => shrink(size, pixels, |p: &[u16; 3]| weighed(p.map(top))),
        DynamicImage::ImageRgba16(pixels) => {
            shrink(size, pixels, |p: &[u16; 4]| on_white(weighed([p[0], p[1], p[2]].map(top)), top(p[3])))
        }
        // None of the formats read here has other samples.
        other => shrink(size, &other.to_rgba8(), |p: &[u8; 4]| on_white(weighed([p[0], p[1], p[2]]), p[3])),
    }
}

/// The luma of BT.601, which is what cameras and JPEG mean by it. The weights add up to 2^16.
fn weighed([red, green, blue]: [u8; 3]) -> u8 {
    ((19_595 * u32::from(red) + 38_470 * u32::from(green) + 7_471 * u32::from(blue) + 32_768) >> 16) as u8
}

fn on_white(luma: u8, alpha: u8) -> u8 {
    let (luma, alpha) = (u32::from(luma), u32::from(alpha));
    ((luma * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}

/// Makes luma of `pixels` of `CHANNELS` samples each, by the least whole factor that the decoder can take; each pixel is
/// the mean of its block, and blocks that the edge cuts off are left out.
fn shrink<T, const CHANNELS: usize>(
    (width, height): (u32, u32),
    pixels: &[T],
    luma: impl Fn(&[T; CHANNELS]) -> u8,
) -> Picture {
    let (width, height) = (width as usize, height as usize);
    let factor = width.max(height).div_ceil(SIDE_PX_MAX).max(1);
    // A picture narrower than the factor is a line, in which there is no code; one pixel of it is kept all the same.
    let (out_width, out_height) = ((width / factor).max(1), (height / factor).max(1));
    let mut out = Vec::with_capacity(out_width * out_height);
    let (pixels, _) = pixels.as_chunks::<CHANNELS>();
    let mut sums = vec![0u32; out_width];
    for rows in pixels.chunks(width.max(1) * factor).take(out_height) {
        sums.fill(0);
        for row in rows.chunks(width.max(1)) {
            for (sum, block) in sums.iter_mut().zip(row.chunks(factor)) {
                *sum += block.iter().map(|pixel| u32::from(luma(pixel))).sum::<u32>();
            }
        }
        let area = (rows.len() / width.max(1) * factor.min(width)).max(1) as u32;
        out.extend(sums.iter().map(|sum| (sum / area) as u8));
    }
    Picture { width: out_width, height: out_height, luma: out }
}

#[cfg(test)]
#[path = "picture_tests.rs"]
mod tests;
