import { describe, expect, it } from 'vitest';
import { FIX_GOOD_FOR_MS, judge, JumpWatch, measure, ROUND_TRIP_MS_MAX } from '../../src/ticket/clock';

const NOW = 1_800_000_000_000;
const MINUTE = 60_000;

describe('measuring the offset', () => {
  it('assumes the server read its clock halfway', () => {
    expect(measure(NOW, NOW + 4 * MINUTE, NOW + 4 * MINUTE + 200)).toEqual({ offsetMs: -4 * MINUTE - 100, phoneMs: NOW + 4 * MINUTE + 200, roundTripMs: 200 });
  });

  it('takes nothing from a slow answer, a clock that ran backwards meanwhile, or no number', () => {
    expect(measure(NOW, NOW, NOW + ROUND_TRIP_MS_MAX + 1)).toBeNull();
    expect(measure(NOW, NOW, NOW - 1)).toBeNull();
    expect(measure(Number.NaN, NOW, NOW)).toBeNull();
  });
});

describe('judging the phone', () => {
  const fix = (offsetMs: number) => ({ offsetMs, phoneMs: NOW, roundTripMs: 100 });

  it('corrects a fast and a slow phone and says so from 20 s on', () => {
    expect(judge(fix(-4 * MINUTE), false, NOW)).toEqual({ nowMs: NOW - 4 * MINUTE, fastByMs: 4 * MINUTE, doubt: null });
    expect(judge(fix(21_000), false, NOW)).toEqual({ nowMs: NOW + 21_000, fastByMs: -21_000, doubt: null });
    expect(judge(fix(19_000), false, NOW)).toEqual({ nowMs: NOW + 19_000, fastByMs: 0, doubt: null });
  });

  it('is in doubt without a measurement, after a week, after a jump, and before its own measurement', () => {
    expect(judge(null, false, NOW)).toEqual({ nowMs: NOW, fastByMs: 0, doubt: 'never' });
    expect(judge(fix(0), false, NOW + FIX_GOOD_FOR_MS).doubt).toBeNull();
    expect(judge(fix(0), false, NOW + FIX_GOOD_FOR_MS + 1).doubt).toBe('old');
    expect(judge(fix(0), true, NOW + 1).doubt).toBe('jumped');
    expect(judge(fix(0), false, NOW - 10_000).doubt).toBe('jumped');
  });
});

describe('noticing a changed clock', () => {
  it('tells a jump once, in either direction, and not the ordinary drift', () => {
    const watch = new JumpWatch(NOW, 0);
    expect(watch.check(NOW + 1_000, 1_010, false)).toBe(false);
    expect(watch.check(NOW + 2_000 + 5 * MINUTE, 2_000, false)).toBe(true);
    expect(watch.check(NOW + 3_000 + 5 * MINUTE, 3_000, false)).toBe(false);
    expect(watch.check(NOW + 4_000, 4_000, false)).toBe(true);
  });

  it('takes a gap forward while hidden for sleep, but not one backward', () => {
    const watch = new JumpWatch(NOW, 0);
    expect(watch.check(NOW + 10 * MINUTE, 1_000, true)).toBe(false);
    expect(watch.check(NOW + 10 * MINUTE + 1_000, 2_000, false)).toBe(false);
    expect(watch.check(NOW + 2 * MINUTE, 3_000, true)).toBe(true);
  });
});
