//! What a symbol's version fixes: its side, where its function patterns lie, how its codewords are split into blocks.
//!
//! Source of the tables: ISO/IEC 18004, tables 1, 9 and E.1. Invariant: a `Version` is 1 to 40.

/// Error-correction codewords in each block, by level (L, M, Q, H) and version.
const ECC_PER_BLOCK: [[u8; 40]; 4] = [
    [
        7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28, 28, 28, 30, 30, 26, 28, 30, 30,
        30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30,
    ],
    [
        10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26, 26, 28, 28, 28, 28, 28, 28, 28,
        28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    ],
    [
        13, 22, 18, 26, 18, 24, 18, 22, 20, 24, 28, 26, 24, 20, 30, 24, 28, 28, 26, 30, 28, 30, 30, 30, 30, 28, 30, 30,
        30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30,
    ],
    [
        17, 28, 22, 16, 22, 28, 26, 26, 24, 28, 24, 28, 22, 24, 24, 30, 28, 28, 26, 28, 30, 24, 30, 30, 30, 30, 30, 30,
        30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30,
    ],
];

/// Blocks, by level (L, M, Q, H) and version.
const BLOCKS: [[u8; 40]; 4] = [
    [
        1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8, 8, 9, 9, 10, 12, 12, 12, 13, 14, 15, 16, 17, 18,
        19, 19, 20, 21, 22, 24, 25,
    ],
    [
        1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16, 17, 17, 18, 20, 21, 23, 25, 26, 28, 29, 31,
        33, 35, 37, 38, 40, 43, 45, 47, 49,
    ],
    [
        1, 1, 2, 2, 4, 4, 6, 6, 8, 8, 8, 10, 12, 16, 12, 17, 16, 18, 21, 20, 23, 23, 25, 27, 29, 34, 34, 35, 38, 40,
        43, 45, 48, 51, 53, 56, 59, 62, 65, 68,
    ],
    [
        1, 1, 2, 4, 4, 4, 5, 6, 8, 8, 11, 11, 16, 16, 18, 16, 19, 21, 25, 25, 25, 34, 30, 32, 35, 37, 40, 42, 45, 48,
        51, 54, 57, 60, 63, 66, 70, 74, 77, 81,
    ],
];

/// `data` with the `check` bits of a BCH code behind it, by its generator polynomial.
pub(super) fn bch(data: u32, check: u32, generator: u32) -> u32 {
    let mut rest = data;
    for _ in 0..check {
        rest = (rest << 1) ^ ((rest >> (check - 1)) * generator);
    }
    data << check | rest
}

/// A symbol's error-correction level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::core::decode) enum Level {
    L,
    M,
    Q,
    H,
}

/// A symbol's version, 1 to 40.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::core::decode) struct Version(u8);

impl Version {
    pub(in crate::core::decode) fn new(number: usize) -> Option<Version> {
        (1..=40).contains(&number).then_some(Version(number as u8))
    }

    #[cfg(test)]
    /// The version whose symbol is `side` modules wide.
    pub(in crate::core::decode) fn of_side(side: usize) -> Option<Version> {
        if side < 21 || !(side - 17).is_multiple_of(4) {
            return None;
        }
        Version::new((side - 17) / 4)
    }

    pub(in crate::core::decode) fn number(self) -> usize {
        usize::from(self.0)
    }

    /// Modules a side.
    pub(in crate::core::decode) fn side(self) -> usize {
        17 + 4 * self.number()
    }

    /// The 18 bits that symbols from version 7 on say it with: BCH (18, 6).
    pub(in crate::core::decode) fn code(self) -> u32 {
        bch(u32::from(self.0), 12, 0x1F25)
    }

    /// The rows (and columns) on which alignment patterns are centred, ascending; empty for version 1.
    pub(in crate::core::decode) fn alignment(self) -> Alignment {
        let version = self.number();
        let mut at = [0; 7];
        if version == 1 {
            return Alignment { at, len: 0 };
        }
        let len = version / 7 + 2;
        let step = (version * 8 + len * 3 + 5) / (len * 4 - 4) * 2;
        at[0] = 6;
        for (back, place) in at[1..len].iter_mut().rev().enumerate() {
            *place = self.side() - 7 - back * step;
        }
        Alignment { at, len }
    }

    /// Data and error-correction codewords in the whole symbol.
    pub(super) fn codewords(self) -> usize {
        let version = self.number();
        let mut modules = (16 * version + 128) * version + 64;
        if version >= 2 {
            let alignment = version / 7 + 2;
            modules -= (25 * alignment - 10) * alignment - 55;
            if version >= 7 {
                modules -= 36;
            }
        }
        modules / 8
    }

    pub(super) fn blocks(self, level: Level) -> usize {
        usize::from(BLOCKS[level as usize][self.number() - 1])
    }

    pub(super) fn ecc_per_block(self, level: Level) -> usize {
        usize::from(ECC_PER_BLOCK[level as usize][self.number() - 1])
    }

    /// Error-correction codewords that the standard keeps for noticing a wrong correction.
    pub(super) fn misdecode_protection(self, level: Level) -> usize {
        match (self.number(), level) {
            (1, Level::L) => 3,
            (1, Level::M) | (2, Level::L) => 2,
            (1, Level::Q | Level::H) | (3, Level::L) => 1,
            _ => 0,
        }
    }

    /// Which modules carry no data: finders with their format bits, timing, alignment, version. Row by row.
    pub(super) fn function_modules(self) -> Vec<bool> {
        let side = self.side();
        let mut map = vec![false; side * side];
        let mut fill = |x0: usize, y0: usize, width: usize, height: usize| {
            for y in y0..y0 + height {
                map[y * side + x0..y * side + x0 + width].fill(true);
            }
        };
        fill(0, 0, 9, 9);
        fill(side - 8, 0, 8, 9);
        fill(0, side - 8, 9, 8);
        fill(6, 0, 1, side);
        fill(0, 6, side, 1);
        for (x, y) in self.alignment().centres(side) {
            fill(x - 2, y - 2, 5, 5);
        }
        if self.number() >= 7 {
            fill(side - 11, 0, 3, 6);
            fill(0, side - 11, 6, 3);
        }
        map
    }
}

/// Where alignment patterns are.
pub(in crate::core::decode) struct Alignment {
    at: [usize; 7],
    len: usize,
}

impl Alignment {
    /// The centres of all patterns, as (column, row); the three places that finders take are left out.
    pub(in crate::core::decode) fn centres(&self, side: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        let at = &self.at[..self.len];
        at.iter().flat_map(move |&y| at.iter().map(move |&x| (x, y))).filter(move |&(x, y)| {
            let far = side - 7;
            !matches!((x == 6, y == 6, x == far, y == far), (true, true, ..) | (_, true, true, _) | (true, _, _, true))
        })
    }
}
