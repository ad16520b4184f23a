//! Controls on simulated cameras: what each kind of camera is told, and when the torch burns.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::*;

/// A camera that has these controls with these values, and notes what it was told.
#[derive(Default)]
struct Simulated {
    has: BTreeMap<u32, Vec<i64>>,
    told: RefCell<Vec<(u32, i64)>>,
}

impl Simulated {
    fn with(has: &[(u32, &[i64])]) -> Simulated {
        let has = has.iter().map(|(id, values)| (*id, values.to_vec())).collect();
        Simulated { has, told: RefCell::default() }
    }

    fn told(&self) -> Vec<(u32, i64)> {
        self.told.take()
    }
}

impl Controls for Simulated {
    fn set(&self, id: u32, value: i64) -> io::Result<()> {
        let values = self.has.get(&id).ok_or(io::ErrorKind::InvalidInput)?;
        let (least, most) = (values.iter().min(), values.iter().max());
        // A range has its ends alone, a menu all its entries.
        let known =
            if id == FOCUS_ABSOLUTE { least <= Some(&value) && Some(&value) <= most } else { values.contains(&value) };
        if !known {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.told.borrow_mut().push((id, value));
        Ok(())
    }

    fn range(&self, id: u32) -> Option<(i64, i64)> {
        let values = self.has.get(&id)?;
        Some((*values.iter().min()?, *values.iter().max()?))
    }
}

#[test]
fn each_camera_is_told_what_it_can_do() {
    // A webcam that knows manual and aperture priority only, and focuses by itself.
    let webcam = Simulated::with(&[
        (EXPOSURE, &[1, 3]),
        (EXPOSURE_PRIORITY, &[0, 1]),
        (FOCUS_AUTO, &[0, 1]),
        (FOCUS_ABSOLUTE, &[0, 250]),
    ]);
    settle(&webcam);
    assert_eq!(webcam.told(), [(EXPOSURE, EXPOSURE_APERTURE_PRIORITY), (EXPOSURE_PRIORITY, 0), (FOCUS_AUTO, 1)]);
    // A module with full automatic exposure and a lens that is moved by hand.
    let module = Simulated::with(&[(EXPOSURE, &[0, 1]), (FOCUS_ABSOLUTE, &[-100, 400])]);
    settle(&module);
    assert_eq!(module.told(), [(EXPOSURE, EXPOSURE_AUTO), (FOCUS_ABSOLUTE, 100)]);
    // One with nothing to set is used as it is.
    let plain = Simulated::default();
    settle(&plain);
    assert_eq!(plain.told(), []);
}

fn picture(format: PixelFormat, luma: u8) -> RawFrame {
    let (width, height) = (64, 64);
    let stride = format.row_bytes_min(width) as u32 + 5;
    // Chroma and padding are as bright as can be: they are not to be counted.
    let mut data = vec![255; (stride * height * 2) as usize];
    let step = if format == PixelFormat::Yuyv { 2 } else { 1 };
    for row in data.chunks_mut(stride as usize).take(height as usize) {
        row[..format.row_bytes_min(width)].iter_mut().step_by(step).for_each(|pixel| *pixel = luma);
    }
    RawFrame { format, width, height, stride, taken_ms: 0, data }
}

#[test]
fn brightness_is_that_of_the_luma_alone() {
    for format in [PixelFormat::Grey, PixelFormat::Nv12, PixelFormat::Yuyv] {
        assert_eq!(mean(&picture(format, 33)), Some(33), "{format:?}");
    }
    assert_eq!(mean(&picture(PixelFormat::Mjpeg, 33)), None);
    let nothing = RawFrame { data: Vec::new(), ..picture(PixelFormat::Grey, 0) };
    assert_eq!(mean(&nothing), None);
    let torn = RawFrame { stride: 0, width: u32::MAX, height: u32::MAX, ..picture(PixelFormat::Yuyv, 0) };
    assert!(mean(&torn).is_some());
}

#[test]
fn the_torch_is_lit_after_some_darkness_and_asks_the_dark_again() {
    let camera = Simulated::with(&[(LED, &[0, 1, 2])]);
    let (dark, bright) = (picture(PixelFormat::Grey, 12), picture(PixelFormat::Grey, 120));
    let mut lamp = Lamp::new(Torch::Auto, &camera);
    let see = |lamp: &mut Lamp, frame: &RawFrame, count: u32| (0..count).for_each(|_| lamp.see(frame, &camera));
    see(&mut lamp, &dark, DARK_FRAMES - 1);
    see(&mut lamp, &bright, 1);
    see(&mut lamp, &dark, DARK_FRAMES - 1);
    assert_eq!(camera.told(), [], "a shadow is not the night");
    see(&mut lamp, &dark, 1);
    assert_eq!(camera.told(), [(LED, LED_TORCH)]);
    // By its light pictures are bright, and it burns on.
    see(&mut lamp, &bright, LIT_FRAMES - 1);
    assert_eq!(camera.told(), []);
    see(&mut lamp, &bright, 1);
    assert_eq!(camera.told(), [(LED, LED_NONE)]);
    see(&mut lamp, &dark, DARK_FRAMES);
    assert_eq!(camera.told(), [(LED, LED_TORCH)], "it was still dark");
    lamp.put_out(&camera);
    lamp.put_out(&camera);
    assert_eq!(camera.told(), [(LED, LED_NONE)]);
}

#[test]
fn staff_have_the_last_word_about_the_torch() {
    let camera = Simulated::with(&[(LED, &[0, 2])]);
    let mut lamp = Lamp::new(Torch::Off, &camera);
    (0..100).for_each(|_| lamp.see(&picture(PixelFormat::Grey, 0), &camera));
    lamp.put_out(&camera);
    assert_eq!(camera.told(), [(LED, LED_NONE)]);
    let mut lamp = Lamp::new(Torch::On, &camera);
    (0..LIT_FRAMES * 2).for_each(|_| lamp.see(&picture(PixelFormat::Grey, 250), &camera));
    assert_eq!(camera.told(), [(LED, LED_TORCH)]);
    lamp.put_out(&camera);
    assert_eq!(camera.told(), [(LED, LED_NONE)]);
}

#[test]
fn a_camera_without_a_torch_is_asked_once() {
    let asked = std::cell::Cell::new(0);
    struct None<'a>(&'a std::cell::Cell<u32>);
    impl Controls for None<'_> {
        fn set(&self, _id: u32, _value: i64) -> io::Result<()> {
            self.0.set(self.0.get() + 1);
            Err(io::ErrorKind::InvalidInput.into())
        }
        fn range(&self, _id: u32) -> Option<(i64, i64)> {
            Option::None
        }
    }
    let camera = None(&asked);
    let mut lamp = Lamp::new(Torch::Auto, &camera);
    (0..200).for_each(|_| lamp.see(&picture(PixelFormat::Grey, 0), &camera));
    assert_eq!(asked.get(), 1);
}

#[test]
fn words_for_the_torch() {
    use clap::ValueEnum as _;
    assert_eq!(Torch::from_str("on", false), Ok(Torch::On));
    let error = clap::Command::new("lane")
        .arg(clap::arg!(--torch <WHEN>).value_parser(clap::value_parser!(Torch)))
        .try_get_matches_from(["lane", "--torch", "bright"])
        .unwrap_err()
        .to_string();
    assert!(error.contains("auto, on, off"), "{error}");
}
