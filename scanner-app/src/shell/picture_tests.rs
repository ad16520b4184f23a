//! Picture files: every kind of pixel gives the luma one expects, and no file does harm.

use image::{
    ExtendedColorType, GrayAlphaImage, GrayImage, ImageBuffer, ImageEncoder as _, Luma, Rgb, RgbImage, Rgba, RgbaImage,
};
use proptest::prelude::*;

use super::*;

fn encode(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn luma(bytes: Vec<u8>) -> Vec<u8> {
    parse(bytes).map(|picture| picture.luma).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn colours_are_weighed_as_cameras_do_and_transparency_lies_on_white() {
    let colours = RgbImage::from_fn(4, 1, |x, _| {
        [Rgb([255, 0, 0]), Rgb([0, 255, 0]), Rgb([0, 0, 255]), Rgb([255; 3])][x as usize]
    });
    assert_eq!(luma(encode(colours, ImageFormat::Png)), [76, 150, 29, 255]);
    let glass =
        RgbaImage::from_fn(3, 1, |x, _| [Rgba([0, 0, 0, 0]), Rgba([0, 0, 0, 255]), Rgba([0, 0, 0, 128])][x as usize]);
    for format in [ImageFormat::Png, ImageFormat::WebP] {
        assert_eq!(luma(encode(glass.clone(), format)), [255, 0, 127], "{format:?}");
    }
    let glass = GrayAlphaImage::from_fn(2, 1, |x, _| image::LumaA([10, x as u8 * 255]));
    assert_eq!(luma(encode(glass, ImageFormat::Png)), [255, 10]);
}

#[test]
fn deep_samples_and_palettes_are_read() {
    let deep: ImageBuffer<Luma<u16>, Vec<u16>> = ImageBuffer::from_fn(2, 1, |x, _| Luma([0x1234 + x as u16 * 0x8000]));
    assert_eq!(luma(encode(DynamicImage::ImageLuma16(deep), ImageFormat::Png)), [0x12, 0x92]);
    let deep: ImageBuffer<Rgba<u16>, Vec<u16>> =
        ImageBuffer::from_fn(2, 1, |x, _| Rgba([0x8080, 0x8080, 0x8080, x as u16 * 0xFFFF]));
    assert_eq!(luma(encode(DynamicImage::ImageRgba16(deep), ImageFormat::Png)), [255, 0x80]);

    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 4, 1);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Two);
    encoder.set_palette(vec![0, 0, 0, 255, 255, 255, 255, 0, 0]);
    encoder.write_header().unwrap().write_image_data(&[0b00_01_10_01]).unwrap();
    assert_eq!(luma(bytes), [0, 255, 76, 255]);
}

#[test]
fn a_gif_gives_its_first_frame() {
    let mut bytes = Vec::new();
    {
        let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
        for shade in [40, 200] {
            encoder.encode(&[shade; 3 * 8 * 8], 8, 8, ExtendedColorType::Rgb8).unwrap();
        }
    }
    assert_eq!(luma(bytes), [40; 64]);
}

#[test]
fn grey_and_coloured_jpegs_give_about_the_same_luma() {
    let grey = GrayImage::from_fn(32, 32, |x, y| Luma([(x * 4 + y * 2) as u8]));
    let expected = grey.clone().into_raw();
    let coloured = RgbImage::from_fn(32, 32, |x, y| Rgb([(x * 4 + y * 2) as u8; 3]));
    for bytes in [encode(grey, ImageFormat::Jpeg), encode(coloured, ImageFormat::Jpeg)] {
        for (found, expected) in luma(bytes).into_iter().zip(&expected) {
            assert!(found.abs_diff(*expected) < 8, "{found} for {expected}");
        }
    }
}

/// Four squares, black, white, red and mid-grey, in printers' inks as picture editors save them.
const CMYK: &[u8] = include_bytes!("../../tests/data/cmyk.jpg");

