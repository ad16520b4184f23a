//! Owns reading, writing and comparing pictures, and the camera frame that the ready screens show.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

use ui::GateWindow;
use ui::slint::{ComponentHandle, Image, Rgb8Pixel, Rgba8Pixel, SharedPixelBuffer};

struct Picture {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

pub fn assert_matches(app: &GateWindow, name: &str) {
    let actual = snapshot(app);
    let expected_path = folder().join("expected").join(format!("{name}.png"));
    if std::env::var_os("UPDATE_SCREENS").is_some() {
        write(&expected_path, &actual);
        return;
    }
    let actual_path = folder().join("../out/screens").join(format!("{name}.png"));
    let complaint = match read(&expected_path) {
        None => "has no accepted picture yet".to_owned(),
        Some(expected) if (expected.width, expected.height) != (actual.width, actual.height) => {
            format!("is {}x{}, accepted was {}x{}", actual.width, actual.height, expected.width, expected.height)
        }
        Some(expected) => {
            let (wanted, found) = (expected.rgb.chunks(3), actual.rgb.chunks(3));
            match wanted.zip(found).filter(|(wanted, found)| wanted != found).count() {
                0 => return,
                count => format!("differs in {count} pixels"),
            }
        }
    };
    write(&actual_path, &actual);
    panic!(
        "{name} {complaint}. Look at {} and, if it is right, accept it by running the test again with UPDATE_SCREENS=1.",
        actual_path.display()
    );
}

/// The window's pixels, for comparing two moments with each other.
pub fn pixels(app: &GateWindow) -> Vec<u8> {
    snapshot(app).rgb
}

fn snapshot(app: &GateWindow) -> Picture {
    let buffer: SharedPixelBuffer<Rgba8Pixel> = app.window().take_snapshot().expect("the software renderer draws");
    let rgb = buffer.as_slice().iter().flat_map(|pixel| [pixel.r, pixel.g, pixel.b]).collect();
    Picture { width: buffer.width(), height: buffer.height(), rgb }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("screens")
}

fn read(path: &Path) -> Option<Picture> {
    let file = File::open(path).ok()?;
    let mut reader = png::Decoder::new(BufReader::new(file)).read_info().expect("an accepted picture is a PNG");
    let mut rgb = vec![0; reader.output_buffer_size().expect("a screen fits into memory")];
    let info = reader.next_frame(&mut rgb).expect("an accepted picture is whole");
    assert_eq!(info.color_type, png::ColorType::Rgb, "accepted pictures are 8-bit RGB");
    rgb.truncate(info.buffer_size());
    Some(Picture { width: info.width, height: info.height, rgb })
}

fn write(path: &Path, picture: &Picture) {
    fs::create_dir_all(path.parent().expect("a picture lies in a folder")).expect("the folder can be made");
    let file = BufWriter::new(File::create(path).expect("the picture can be written"));
    let mut encoder = png::Encoder::new(file, picture.width, picture.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header().expect("the picture can be written");
    writer.write_image_data(&picture.rgb).expect("the picture can be written");
}

/// What a camera sees at a gate: somebody's phone with a code on it, in front of a dim hall.
pub fn camera_frame() -> Image {
    const SIDE: usize = 480;
    let code = qrcodegen::QrCode::encode_text("T1S ILLUSTRATION", qrcodegen::QrCodeEcc::Medium).expect("it fits");
    let module = 7;
    let quiet = 3 * module;
    let code_side = code.size() as usize * module;
    let (left, top) = ((SIDE - code_side) / 2, (SIDE - code_side) / 2);
    let mut buffer = SharedPixelBuffer::<Rgb8Pixel>::new(SIDE as u32, SIDE as u32);
    for (i, pixel) in buffer.make_mut_slice().iter_mut().enumerate() {
        let (x, y) = (i % SIDE, i / SIDE);
        let inside = |margin: usize| {
            x + margin >= left && x < left + code_side + margin && y + margin >= top && y < top + code_side + margin
        };
        let hall = 34 + (y * 26 / SIDE) as u8 + (x * 18 / SIDE) as u8;
        let grey = if inside(0) {
            let dark = code.get_module(((x - left) / module) as i32, ((y - top) / module) as i32);
            if dark { 24 } else { 226 }
        } else if inside(quiet) {
            226
        } else if x + 44 >= left && x < left + code_side + 44 && y + 130 >= top {
            14
        } else {
            hall
        };
        *pixel = Rgb8Pixel { r: grey, g: grey, b: grey };
    }
    Image::from_rgb8(buffer)
}
