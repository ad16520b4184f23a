import { describe, expect, it } from 'vitest';
import { curves, guestTicks, line, minuteTicks } from '../../src/office/evening';

const entrance = (planned: number[], real: number[]) => ({ entrance_id: 1, name: 'N', first_minute: -2, planned, real, standing: null });

describe('the evening’s chart', () => {
  it('sums both curves up and marks where we are', () => {
    expect(curves(entrance([0, 2, 3.5], [1, 1]), -1)).toEqual({ first: -2, last: 0, now: -1, planned: [0, 2, 5.5], real: [1, 2], most: 5.5 });
    expect(curves(entrance([1], [1, 1, 9]), 5)).toMatchObject({ last: 0, now: null, most: 11 });
    expect(curves(entrance([], []), 0)).toMatchObject({ first: -2, last: -2, most: 1 });
  });

  it('begins each line with nobody', () => {
    expect(line([1, 3], -2, (m) => m * 10, (g) => 100 - g)).toBe('M-20.0 100.0L-10.0 99.0L0.0 97.0');
    expect(line([], 0, (m) => m, (g) => g)).toBe('');
  });

  it.each([
    [-10, 109, 4, [0, 30, 60, 90]],
    [-10, 109, 12, [-10, 0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]],
    [0, 3, 4, [0]],
    [-720, 1440, 4, [-720, 0, 720, 1440]],
    [-10, 109, 0, [0]],
  ])('names minutes %i to %i for which there is room (%i)', (first, last, room, ticks) => {
    expect(minuteTicks(first, last, room).map((n) => n + 0)).toEqual(ticks);
  });

  it.each([
    [1, [1]],
    [7, [2, 4, 6]],
    [100, [25, 50, 75, 100]],
    [3900, [1000, 2000, 3000]],
    [912, [250, 500, 750]],
  ])('names round numbers up to %i', (most, ticks) => {
    expect(guestTicks(most)).toEqual(ticks);
  });
});
