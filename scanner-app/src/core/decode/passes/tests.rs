//! What each pass exists for, drawn: turned, tilted, small, inverted, damaged, bent, and seen again.

use qrcodegen::{QrCode, QrCodeEcc, QrSegment, Version};

use super::super::homography::Homography;
use super::super::luma::LumaView;
use super::super::meter::{Meter, Stop};
use super::super::picture::{LOOKS, Picture, Point, Shades};
use super::super::remedies::{straighten, vote, warp};
use super::super::{Decoded, Decoder, Limits, Pass, Stage};
use super::super::{corner, finder, grid, reading};

const WIDTH: usize = 640;
const HEIGHT: usize = 480;

fn code(text: &str, level: QrCodeEcc) -> QrCode {
    let segments = QrSegment::make_segments(text);
    QrCode::encode_segments_advanced(&segments, level, Version::MIN, Version::MAX, None, false).unwrap()
}

fn ticket() -> String {
    "T1S".chars().chain("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:".chars().cycle().take(119)).collect()
}

/// How a code is held before the camera.
struct Held {
    code: QrCode,
    /// Where the symbol's corners are, in pixels, from the top left one clockwise.
    corners: [(f32, f32); 4],
    dark: u8,
    light: u8,
    /// Moves what is seen at a place of the symbol, both in modules.
    bend: fn(f32, f32) -> (f32, f32),
    /// Paints over a place of the symbol, in modules.
    cover: fn(f32, f32) -> Option<u8>,
}

impl Held {
    /// Upright, its middle at the picture's middle.
    fn upright(code: QrCode, module_px: f32) -> Held {
        Held::turned(code, module_px, 0.0)
    }

    fn turned(code: QrCode, module_px: f32, radians: f32) -> Held {
        let reach = code.size() as f32 * module_px / std::f32::consts::SQRT_2;
        let (x, y) = (WIDTH as f32 / 2.0, HEIGHT as f32 / 2.0);
        let corners = std::array::from_fn(|i| {
            let angle = radians + std::f32::consts::FRAC_PI_4 * (2.0 * i as f32 - 3.0);
            (x + reach * angle.cos(), y + reach * angle.sin())
        });
        Held { code, corners, dark: 40, light: 210, bend: |x, y| (x, y), cover: |_, _| None }
    }

    fn moved(mut self, dx: f32, dy: f32) -> Held {
        self.corners.iter_mut().for_each(|c| *c = (c.0 + dx, c.1 + dy));
        self
    }

    fn paint(&self, luma: &mut [u8], width: usize, height: usize) {
        let side = self.code.size() as f32;
        let square = [(0.0, 0.0), (side, 0.0), (side, side), (0.0, side)];
        let points = |p: [(f32, f32); 4]| p.map(|(x, y)| Point::new(x, y));
        let to_modules = Homography::of_quad(points(self.corners), points(square)).unwrap();
        const LOOKS: usize = 4;
        for y in 0..height {
            for x in 0..width {
                let mut sum = 0.0;
                let mut touched = false;
                for i in 0..LOOKS * LOOKS {
                    let at = |i: usize| (i as f32 + 0.5) / LOOKS as f32;
                    let place = Point::new(x as f32 + at(i % LOOKS), y as f32 + at(i / LOOKS));
                    let m = to_modules.map(place);
                    let (u, v) = (self.bend)(m.x, m.y);
                    touched |= u > -4.0 && v > -4.0 && u < side + 4.0 && v < side + 4.0;
                    let dark = self.code.get_module(u.floor() as i32, v.floor() as i32);
                    let inside = u >= 0.0 && v >= 0.0 && u < side && v < side;
                    let value = if inside && dark { self.dark } else { self.light };
                    sum += f32::from((self.cover)(u, v).filter(|_| inside).unwrap_or(value));
                }
                if touched {
                    luma[y * width + x] = (sum / (LOOKS * LOOKS) as f32) as u8;
                }
            }
        }
    }

    fn frame(&self) -> Vec<u8> {
        let mut luma = vec![120; WIDTH * HEIGHT];
        self.paint(&mut luma, WIDTH, HEIGHT);
        luma
    }
}

