// Dates, times and spans in words. Times of an event are always shown in the event's own zone.

export function formatDay(ms: number, timeZone: string, locale: string): string {
  return format(ms, timeZone, locale, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
}

export function formatTime(ms: number, timeZone: string, locale: string): string {
  return format(ms, timeZone, locale, { hour: 'numeric', minute: '2-digit' });
}

export function formatTimeWithSeconds(ms: number, timeZone: string, locale: string): string {
  return format(ms, timeZone, locale, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
}

export function formatShort(ms: number, timeZone: string, locale: string): string {
  return format(ms, timeZone, locale, { day: 'numeric', month: 'short', hour: 'numeric', minute: '2-digit' });
}

/** The zone's short name, where the reader's clock shows another time than the event's; else nothing. */
export function zoneNote(ms: number, timeZone: string, locale: string, ownZone: string): string {
  if (format(ms, timeZone, 'en-GB', { dateStyle: 'short', timeStyle: 'short' }) === format(ms, ownZone, 'en-GB', { dateStyle: 'short', timeStyle: 'short' })) return '';
  const parts = new Intl.DateTimeFormat(locale, { timeZone: knownZone(timeZone), timeZoneName: 'short' }).formatToParts(ms);
  return parts.find((part) => part.type === 'timeZoneName')?.value ?? '';
}

function format(ms: number, timeZone: string, locale: string, options: Intl.DateTimeFormatOptions): string {
  return new Intl.DateTimeFormat(locale, { ...options, timeZone: knownZone(timeZone) }).format(ms);
}

/** An old browser may not know a new zone's name; UTC, named as such by `zoneNote`, beats no page at all. */
function knownZone(timeZone: string): string {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
    return timeZone;
  } catch {
    return 'UTC';
  }
}

export type SpanUnit = 'second' | 'minute' | 'hour' | 'day';

/** A span as one rounded number and its unit: 90 s stays seconds, 91 s is 2 min. */
export function roundSpan(ms: number): { n: number; unit: SpanUnit } {
  const s = Math.round(Math.abs(ms) / 1000);
  if (s <= 90) return { n: s, unit: 'second' };
  if (s < 90 * 60) return { n: Math.round(s / 60), unit: 'minute' };
  if (s < 36 * 3600) return { n: Math.round(s / 3600), unit: 'hour' };
  return { n: Math.round(s / 86_400), unit: 'day' };
}

/** "4 min", "90 s", "2 h", "3 days". Written out here, since browsers differ in how they shorten units ("4 mins", "4 Min."). */
export function formatSpan(ms: number, locale: string): string {
  const { n, unit } = roundSpan(ms);
  const short = { second: 's', minute: 'min', hour: 'h', day: locale.startsWith('de') ? 'Tg.' : n === 1 ? 'day' : 'days' }[unit];
  return `${new Intl.NumberFormat(locale).format(n)}\u00a0${short}`;
}
