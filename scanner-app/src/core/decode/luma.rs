//! Turns raw frames into luma, which is all that a QR code needs.
//!
//! Invariants: `LumaView` can only be made so that every row it promises lies inside its bytes; nothing here panics on
//! any input, and nothing is converted through RGB (the Y bytes are already what the decoder wants).

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::raw::{PixelFormat, RawFrame};

/// The longest side that is looked at, in pixels. It bounds what a forged header can make us allocate.
pub const SIDE_PX_MAX: usize = 4096;
/// Scans a progressive JPEG may have. Cameras send baseline pictures, which have one.
const JPEG_SCANS_MAX: usize = 16;

/// Why a frame cannot be looked at. The frame is dropped and the next one tried; a source that sends nothing else has a
/// wrong format or a loose cable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LumaError {
    #[error("the frame has no pixels ({width}x{height}): choose another camera mode")]
    Empty { width: usize, height: usize },
    #[error(
        "the frame is {width}x{height} pixels and at most {SIDE_PX_MAX} a side are read: choose a smaller camera mode"
    )]
    TooLarge { width: usize, height: usize },
    #[error("a row takes {row_bytes} bytes but rows are said to be {stride} bytes apart: choose another camera mode")]
    StrideTooShort { row_bytes: usize, stride: usize },
    #[error("the frame holds {got} bytes where its size needs {needed}: check the camera's cable")]
    TooShort { needed: usize, got: usize },
    #[error("the JPEG frame ends too early: check the camera's cable")]
    JpegTruncated,
    #[error("the JPEG frame cannot be read ({0}): check the camera's cable or choose another camera mode")]
    JpegDamaged(String),
}

/// Luma that somebody else holds: rows of `width` bytes, `stride` bytes apart, 0 black and 255 white.
#[derive(Clone, Copy)]
pub struct LumaView<'a> {
    width: usize,
    height: usize,
    stride: usize,
    data: &'a [u8],
}

impl<'a> LumaView<'a> {
    /// Checks once that every row lies inside `data`; the last row needs no padding.
    pub fn new(width: usize, height: usize, stride: usize, data: &'a [u8]) -> Result<Self, LumaError> {
        check_size(width, height)?;
        check_rows(height, width, stride, data.len())?;
        Ok(LumaView { width, height, stride, data })
    }

    pub fn width(&self) -> usize {
        self.width
    }

    pub fn height(&self) -> usize {
        self.height
    }

    /// A part of the picture; `None` when it does not lie inside or is empty.
    pub fn part(&self, left: usize, top: usize, width: usize, height: usize) -> Option<LumaView<'a>> {
        let inside = left.checked_add(width)? <= self.width && top.checked_add(height)? <= self.height;
        if width == 0 || height == 0 || !inside {
            return None;
        }
        let data = &self.data[top * self.stride + left..];
        LumaView::new(width, height, self.stride, data).ok()
    }

    /// The row at `y`, which must be below `height`.
    pub fn row(&self, y: usize) -> &'a [u8] {
        let start = y * self.stride;
        &self.data[start..start + self.width]
    }
}

/// Luma that came out of a frame: borrowed where the frame has it as a plane, owned where it had to be picked out.
pub struct Luma<'a> {
    width: usize,
    height: usize,
    stride: usize,
    data: Cow<'a, [u8]>,
}

impl Luma<'_> {
    pub fn view(&self) -> LumaView<'_> {
        LumaView { width: self.width, height: self.height, stride: self.stride, data: &self.data }
    }
}