fn decode_with(decoder: &mut Decoder, luma: &[u8]) -> Decoded {
    decoder.decode(&LumaView::new(WIDTH, HEIGHT, WIDTH, luma).unwrap(), &mut || false)
}

fn decode(held: &Held) -> Decoded {
    decode_with(&mut Decoder::default(), &held.frame())
}

fn text(decoded: &Decoded) -> Option<&str> {
    decoded.codes.first().map(|code| std::str::from_utf8(&code.text).unwrap())
}

#[test]
fn any_turn_reads_and_the_corners_turn_with_it() {
    for step in 0..24 {
        let held = Held::turned(code(&ticket(), QrCodeEcc::Medium), 3.0, step as f32 * 0.2618);
        let decoded = decode(&held);
        assert_eq!(text(&decoded), Some(ticket().as_str()), "turned by {} degrees", step * 15);
        for (found, drawn) in decoded.codes[0].corners.iter().zip(held.corners) {
            assert!((found.0 - drawn.0).hypot(found.1 - drawn.1) < 2.0, "{found:?} for {drawn:?}");
        }
    }
}

#[test]
fn a_steep_tilt_reads() {
    for corners in [
        [(180.0, 120.0), (460.0, 60.0), (460.0, 420.0), (180.0, 330.0)],
        [(215.0, 100.0), (425.0, 100.0), (490.0, 360.0), (150.0, 360.0)],
        [(250.0, 60.0), (480.0, 200.0), (400.0, 420.0), (150.0, 230.0)],
    ] {
        let held = Held { corners, ..Held::upright(code(&ticket(), QrCodeEcc::Medium), 3.0) };
        assert_eq!(text(&decode(&held)), Some(ticket().as_str()), "{corners:?}");
    }
}

#[test]
fn a_mirrored_symbol_reads() {
    let mut held = Held::turned(code(&ticket(), QrCodeEcc::Medium), 4.0, 0.3);
    held.corners.swap(1, 3);
    assert_eq!(text(&decode(&held)), Some(ticket().as_str()));
}

#[test]
fn modules_below_two_pixels_read() {
    for module_px in [1.6, 1.8, 2.0] {
        let held = Held::turned(code(&ticket(), QrCodeEcc::Medium), module_px, 0.2);
        assert_eq!(text(&decode(&held)), Some(ticket().as_str()), "{module_px} pixels a module");
    }
}

#[test]
fn light_on_dark_reads_in_its_own_pass() {
    let held = Held { dark: 200, light: 20, ..Held::turned(code(&ticket(), QrCodeEcc::Medium), 4.0, 0.5) };
    let decoded = decode(&held);
    assert_eq!((text(&decoded), decoded.pass), (Some(ticket().as_str()), Some(Pass::Inverted)));
}

#[test]
fn a_drawing_of_a_pixel_a_module_without_a_margin_reads() {
    let code = code("https://example.org/a/rather/long/address", QrCodeEcc::Medium);
    let side = code.size() as usize;
    let luma: Vec<u8> =
        (0..side * side).map(|i| if code.get_module((i % side) as i32, (i / side) as i32) { 0 } else { 255 }).collect();
    let decoded = Decoder::default().decode(&LumaView::new(side, side, side, &luma).unwrap(), &mut || false);
    assert_eq!((decoded.codes.len(), decoded.pass), (1, Some(Pass::Enlarged)));
    let corner = decoded.codes[0].corners[2];
    assert!((corner.0 - side as f32).abs() < 1.0 && (corner.1 - side as f32).abs() < 1.0, "{corner:?}");
}

#[test]
fn a_finder_pattern_may_be_missing() {
    let covers: [fn(f32, f32) -> Option<u8>; 3] = [
        |x, y| (x < 6.0 && y < 6.0 && (x - y).abs() < 3.5).then_some(230),
        |x, y| (x > 33.0 && y < 5.0).then_some(230),
        |x, y| (x < 4.0 && y > 33.0).then_some(20),
    ];
    for (index, cover) in covers.into_iter().enumerate() {
        let held = Held { cover, ..Held::turned(code(&ticket(), QrCodeEcc::Medium), 4.0, 0.4) };
        let decoded = decode(&held);
        assert_eq!((text(&decoded), decoded.pass), (Some(ticket().as_str()), Some(Pass::TwoOfThree)), "finder {index}");
    }
}

