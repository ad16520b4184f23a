//! Makes a picture smaller by a whole factor, each pixel the mean of the block it stands for.
//!
//! The mean also takes out noise, so a large code often reads better at half size, at a quarter of the cost.

use image::Luma;

use super::luma::LumaView;

/// The picture at one `factor`-th of its width and height; blocks that the edge cuts off are left out.
///
/// Returns the new width and the rows without padding; both are empty if nothing is left.
pub(super) fn shrink(frame: &LumaView<'_>, factor: usize) -> (usize, Vec<Luma<u8>>) {
    let factor = factor.max(1);
    let (width, height) = (frame.width() / factor, frame.height() / factor);
    let mut out = Vec::with_capacity(width * height);
    if factor == 1 {
        for y in 0..height {
            out.extend(frame.row(y).iter().map(|&v| Luma([v])));
        }
        return (width, out);
    }
    let area = (factor * factor) as u32;
    let mut sums = vec![0u32; width];
    for y in 0..height {
        sums.fill(0);
        for dy in 0..factor {
            let row = frame.row(y * factor + dy);
            for (sum, block) in sums.iter_mut().zip(row.chunks_exact(factor)) {
                *sum += block.iter().map(|&v| u32::from(v)).sum::<u32>();
            }
        }
        out.extend(sums.iter().map(|&sum| Luma([(sum / area) as u8])));
    }
    (width, out)
}
