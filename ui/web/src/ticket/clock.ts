// What time it is for the gate. A code is good for seconds, and phones are wrong by minutes: the page signs with the phone's clock
// corrected by its last known offset from the server's, and says when it corrects and when it cannot be sure. Pure: readings are
// arguments. Offsets are server minus phone, so a fast phone has a negative one.

export interface ClockFix {
  offsetMs: number;
  /** The phone's own clock when the offset was measured. */
  phoneMs: number;
  roundTripMs: number;
}

export type Doubt = 'never' | 'old' | 'jumped';

export interface ClockJudgement {
  /** Best guess of the true time, unix ms. */
  nowMs: number;
  /** How far the phone is ahead (positive: fast), 0 when it is close enough not to matter. */
  fastByMs: number;
  doubt: Doubt | null;
}

export const NOTABLE_MS = 20_000;
export const FIX_GOOD_FOR_MS = 7 * 24 * 3_600_000;
export const JUMP_MS = 3_000;
/** A slower answer says too little about when the server read its clock. */
export const ROUND_TRIP_MS_MAX = 8_000;

/** The server read its clock somewhere between asking and hearing; the middle is wrong by half the round trip at most. */
export function measure(serverMs: number, askedAtMs: number, heardAtMs: number): ClockFix | null {
  const roundTripMs = heardAtMs - askedAtMs;
  if (roundTripMs < 0 || roundTripMs > ROUND_TRIP_MS_MAX || !Number.isFinite(serverMs)) return null;
  return { offsetMs: Math.round(serverMs - (askedAtMs + heardAtMs) / 2), phoneMs: heardAtMs, roundTripMs };
}

export function judge(fix: ClockFix | null, jumped: boolean, phoneMs: number): ClockJudgement {
  if (fix === null) return { nowMs: phoneMs, fastByMs: 0, doubt: 'never' };
  const age = phoneMs - fix.phoneMs;
  // Time before the measurement means the clock was set back since: the offset no longer says anything.
  const doubt: Doubt | null = jumped || age < -JUMP_MS ? 'jumped' : age > FIX_GOOD_FOR_MS ? 'old' : null;
  return {
    nowMs: phoneMs + fix.offsetMs,
    fastByMs: Math.abs(fix.offsetMs) > NOTABLE_MS ? -fix.offsetMs : 0,
    doubt,
  };
}

/**
 * Notices that somebody set the phone's clock while the page was open, by comparing it with the browser's steady clock. A gap that
 * opened while the page was hidden and points forward is sleep (the steady clock of many phones stops then), not a changed clock.
 */
export class JumpWatch {
  #anchorMs: number;

  constructor(phoneMs: number, steadyMs: number) {
    this.#anchorMs = phoneMs - steadyMs;
  }

  /** True once per jump. */
  check(phoneMs: number, steadyMs: number, wasHidden: boolean): boolean {
    const anchorMs = phoneMs - steadyMs;
    const drift = anchorMs - this.#anchorMs;
    if (Math.abs(drift) < JUMP_MS) return false;
    this.#anchorMs = anchorMs;
    return !(wasHidden && drift > 0);
  }
}