#[test]
fn modules_of_many_pixels_read_also_where_black_is_grey() {
    let code = code(&ticket(), QrCodeEcc::Medium);
    for module_px in [20, 28, 40] {
        let margin = 3 * module_px;
        let side = code.size() as usize * module_px + 2 * margin;
        let at = |v: usize| (v as i32 - margin as i32).div_euclid(module_px as i32);
        let luma: Vec<u8> =
            (0..side * side).map(|i| if code.get_module(at(i % side), at(i / side)) { 50 } else { 210 }).collect();
        let view = LumaView::new(side, side, side, &luma).unwrap();
        assert_eq!(text(&Decoder::default().decode(&view, &mut || false)), Some(ticket().as_str()), "{module_px} px");
    }
}

#[test]
fn a_dark_page_beside_a_poster_is_found_within_a_few_frames() {
    let mut luma = Held::upright(code("https://example.org/poster", QrCodeEcc::Medium), 5.0).moved(-180.0, 0.0).frame();
    let page =
        Held { dark: 200, light: 20, ..Held::upright(code(&ticket(), QrCodeEcc::Medium), 4.0).moved(180.0, 0.0) };
    page.paint(&mut luma, WIDTH, HEIGHT);
    let mut decoder = Decoder::default();
    let found = (0..9).find(|_| decode_with(&mut decoder, &luma).codes.len() == 2);
    assert!(found.is_some());
}

#[test]
fn bent_paper_reads() {
    let bend = |x: f32, y: f32| (x + 0.6 * (y * 0.16).sin(), y + 0.7 * (x * 0.13).sin());
    let held = Held { bend, ..Held::upright(code(&ticket(), QrCodeEcc::Medium), 5.0) };
    assert_eq!(text(&decode(&held)), Some(ticket().as_str()));
}

#[test]
fn a_covered_corner_reads() {
    let cover = |x: f32, y: f32| (x > 27.0 && y > 27.0).then_some(255);
    let held = Held { cover, ..Held::turned(code(&ticket(), QrCodeEcc::Medium), 4.0, 1.0) };
    assert_eq!(text(&decode(&held)), Some(ticket().as_str()));
}

#[test]
fn a_code_inside_a_code_reads_too() {
    let mut luma = Held::upright(code(&ticket(), QrCodeEcc::High), 7.0).frame();
    Held::upright(code("INNER", QrCodeEcc::Low), 3.0).paint(&mut luma, WIDTH, HEIGHT);
    let decoded = decode_with(&mut Decoder::default(), &luma);
    let mut texts: Vec<_> = decoded.codes.iter().map(|code| String::from_utf8(code.text.clone()).unwrap()).collect();
    texts.sort();
    assert_eq!(texts, ["INNER".to_owned(), ticket()]);
}

#[test]
fn the_second_frame_of_a_session_is_several_times_cheaper() {
    let mut decoder = Decoder::default();
    let mut units = Vec::new();
    for frame in 0..5 {
        let held =
            Held::turned(code(&ticket(), QrCodeEcc::Medium), 2.5, 0.1).moved(frame as f32 * 8.0, frame as f32 * -5.0);
        let decoded = decode_with(&mut decoder, &held.frame());
        assert_eq!(text(&decoded), Some(ticket().as_str()));
        assert_eq!(decoded.pass == Some(Pass::Tracked), frame > 0, "frame {frame}: {:?}", decoded.pass);
        units.push(decoded.units);
    }
    assert!(units[1..].iter().all(|&later| later * 2 < units[0]), "{units:?}");
}

#[test]
fn a_tracked_code_that_leaves_is_gone_and_another_that_comes_is_found() {
    let mut decoder = Decoder::default();
    let first = Held::upright(code(&ticket(), QrCodeEcc::Medium), 2.5).moved(-150.0, 0.0);
    let second = Held::upright(code("MENU", QrCodeEcc::Medium), 4.0).moved(200.0, 60.0);
    let mut both = first.frame();
    second.paint(&mut both, WIDTH, HEIGHT);
    assert_eq!(decode_with(&mut decoder, &first.frame()).codes.len(), 1);
    // While the first is tracked, the second may go unseen for a few frames, not for more.
    let found = (0..8).find(|_| decode_with(&mut decoder, &both).codes.len() == 2);
    assert!(found.is_some());
    let decoded = decode_with(&mut decoder, &second.frame());
    assert_eq!(text(&decoded), Some("MENU"));
    assert_eq!(decoded.codes.len(), 1);
    assert!(decode_with(&mut decoder, &vec![120; WIDTH * HEIGHT]).codes.is_empty());
}

