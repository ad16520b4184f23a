//! A frame as a camera handed it over, before anyone has looked at it.
//!
//! Invariant: a `RawFrame` is untrusted. Its numbers may contradict its bytes; only `luma::to_luma` judges that.

use std::fmt;

/// How the bytes of a frame are laid out. Named after V4L2's codes for the same layouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// Y0 U Y1 V: two bytes a pixel, luma in the even ones.
    Yuyv,
    /// A plane of luma, then a plane of chroma at a quarter of the resolution (never read here).
    Nv12,
    /// One byte of luma a pixel.
    Grey,
    /// One JPEG picture, with or without its Huffman tables. Its stride means nothing.
    Mjpeg,
}

impl PixelFormat {
    pub const ALL: [PixelFormat; 4] = [PixelFormat::Yuyv, PixelFormat::Nv12, PixelFormat::Grey, PixelFormat::Mjpeg];

    /// The four characters V4L2 and recorded frame files use for this format.
    pub fn fourcc(self) -> [u8; 4] {
        match self {
            PixelFormat::Yuyv => *b"YUYV",
            PixelFormat::Nv12 => *b"NV12",
            PixelFormat::Grey => *b"GREY",
            PixelFormat::Mjpeg => *b"MJPG",
        }
    }

    /// The format a four-character code names, if the decoder can read it.
    pub fn from_fourcc(code: [u8; 4]) -> Option<PixelFormat> {
        PixelFormat::ALL.into_iter().find(|format| format.fourcc() == code)
    }

    /// The least bytes a row of `width` pixels takes in the plane that holds luma; 0 where rows mean nothing.
    pub fn row_bytes_min(self, width: u32) -> usize {
        match self {
            PixelFormat::Yuyv => width as usize * 2,
            PixelFormat::Nv12 | PixelFormat::Grey => width as usize,
            PixelFormat::Mjpeg => 0,
        }
    }
}

/// A frame in the camera's own format.
#[derive(Clone, PartialEq, Eq)]
pub struct RawFrame {
    pub format: PixelFormat,
    /// In pixels. For MJPEG the picture's own header wins.
    pub width: u32,
    pub height: u32,
    /// Bytes from one row to the next; cameras pad rows. Ignored for MJPEG.
    pub stride: u32,
    /// When the frame was taken, in unix milliseconds by the clock of whoever took it.
    pub taken_ms: i64,
    pub data: Vec<u8>,
}

impl fmt::Debug for RawFrame {
    /// Says what the frame is and not what it shows: a log must never hold a readable ticket.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawFrame")
            .field("format", &self.format)
            .field("width", &self.width)
            .field("height", &self.height)
            .field("stride", &self.stride)
            .field("taken_ms", &self.taken_ms)
            .field("data_bytes", &self.data.len())
            .finish()
    }
}
