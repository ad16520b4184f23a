//! `scanner-app decode` as a process: its lines, its exit codes, and files that mean harm.

#![allow(clippy::unwrap_used, reason = "a panic in a test is its report")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use image::{DynamicImage, GrayImage, Luma, Rgba, RgbaImage};
use qrcodegen::{QrCode, QrCodeEcc, QrSegment};
use serde_json::Value;

/// Modules of light around a symbol.
const QUIET: i32 = 4;

fn symbol(code: &QrCode, module_px: i32) -> GrayImage {
    let side = ((code.size() + 2 * QUIET) * module_px) as u32;
    GrayImage::from_fn(side, side, |x, y| {
        let at = |v: u32| v as i32 / module_px - QUIET;
        Luma([if code.get_module(at(x), at(y)) { 0 } else { 255 }])
    })
}

fn text(text: &str) -> GrayImage {
    symbol(&QrCode::encode_text(text, QrCodeEcc::Medium).unwrap(), 8)
}

fn decode(arguments: &[&str], files: &[PathBuf]) -> (Output, Vec<Value>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scanner-app"));
    let output = command.arg("decode").args(arguments).args(files).output().unwrap();
    let lines = String::from_utf8(output.stdout.clone()).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{output:?}");
    (output, lines)
}

fn save(folder: &Path, name: &str, image: impl Into<DynamicImage>) -> PathBuf {
    let path = folder.join(name);
    image.into().save(&path).unwrap();
    path
}

/// A recorded frame in YUYV whose rows have 6 bytes of padding.
fn record(folder: &Path, image: &GrayImage) -> PathBuf {
    let mut bytes = b"TSFRAME1YUYV".to_vec();
    for number in [image.width(), image.height(), image.width() * 2 + 6] {
        bytes.extend(number.to_be_bytes());
    }
    bytes.extend(1_794_225_600_000i64.to_be_bytes());
    for row in image.rows() {
        bytes.extend(row.flat_map(|pixel| [pixel.0[0], 128]));
        bytes.extend([7; 6]);
    }
    let path = folder.join("frame.tsf");
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn every_format_is_read_and_each_file_has_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let image = text("T1SOVER THE PIER");
    let glass =
        RgbaImage::from_fn(image.width(), image.height(), |x, y| Rgba([0, 0, 0, 255 - image.get_pixel(x, y).0[0]]));
    let rgb = DynamicImage::from(image.clone()).to_rgb8();
    let files = [
        save(folder.path(), "a.png", image.clone()),
        save(folder.path(), "b.jpg", image.clone()),
        save(folder.path(), "c.webp", rgb.clone()),
        save(folder.path(), "d.gif", DynamicImage::from(rgb).to_rgba8()),
        save(folder.path(), "e.png", glass),
        record(folder.path(), &image),
        save(folder.path(), "g.png", GrayImage::from_pixel(64, 64, Luma([200]))),
    ];
    let (output, lines) = decode(&[], &files);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(lines.len(), files.len());
    for (line, file) in lines.iter().zip(&files) {
        assert_eq!(line["file"], file.to_str().unwrap());
        assert!(line["us"].is_u64() && line.get("error").is_none(), "{line}");
        if file.ends_with("g.png") {
            assert_eq!((&line["codes"], &line["pass"]), (&serde_json::json!([]), &Value::Null));
        } else {
            assert_eq!(line["codes"], serde_json::json!(["T1SOVER THE PIER"]), "{line}");
            assert!(line["pass"].is_string(), "{line}");
        }
    }
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("{\"file\":"), "keys keep their order");
}

#[test]
fn several_codes_are_told_and_what_is_no_utf_8_is_told_as_latin_1() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = |bytes: &[u8]| {
        let segments = [QrSegment::make_bytes(bytes)];
        symbol(&QrCode::encode_segments(&segments, QrCodeEcc::Medium).unwrap(), 5)
    };
    let mut two = GrayImage::from_pixel(640, 480, Luma([255]));
    image::imageops::overlay(&mut two, &text("ONE"), 20, 20);
    image::imageops::overlay(&mut two, &text("TWO"), 330, 200);
    let files = [
        save(folder.path(), "latin.png", bytes(&[b'Z', 0xFC, b'g', 0xFF])),
        save(folder.path(), "utf.png", bytes("Zürich".as_bytes())),
        save(folder.path(), "two.png", two),
    ];
    let (_, lines) = decode(&[], &files);
    assert_eq!(lines[0]["codes"], serde_json::json!(["Zügÿ"]));
    assert_eq!(lines[1]["codes"], serde_json::json!(["Zürich"]));
    let mut both: Vec<&str> = lines[2]["codes"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    both.sort_unstable();
    assert_eq!(both, ["ONE", "TWO"]);
}