#[test]
fn where_time_always_runs_out_each_pass_has_its_turn() {
    let cover = |x: f32, y: f32| (x > 33.0 && y < 5.0).then_some(230);
    let luma = Held { cover, ..Held::turned(code(&ticket(), QrCodeEcc::Medium), 4.0, 0.4) }.frame();
    let view = LumaView::new(WIDTH, HEIGHT, WIDTH, &luma).unwrap();
    let looks_at_all = {
        let mut looks = 0;
        let whole = Decoder::default().decode(&view, &mut || {
            looks += 1;
            false
        });
        assert_eq!(whole.pass, Some(Pass::TwoOfThree));
        looks
    };
    let mut decoder = Decoder::default();
    let found = (0..10).find(|_| {
        let mut looks = 0;
        let decoded = decoder.decode(&view, &mut || {
            looks += 1;
            looks > looks_at_all / 2
        });
        !decoded.codes.is_empty()
    });
    assert!(found.is_some_and(|frame| frame > 0), "{found:?}");
}

/// Looks between pixels are counted apart from the meter, so that a step which forgets to pay is noticed.
#[test]
fn each_step_pays_for_its_looks() {
    let held = Held::turned(code(&ticket(), QrCodeEcc::Medium), 4.2, 0.4);
    let picture = Picture { width: WIDTH, height: HEIGHT, pixels: held.frame() };
    let mut never = || false;
    let mut meter = Meter::new(u64::MAX, &mut never);
    let threshold = picture.local_means(20, 3, &mut meter).unwrap();
    let shades = Shades { picture: &picture, threshold: &threshold };
    let finders = finder::find(&shades, 2, &mut meter).unwrap();
    let corner = corner::corners(&shades, &finders, &mut meter).unwrap()[0];
    let grid = grid::lay(&shades, &finders, &corner, 0.0, &mut meter).unwrap().unwrap();
    type Step<'a> = &'a dyn Fn(&mut Meter<'_>) -> Result<(), Stop>;
    let steps: [(&str, Step<'_>); 7] = [
        ("find", &|meter| finder::find(&shades, 2, meter).map(drop)),
        ("corners", &|meter| corner::corners(&shades, &finders, meter).map(drop)),
        ("lay", &|meter| grid::lay(&shades, &finders, &corner, 0.0, meter).map(drop)),
        ("read", &|meter| reading::read(&shades, &grid, meter).map(drop)),
        ("straighten", &|meter| straighten::straighten(&shades, &grid, meter).map(drop)),
        ("vote", &|meter| vote::vote(&shades, &grid, meter).map(drop)),
        ("warp", &|meter| warp::sample(&shades, &grid, meter).map(drop)),
    ];
    for (name, step) in steps {
        let mut meter = Meter::new(u64::MAX, &mut never);
        let before = LOOKS.get();
        step(&mut meter).unwrap();
        let looks = LOOKS.get() - before;
        assert!(looks > 0 && looks <= meter.spent(), "{name}: {looks} looks for {} units", meter.spent());
    }
}

#[test]
fn what_the_decoder_sees_can_be_watched() {
    let held = Held::turned(code(&ticket(), QrCodeEcc::Medium), 3.0, 0.4);
    let luma = held.frame();
    let (mut looks, mut grids) = (0, 0);
    let mut decoder = Decoder::new(Limits::default());
    let view = LumaView::new(WIDTH, HEIGHT, WIDTH, &luma).unwrap();
    let decoded = decoder.explain(&view, &mut || false, &mut |stage| match stage {
        Stage::Look(look) => looks += usize::from(look.finders().count() >= 3),
        Stage::Grid(grid) => grids += usize::from(grid.side() == 37 && grid.sampled().len() == 37 * 37),
    });
    assert_eq!(decoded.codes.len(), 1);
    assert!(looks >= 1 && grids >= 1, "{looks} looks, {grids} grids");
}
