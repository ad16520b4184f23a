// How long ago a device was heard from, and what that means. Pure. Ages are taken on the server's clock as of the last snapshot plus
// the time that has passed here since, so that neither a wrong clock on this computer nor a dead connection makes a device look fresh.

export type Contact = 'fresh' | 'quiet' | 'lost' | 'never';

export const QUIET_MS = 60_000;
export const LOST_MS = 5 * 60_000;

export function contactOf(lastContactMs: number | null, serverNowMs: number): { contact: Contact; ageMs: number } {
  if (lastContactMs === null) return { contact: 'never', ageMs: 0 };
  const ageMs = Math.max(0, serverNowMs - lastContactMs);
  return { contact: ageMs > LOST_MS ? 'lost' : ageMs > QUIET_MS ? 'quiet' : 'fresh', ageMs };
}

const ORDER: Contact[] = ['fresh', 'quiet', 'lost', 'never'];

/** A lane is as reachable as its best device: two handhelds on it cover for each other. */
export function laneContact(devices: Contact[]): Contact | null {
  return devices.length === 0 ? null : ORDER[Math.min(...devices.map((c) => ORDER.indexOf(c)))]!;
}

/** Versions a device's list is behind the server's, or null while it has none. */
export function listLag(deviceVersion: number | null, serverVersion: number): number | null {
  return deviceVersion === null ? null : Math.max(0, serverVersion - deviceVersion);
}

/** m:ss, for the two minutes of an enrolment code. */
export function countdown(ms: number): string {
  const s = Math.max(0, Math.ceil(ms / 1000));
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`;
}