#[test]
fn a_jpeg_in_printers_inks_is_not_inverted() {
    let picture = parse(CMYK.to_vec()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((picture.width, picture.height), (32, 32));
    let at = |x: usize, y: usize| i32::from(picture.luma[y * 32 + x]);
    for (found, expected) in [at(8, 8), at(24, 8), at(8, 24), at(24, 24)].into_iter().zip([0, 255, 76, 128]) {
        assert!((found - expected).abs() < 30, "{found} for {expected}");
    }
}

#[test]
fn how_a_picture_is_to_be_turned_is_ignored() {
    let image = GrayImage::from_fn(16, 8, |x, _| Luma([if x < 8 { 0 } else { 255 }]));
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::jpeg::JpegEncoder::new(&mut bytes);
    // A TIFF header with one entry: orientation 6, a quarter turn.
    let exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec();
    encoder.set_exif_metadata(exif).unwrap();
    encoder.encode_image(&image).unwrap();
    let picture = parse(bytes).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((picture.width, picture.height), (16, 8));
}

#[test]
fn what_is_too_large_for_the_decoder_is_shrunk_by_a_whole_factor() {
    let side = SIDE_PX_MAX as u32 + 904;
    let stripes = GrayImage::from_fn(side, 3, |x, _| Luma([if x % 2 == 0 { 0 } else { 100 }]));
    let picture = parse(encode(stripes, ImageFormat::Png)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((picture.width, picture.height), (side as usize / 2, 1));
    assert!(picture.luma.iter().all(|&v| v == 50));
    assert!(picture.view().is_ok());
    let line = parse(encode(GrayImage::from_pixel(16_384, 1, Luma([9])), ImageFormat::Png));
    assert_eq!(line.map(|picture| (picture.width, picture.height, picture.luma[0])).ok(), Some((4_096, 1, 9)));
}

/// A PNG that says it is this large, and holds next to nothing.
fn promise(width: u32, height: u32, color: png::ColorType, depth: png::BitDepth) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    let mut writer = encoder.write_header().unwrap();
    writer.write_chunk(png::chunk::IDAT, &[0x78, 0x9C, 3, 0]).unwrap();
    drop(writer);
    bytes
}

#[test]
fn sizes_are_refused_before_anything_is_unpacked() {
    let fault = |bytes: Vec<u8>| parse(bytes).map(|_| ()).unwrap_err().to_string();
    let huge = fault(promise(2_000_000_000, 2_000_000_000, png::ColorType::Rgba, png::BitDepth::Sixteen));
    assert!(huge.contains("16384 pixels a side"), "{huge}");
    let long = fault(promise(16_385, 1, png::ColorType::Grayscale, png::BitDepth::Eight));
    assert!(long.contains("16384 pixels a side"), "{long}");
    let heavy = fault(promise(16_384, 16_384, png::ColorType::Rgba, png::BitDepth::Eight));
    assert!(heavy.contains("512 MiB"), "{heavy}");
    // A GIF and a JPEG that promise the same.
    let mut gif = Vec::new();
    image::codecs::gif::GifEncoder::new(&mut gif).encode(&[9; 12], 2, 2, ExtendedColorType::Rgb8).unwrap();
    gif[6..10].fill(0xFF);
    let gif = fault(gif);
    assert!(gif.contains("16384 pixels a side"), "{gif}");
    let mut jpeg = encode(GrayImage::new(8, 8), ImageFormat::Jpeg);
    let sof = jpeg.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    jpeg[sof + 5..sof + 9].copy_from_slice(&[0x40, 0, 0x40, 0]);
    let jpeg = fault(jpeg);
    assert!(jpeg.contains("512 MiB"), "{jpeg}");
}

#[test]
fn what_is_no_picture_is_said_to_be_none() {
    let fault = |bytes: &[u8]| parse(bytes.to_vec()).map(|_| ()).unwrap_err();
    assert!(matches!(fault(b""), PictureError::Empty));
    for bytes in [&b"hello"[..], b"BM\0\0\0\0", b"\0\0\0\x20ftypavif", &[0; 4_000]] {
        assert!(matches!(fault(bytes), PictureError::Unknown), "{}", bytes.escape_ascii());
    }
    assert!(matches!(fault(b"TSFRAME1"), PictureError::Frame(FrameFileError::Header)));
    let whole = encode(GrayImage::from_fn(40, 40, |x, y| Luma([(x * y) as u8])), ImageFormat::Png);
    assert!(matches!(fault(&whole[..whole.len() / 2]), PictureError::Damaged(_)));
}

#[test]
fn a_recorded_frame_is_read_with_its_padding() {
    let mut bytes = b"TSFRAME1GREY".to_vec();
    for number in [2u32, 2, 3] {
        bytes.extend(number.to_be_bytes());
    }
    bytes.extend(1_794_225_600_000i64.to_be_bytes());
    bytes.extend([1, 2, 99, 3, 4]);
    assert_eq!(luma(bytes), [1, 2, 3, 4]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Damaged anywhere, a picture is read or refused.
    #[test]
    fn damaged_files_do_no_harm(format in 0usize..4, at in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..12), cut: u16) {
        let mut bytes = encode(RgbImage::from_fn(24, 24, |x, y| Rgb([x as u8, y as u8, (x * y) as u8])), FORMATS[format]);
        for (at, value) in at {
            let at = usize::from(at) % bytes.len();
            bytes[at] = value;
        }
        bytes.truncate(bytes.len() - usize::from(cut) % bytes.len() / 2);
        if let Ok(picture) = parse(bytes) {
            prop_assert!(picture.view().is_ok());
        }
    }
}
