// The evening's chart as numbers: guests who are in, planned and real, over the minutes since the doors' opening. Pure.

import type { EveningEntrance } from '../api/types';

/** One entrance's curves: how many are in at the end of each minute. */
export interface Curves {
  first: number;
  last: number;
  /** The minute that is not over, or null where the evening is not on the chart. */
  now: number | null;
  planned: number[];
  real: number[];
  /** The highest that either reaches. */
  most: number;
}

export function curves(entrance: EveningEntrance, nowMinute: number): Curves {
  const planned = summed(entrance.planned);
  const real = summed(entrance.real);
  const first = entrance.first_minute;
  const last = first + Math.max(planned.length, real.length, 1) - 1;
  const now = nowMinute >= first && nowMinute <= last ? nowMinute : null;
  return { first, last, now, planned, real, most: Math.max(1, ...planned.slice(-1), ...real.slice(-1)) };
}

function summed(minutes: number[]): number[] {
  let sum = 0;
  return minutes.map((guests) => (sum += guests));
}

/** A line from nothing at `first` to each minute's end, as an SVG path. */
export function line(values: number[], first: number, x: (minute: number) => number, y: (guests: number) => number): string {
  if (values.length === 0) return '';
  const points = values.map((guests, i) => `L${x(first + i + 1).toFixed(1)} ${y(guests).toFixed(1)}`);
  return `M${x(first).toFixed(1)} ${y(0).toFixed(1)}${points.join('')}`;
}

const MINUTE_STEPS = [5, 10, 15, 30, 60, 120, 180, 360];

/** Minutes to name below the chart: as close together as `roomFor` of them allow. */
export function minuteTicks(first: number, last: number, roomFor: number): number[] {
  const step = MINUTE_STEPS.find((minutes) => (last - first) / minutes <= Math.max(1, roomFor)) ?? 720;
  const ticks: number[] = [];
  for (let minute = Math.ceil(first / step) * step; minute <= last; minute += step) ticks.push(minute);
  return ticks;
}

/** Round numbers up to `most`, at most four. */
export function guestTicks(most: number): number[] {
  const size = 10 ** Math.floor(Math.log10(most));
  const step = [0.25, 0.5, 1, 2, 2.5, 5, 10].map((n) => n * size).find((n) => n >= 1 && most / n <= 4) ?? most;
  const ticks: number[] = [];
  for (let guests = step; guests <= most; guests += step) ticks.push(guests);
  return ticks;
}
