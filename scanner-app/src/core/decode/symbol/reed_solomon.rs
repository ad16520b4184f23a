//! Reed-Solomon over GF(256) as QR symbols use it: x^8 + x^4 + x^3 + x^2 + 1, roots from a^0 on. Errors and erasures.
//!
//! Invariant: `correct` either leaves a block whose syndromes are all zero, or leaves it as it was.

/// The longest block a symbol can have is 153 codewords, of which at most 30 are for correction.
const ECC_MAX: usize = 30;

struct Field {
    exp: [u8; 510],
    log: [u8; 256],
}

const FIELD: Field = field();

const fn field() -> Field {
    let (mut exp, mut log) = ([0u8; 510], [0u8; 256]);
    let (mut value, mut power) = (1usize, 0);
    while power < 255 {
        exp[power] = value as u8;
        exp[power + 255] = value as u8;
        log[value] = power as u8;
        value <<= 1;
        if value > 255 {
            value ^= 0x11D;
        }
        power += 1;
    }
    Field { exp, log }
}

fn mul(a: u8, b: u8) -> u8 {
    if a == 0 || b == 0 {
        return 0;
    }
    FIELD.exp[usize::from(FIELD.log[usize::from(a)]) + usize::from(FIELD.log[usize::from(b)])]
}

/// a / b; b is not 0.
fn div(a: u8, b: u8) -> u8 {
    if a == 0 {
        return 0;
    }
    FIELD.exp[usize::from(FIELD.log[usize::from(a)]) + 255 - usize::from(FIELD.log[usize::from(b)])]
}

/// a^power.
fn alpha(power: usize) -> u8 {
    FIELD.exp[power % 255]
}

type Poly = [u8; ECC_MAX + 1];

fn eval(poly: &[u8], x: u8) -> u8 {
    poly.iter().rev().fold(0, |sum, &c| mul(sum, x) ^ c)
}

/// The syndromes of a block; `None` when all are zero.
fn syndromes(block: &[u8], ecc: usize) -> Option<[u8; ECC_MAX]> {
    let mut out = [0; ECC_MAX];
    let mut any = 0;
    for (power, syndrome) in out[..ecc].iter_mut().enumerate() {
        let x = alpha(power);
        *syndrome = block.iter().fold(0, |sum, &c| mul(sum, x) ^ c);
        any |= *syndrome;
    }
    (any != 0).then_some(out)
}

/// Corrects a block in place, of which the last `ecc` codewords are for correction. `erasures` are places known to be
/// doubtful; `spare` correction codewords are left unused, so that a wrong correction shows.
///
/// Returns how many codewords were changed or erased; `None` when the block is beyond correction.
pub(super) fn correct(block: &mut [u8], ecc: usize, erasures: &[usize], spare: usize) -> Option<usize> {
    let len = block.len();
    if ecc == 0 || ecc > ECC_MAX || len > 255 || len <= ecc || erasures.len() + spare > ecc {
        return None;
    }
    if erasures.iter().any(|&place| place >= len) {
        return None;
    }
    let Some(syndromes) = syndromes(block, ecc) else { return Some(0) };
    let erased = erasures.len();

    // Berlekamp and Massey, begun with the polynomial of the erasures.
    let mut locator: Poly = [0; ECC_MAX + 1];
    locator[0] = 1;
    for &place in erasures {
        let x = alpha(len - 1 - place);
        for i in (1..=ecc).rev() {
            locator[i] ^= mul(locator[i - 1], x);
        }
    }
    let mut previous = locator;
    let mut degree = erased;
    for round in erased + 1..=ecc {
        let delta = (0..round).fold(0, |sum, i| sum ^ mul(locator[i], syndromes[round - 1 - i]));
        previous.copy_within(0..ecc, 1);
        previous[0] = 0;
        if delta == 0 {
            continue;
        }
        let before = locator;
        for i in 0..=ecc {
            locator[i] ^= mul(delta, previous[i]);
        }
        if 2 * degree < round + erased {
            degree = round + erased - degree;
            for i in 0..=ecc {
                previous[i] = div(before[i], delta);
            }
        }
    }
    let found = locator.iter().rposition(|&c| c != 0).unwrap_or(0);
    if found != degree || found < erased || 2 * (found - erased) + erased + spare > ecc {
        return None;
    }

    // Forney: how much is wrong where.
    let mut evaluator: Poly = [0; ECC_MAX + 1];
    for i in 0..ecc {
        evaluator[i] = (0..=i).fold(0, |sum, j| sum ^ mul(locator[j], syndromes[i - j]));
    }
    let mut slope: Poly = [0; ECC_MAX + 1];
    for i in (1..=ecc).step_by(2) {
        slope[i - 1] = locator[i];
    }
    let mut errors = [(0usize, 0u8); ECC_MAX];
    let mut count = 0;
    for place in 0..len {
        let power = len - 1 - place;
        let inverse = alpha(255 - power % 255);
        if eval(&locator[..=found], inverse) != 0 {
            continue;
        }
        let below = eval(&slope, inverse);
        if below == 0 || count == found {
            return None;
        }
        errors[count] = (place, mul(alpha(power), div(eval(&evaluator, inverse), below)));
        count += 1;
    }
    if count != found {
        return None;
    }
    for &(place, wrong) in &errors[..count] {
        block[place] ^= wrong;
    }
    if self::syndromes(block, ecc).is_some() {
        for &(place, wrong) in &errors[..count] {
            block[place] ^= wrong;
        }
        return None;
    }
    Some(found)
}