/// Finds the luma of a raw frame. GREY and NV12 cost nothing, YUYV one pass over the rows, MJPEG one decode without
/// colour.
///
/// Errors: everything in which the frame's numbers and bytes disagree, see `LumaError`.
pub fn to_luma(frame: &RawFrame) -> Result<Luma<'_>, LumaError> {
    let (width, height, stride) = (frame.width as usize, frame.height as usize, frame.stride as usize);
    if frame.format == PixelFormat::Mjpeg {
        return jpeg_luma(&frame.data);
    }
    check_size(width, height)?;
    check_rows(height, frame.format.row_bytes_min(frame.width), stride, frame.data.len())?;
    let luma = match frame.format {
        PixelFormat::Yuyv => {
            let mut luma = Vec::with_capacity(width * height);
            for y in 0..height {
                let start = y * stride;
                let row = &frame.data[start..start + width * 2];
                luma.extend(row.chunks_exact(2).map(|pixel| pixel[0]));
            }
            return Ok(Luma { width, height, stride: width, data: Cow::Owned(luma) });
        }
        PixelFormat::Nv12 | PixelFormat::Grey | PixelFormat::Mjpeg => Cow::Borrowed(frame.data.as_slice()),
    };
    Ok(Luma { width, height, stride, data: luma })
}

fn check_size(width: usize, height: usize) -> Result<(), LumaError> {
    if width == 0 || height == 0 {
        return Err(LumaError::Empty { width, height });
    }
    if width > SIDE_PX_MAX || height > SIDE_PX_MAX {
        return Err(LumaError::TooLarge { width, height });
    }
    Ok(())
}

fn check_rows(height: usize, row_bytes: usize, stride: usize, got: usize) -> Result<(), LumaError> {
    if stride < row_bytes {
        return Err(LumaError::StrideTooShort { row_bytes, stride });
    }
    let needed = (height - 1).saturating_mul(stride).saturating_add(row_bytes);
    if got < needed {
        return Err(LumaError::TooShort { needed, got });
    }
    Ok(())
}

/// Decodes a JPEG to luma alone. The catch is for the day the JPEG reader panics on a frame nobody has thought of: a
/// camera must not be able to stop a lane.
fn jpeg_luma(data: &[u8]) -> Result<Luma<'static>, LumaError> {
    let picture = complete_picture(data)?;
    let result = catch_unwind(AssertUnwindSafe(|| {
        let options = DecoderOptions::default()
            .set_max_width(SIDE_PX_MAX)
            .set_max_height(SIDE_PX_MAX)
            .jpeg_set_max_scans(JPEG_SCANS_MAX)
            .jpeg_set_out_colorspace(ColorSpace::Luma);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(picture), options);
        let pixels = decoder.decode().map_err(|e| LumaError::JpegDamaged(e.to_string()))?;
        let (width, height) = decoder.dimensions().unwrap_or((0, 0));
        Ok((width, height, pixels))
    }));
    let (width, height, pixels) = match result {
        Ok(done) => done?,
        Err(_) => return Err(LumaError::JpegDamaged("the reader gave up".to_owned())),
    };
    check_size(width, height)?;
    check_rows(height, width, width, pixels.len())?;
    Ok(Luma { width, height, stride: width, data: Cow::Owned(pixels) })
}

/// The bytes from the picture's start to its end marker. The JPEG reader fills what is missing with grey, which would
/// hide a bad cable, so the end marker is demanded here; behind it a camera's buffer may hold anything.
fn complete_picture(data: &[u8]) -> Result<&[u8], LumaError> {
    const START: [u8; 2] = [0xFF, 0xD8];
    const SCAN: [u8; 2] = [0xFF, 0xDA];
    const END: [u8; 2] = [0xFF, 0xD9];
    if !data.starts_with(&START) {
        return Err(LumaError::JpegDamaged("it does not begin like a picture".to_owned()));
    }
    // Headers are walked by their lengths, so that a thumbnail's end marker inside them is not taken for the picture's.
    let mut at = START.len();
    loop {
        match data.get(at..at + 2) {
            None => return Err(LumaError::JpegTruncated),
            Some(marker) if marker == SCAN => break,
            Some([0xFF, 0xFF]) => at += 1,
            Some([0xFF, _]) => match data.get(at + 2..at + 4) {
                Some(&[high, low]) => at += 2 + usize::from(u16::from_be_bytes([high, low])).max(2),
                _ => return Err(LumaError::JpegTruncated),
            },
            Some(_) => return Err(LumaError::JpegDamaged("a header is out of place".to_owned())),
        }
    }
    match data[at..].windows(2).position(|pair| pair == END) {
        Some(end) => Ok(&data[..at + end + 2]),
        None => Err(LumaError::JpegTruncated),
    }
}