#[test]
fn a_file_that_cannot_be_looked_at_says_why_and_the_others_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.path().join(name), bytes).unwrap();
        folder.path().join(name)
    };
    let good = save(folder.path(), "good.png", text("STILL READ"));
    let torn = std::fs::read(&good).unwrap();
    let files = [
        write("garbage.jpg", &[0x5a; 5_000]),
        write("empty.png", b""),
        folder.path().join("missing.png"),
        folder.path().to_owned(),
        write("torn.png", &torn[..torn.len() / 2]),
        write("torn.tsf", b"TSFRAME1YUYV\0\0"),
        good,
    ];
    let (output, lines) = decode(&[], &files);
    assert_eq!(output.status.code(), Some(1));
    let words = ["no PNG, JPEG, WebP or GIF", "empty", "No such file", "directory", "damaged", "record it again"];
    for (line, word) in lines.iter().zip(words) {
        assert!(line["error"].as_str().is_some_and(|error| error.contains(word)), "{word}: {line}");
        assert_eq!(line["codes"], serde_json::json!([]));
    }
    assert_eq!(lines[6]["codes"], serde_json::json!(["STILL READ"]));
    assert!(lines[6].get("error").is_none());
}

/// A PNG of this size, all black: a few hundred bytes for each megabyte that it unpacks to.
fn black(path: &Path, side: u32, color: png::ColorType) {
    let file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    let mut encoder = png::Encoder::new(file, side, side);
    encoder.set_color(color);
    let mut writer = encoder.write_header().unwrap();
    let mut stream = writer.stream_writer().unwrap();
    let row = vec![0; side as usize * color.samples()];
    for _ in 0..side {
        std::io::Write::write_all(&mut stream, &row).unwrap();
    }
    stream.finish().unwrap();
}

#[test]
fn a_bomb_is_refused_and_a_large_picture_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (bomb, large) = (folder.path().join("bomb.png"), folder.path().join("large.png"));
    black(&bomb, 12_000, png::ColorType::Rgba);
    black(&large, 8_000, png::ColorType::Grayscale);
    assert!(bomb.metadata().unwrap().len() < 3_000_000);
    // Shrunk to half its size, the code is still 8 pixels a module.
    let mut wide = GrayImage::from_pixel(5_000, 600, Luma([255]));
    image::imageops::overlay(
        &mut wide,
        &symbol(&QrCode::encode_text("WIDE", QrCodeEcc::Medium).unwrap(), 16),
        2_000,
        40,
    );
    let wide = save(folder.path(), "wide.png", wide);
    let (output, lines) = decode(&[], &[bomb, large, wide]);
    assert_eq!(output.status.code(), Some(1));
    assert!(lines[0]["error"].as_str().is_some_and(|error| error.contains("512 MiB")), "{}", lines[0]);
    assert!(lines[1].get("error").is_none(), "{}", lines[1]);
    assert_eq!(lines[2]["codes"], serde_json::json!(["WIDE"]));
}

#[test]
fn a_deadline_ends_the_search_and_help_teaches() {
    let folder = tempfile::tempdir().unwrap();
    let file = save(folder.path(), "a.png", text("IN TIME"));
    let (_, lines) = decode(&["--deadline-ms", "0"], std::slice::from_ref(&file));
    assert_eq!(lines[0]["codes"], serde_json::json!([]));
    let (_, lines) = decode(&["--deadline-ms", "60000"], &[file]);
    assert_eq!(lines[0]["codes"], serde_json::json!(["IN TIME"]));

    let mut command = Command::new(env!("CARGO_BIN_EXE_scanner-app"));
    let help = command.args(["decode", "--help"]).output().unwrap();
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    for word in ["Latin-1", "\"us\"", "--deadline-ms", "GIF", "exit code is 1", "16384"] {
        assert!(help.contains(word), "{word}: {help}");
    }
    let (output, lines) = decode(&[], &[]);
    assert_eq!((output.status.code(), lines.len()), (Some(2), 0));
}

#[test]
fn a_decoding_is_explained_in_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let file = save(folder.path(), "ticket.png", text("EXPLAINED"));
    let out = folder.path().join("stages");
    let (output, lines) = decode(&["--out", out.to_str().unwrap(), "--explain"], std::slice::from_ref(&file));
    assert!(output.status.success(), "{output:?}");
    assert_eq!(lines[0]["codes"][0], "EXPLAINED");
    let mut names: Vec<_> =
        std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    for what in ["threshold", "look", "grid", "sampled"] {
        let name = names.iter().find(|name| name.ends_with(&format!("-{what}.png"))).unwrap();
        assert!(image::open(out.join(name)).unwrap().width() > 0, "{name}");
    }
    let (output, _) = decode(&["--out", "/proc/nowhere", "--explain"], &[file]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("--out"), "{output:?}");
    assert!(!output.status.success());
}

#[test]
fn a_pipe_is_refused_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (output, lines) = decode(&[], &[pipe]);
    assert_eq!(output.status.code(), Some(1));
    assert!(lines[0]["error"].as_str().unwrap().contains("name a picture"), "{}", lines[0]);
    let (output, _) = decode(&["--out", "nowhere"], &[folder.path().join("a.png")]);
    assert_eq!(output.status.code(), Some(2), "--out is for --explain alone");
}
