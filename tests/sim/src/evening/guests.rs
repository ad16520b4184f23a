//! Who comes to a planned evening, when, to which entrance, and how long a lane is busy with each. Written for the simulator
//! from `docs/planning.md`, by other methods than the planner's, so that a mistake in one is not made in the other.

use super::plan::{Class, Curve, Expected, Lane, Service, minutes_ms};
use crate::chance::Chance;

/// The 95th percentile of the normal distribution.
const Z95: f64 = 1.644_853_627;
/// Nobody keeps a lane busy for longer, in seconds.
const LONGEST_S: f64 = 3_600.0;

#[derive(Debug, Clone, Copy)]
pub struct Guest {
    pub class: u16,
    /// Since the doors' opening.
    pub at_ms: i64,
    pub entrance: u32,
    pub service_ms: i64,
}

/// The guests of one evening, in the order in which they come.
pub fn evening(expected: &Expected, chance: &mut Chance) -> Vec<Guest> {
    let spread = match &expected.service {
        Service::Lognormal { mean_s, p95_s } => spread(p95_s / mean_s),
        Service::Measured { .. } => 0.0,
    };
    let mut guests = Vec::new();
    for class in &expected.classes {
        for _ in 0..class.guests {
            let at_ms = minutes_ms(moment(&class.curve, chance));
            let entrance = entrance(class, &expected.lanes, at_ms, chance);
            let service_s = match &expected.service {
                Service::Lognormal { mean_s, .. } => mean_s * (spread * normal(chance) - spread * spread / 2.0).exp(),
                Service::Measured { gaps_s } => *chance.pick(gaps_s),
            };
            let service_ms = ((service_s.min(LONGEST_S) * 1000.0).round() as i64).max(1);
            guests.push(Guest { class: class.id, at_ms, entrance, service_ms });
        }
    }
    guests.sort_by_key(|guest| guest.at_ms);
    guests
}

/// A minute along the curve.
fn moment(curve: &Curve, chance: &mut Chance) -> f64 {
    match curve {
        // Throw points at the picture until one lies below the line.
        Curve::Density(points) => {
            let (first, last) = (points[0].0, points[points.len() - 1].0);
            let highest = points.iter().map(|point| point.1).fold(0.0, f64::max);
            loop {
                let minute = first + (last - first) * chance.unit();
                if chance.unit() * highest <= on_line(points, minute) {
                    return minute;
                }
            }
        }
        Curve::Arrived(points) => {
            let share = chance.unit();
            let after = points.iter().position(|point| point.1 > share).unwrap_or(points.len() - 1).max(1);
            let ((from, low), (until, high)) = (points[after - 1], points[after]);
            if high > low { from + (until - from) * (share - low) / (high - low) } else { until }
        }
    }
}

fn on_line(points: &[(f64, f64)], minute: f64) -> f64 {
    let after = points.iter().position(|point| point.0 >= minute).unwrap_or(points.len() - 1).max(1);
    let ((from, low), (until, high)) = (points[after - 1], points[after]);
    low + (high - low) * (minute - from) / (until - from)
}

/// Where a guest goes: by the organiser's shares, or to the entrance of one of the lanes that take them, each as likely.
fn entrance(class: &Class, lanes: &[Lane], at_ms: i64, chance: &mut Chance) -> u32 {
    if !class.shares.is_empty() {
        let mut left = chance.unit();
        for (entrance, share) in &class.shares {
            left -= share;
            if left < 0.0 {
                return *entrance;
            }
        }
        return class.shares[class.shares.len() - 1].0;
    }
    let taking: Vec<&Lane> = lanes.iter().filter(|lane| lane.takes.contains(&class.id)).collect();
    let open: Vec<&&Lane> = taking.iter().filter(|lane| lane.open_ms <= at_ms && at_ms < lane.close_ms).collect();
    if !open.is_empty() {
        return chance.pick(&open).entrance;
    }
    // Nothing is open: where one opens next, or where the last one was.
    let next = taking.iter().map(|lane| lane.open_ms).filter(|open_ms| *open_ms > at_ms).min();
    let last = taking.iter().map(|lane| lane.close_ms).max();
    let there = |lane: &&&Lane| next.map_or(Some(lane.close_ms) == last, |next| lane.open_ms == next);
    let there: Vec<&&Lane> = taking.iter().filter(there).collect();
    chance.pick(&there).entrance
}

/// The smaller deviation of a logarithm whose 95th percentile is so many times the mean, found by halving.
fn spread(p95_per_mean: f64) -> f64 {
    let (mut low, mut high) = (0.0, Z95);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if (Z95 * middle - middle * middle / 2.0).exp() < p95_per_mean { low = middle } else { high = middle }
    }
    low
}

/// Normal, mean 0 and deviation 1, by the polar method (Marsaglia and Bray, 1964).
fn normal(chance: &mut Chance) -> f64 {
    loop {
        let (x, y) = (2.0 * chance.unit() - 1.0, 2.0 * chance.unit() - 1.0);
        let square = x * x + y * y;
        if square > 0.0 && square < 1.0 {
            return x * (-2.0 * square.ln() / square).sqrt();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_times_are_those_asked_for() {
        let mut chance = Chance::new(3);
        let spread = spread(14.0 / 6.0);
        let mut times: Vec<f64> =
            (0..100_000).map(|_| 6.0 * (spread * normal(&mut chance) - spread * spread / 2.0).exp()).collect();
        times.sort_by(f64::total_cmp);
        let mean = times.iter().sum::<f64>() / 100_000.0;
        assert!((mean - 6.0).abs() < 0.06 && (times[95_000] - 14.0).abs() < 0.3, "{mean} {}", times[95_000]);
    }

    #[test]
    fn guests_come_along_the_curve() {
        let mut chance = Chance::new(4);
        let triangle = Curve::Density(vec![(0.0, 0.0), (45.0, 2.0), (90.0, 0.0)]);
        let early = (0..40_000).filter(|_| moment(&triangle, &mut chance) < 22.5).count();
        assert!((4_600..5_400).contains(&early), "{early}: an eighth of the triangle");
        let steps = Curve::Arrived(vec![(-60.0, 0.0), (-15.0, 0.3), (0.0, 0.3), (30.0, 1.0)]);
        let before = (0..40_000).filter(|_| moment(&steps, &mut chance) < 0.0).count();
        assert!((11_500..12_500).contains(&before), "{before}");
    }
}
