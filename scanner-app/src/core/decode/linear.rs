//! Least squares by normal equations, for the two fits of a few unknowns that the decoder makes.

/// Sums of products of measurements: the upper triangle of the normal equations, and their right side.
#[derive(Clone)]
pub(super) struct Normal<const N: usize> {
    matrix: [[f64; N]; N],
    right: [f64; N],
}

#[expect(clippy::needless_range_loop, reason = "rows and columns read as in a textbook")]
impl<const N: usize> Normal<N> {
    pub(super) fn new() -> Self {
        Normal { matrix: [[0.0; N]; N], right: [0.0; N] }
    }

    /// Adds the measurement that `row` times the unknowns is `value`.
    pub(super) fn add(&mut self, row: &[f64; N], value: f64, weight: f64) {
        for i in 0..N {
            if row[i] != 0.0 {
                let scaled = row[i] * weight;
                for j in i..N {
                    self.matrix[i][j] += scaled * row[j];
                }
                self.right[i] += scaled * value;
            }
        }
    }

    /// Pulls an unknown towards 0.
    pub(super) fn hold(&mut self, unknown: usize, weight: f64) {
        self.matrix[unknown][unknown] += weight;
    }

    /// The unknowns that fit best; `None` when the measurements do not determine them.
    pub(super) fn solve(&self) -> Option<[f64; N]> {
        let (mut m, mut right) = (self.matrix, self.right);
        // Scaled to a diagonal of ones, since unknowns of very different sizes meet here.
        let mut scale = [0.0; N];
        for i in 0..N {
            if m[i][i] <= 0.0 {
                return None;
            }
            scale[i] = m[i][i].sqrt().recip();
        }
        for i in 0..N {
            for j in i..N {
                m[i][j] *= scale[i] * scale[j];
                m[j][i] = m[i][j];
            }
            right[i] *= scale[i];
        }
        for i in 0..N {
            let pivot = (i..N).max_by(|&a, &b| m[a][i].abs().total_cmp(&m[b][i].abs()))?;
            m.swap(i, pivot);
            right.swap(i, pivot);
            if m[i][i].abs() < 1e-13 {
                return None;
            }
            for k in i + 1..N {
                let factor = m[k][i] / m[i][i];
                for j in i..N {
                    m[k][j] -= factor * m[i][j];
                }
                right[k] -= factor * right[i];
            }
        }
        let mut x = [0.0; N];
        for i in (0..N).rev() {
            let sum: f64 = (i + 1..N).map(|j| m[i][j] * x[j]).sum();
            x[i] = (right[i] - sum) / m[i][i];
        }
        for i in 0..N {
            x[i] *= scale[i];
        }
        x.iter().all(|v| v.is_finite()).then_some(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_fitted_and_too_few_points_are_not() {
        let mut fit = Normal::<2>::new();
        fit.add(&[1.0, 1.0], 5.0, 1.0);
        assert_eq!(fit.solve(), None);
        for x in 2..9 {
            fit.add(&[f64::from(x), 1.0], f64::from(x) * 3.0 + 2.0, 0.5);
        }
        let [slope, start] = fit.solve().expect("eight points determine a line");
        assert!((slope - 3.0).abs() < 1e-9 && (start - 2.0).abs() < 1e-9);
    }
}
