import { describe, expect, it } from 'vitest';
import { fromBase64Url, fromHex, toBase64Url, toHex } from '../../src/shared/bytes';
import { localeFor, pickLanguage } from '../../src/shared/lang.svelte';
import { formatSpan, formatTime, roundSpan, zoneNote } from '../../src/shared/when';
import { contactOf, countdown, laneContact, listLag } from '../../src/office/contact';
import { catalogues as office } from '../../src/office/messages';
import { parseRoute, routeHash } from '../../src/office/office.svelte';
import { refusalSentence } from '../../src/office/reasons';
import { parseFragment } from '../../src/ticket/link';
import { catalogues as staff } from '../../src/office/staffMessages';
import { catalogues as ticket } from '../../src/ticket/messages';

describe('bytes', () => {
  it('has one spelling each way', () => {
    const all = Uint8Array.from({ length: 256 }, (_, i) => i);
    expect(fromHex(toHex(all))).toEqual(all);
    expect(fromBase64Url(toBase64Url(all))).toEqual(all);
    for (const bad of ['AA==', 'AB', '+A', 'A', '/w']) expect(() => fromBase64Url(bad), bad).toThrow();
    for (const bad of ['A', 'AB', '0', 'zz']) expect(() => fromHex(bad), bad).toThrow();
  });
});

describe('the link', () => {
  const secret = 'AAECAwQFBgcICQoLDA0ODw';
  it.each([
    ['', 'none'],
    ['#', 'none'],
    ['#00112233445566aa', 'ticket'],
    [`#00112233445566aa.${secret}`, 'link'],
    [`#00112233445566AA.${secret}`, 'broken'],
    [`#00112233445566a.${secret}`, 'broken'],
    [`#00112233445566aa.${secret.slice(1)}`, 'broken'],
    [`#00112233445566aa.${secret}.x`, 'broken'],
    ['#00112233445566aa.', 'broken'],
    ['#hello', 'broken'],
  ])('%j is %s', (hash, kind) => {
    expect(parseFragment(hash).kind).toBe(kind);
  });
});

describe('words about time', () => {
  it('rounds spans to what people say', () => {
    expect([0, 1_400, 90_000, 91_000, 4 * 60_000 + 20_000, 3 * 3_600_000, 5 * 86_400_000].map((ms) => formatSpan(ms, 'en-GB'))).toEqual(
      ['0\u00a0s', '1\u00a0s', '90\u00a0s', '2\u00a0min', '4\u00a0min', '3\u00a0h', '5\u00a0days'],
    );
    expect(roundSpan(-240_000)).toEqual({ n: 4, unit: 'minute' });
  });

  it('shows the event’s own zone and names it only where the reader’s clock differs', () => {
    const at = Date.UTC(2027, 5, 19, 17, 30);
    expect(formatTime(at, 'Europe/Berlin', 'de-DE')).toBe('19:30');
    expect(zoneNote(at, 'Europe/Berlin', 'en-GB', 'Europe/Berlin')).toBe('');
    expect(zoneNote(at, 'Europe/Berlin', 'en-GB', 'Europe/Zurich')).toBe('');
    expect(zoneNote(at, 'Europe/Berlin', 'en-GB', 'America/New_York')).toBe('CEST');
    expect(formatTime(at, 'Mars/Olympus', 'en-GB')).toBe('17:30');
  });
});

describe('language', () => {
  it('follows the choice, then the browser, then English', () => {
    expect(pickLanguage('de', ['en'])).toBe('de');
    expect(pickLanguage(null, ['fr-FR', 'de-AT', 'en'])).toBe('de');
    expect(pickLanguage('xx', ['fr'])).toBe('en');
    expect(localeFor('de', ['en-US', 'de-AT'])).toBe('de-AT');
    expect(localeFor('en', ['de-AT'])).toBe('en-GB');
  });

  const leaves = (value: unknown, path = ''): [string, unknown][] =>
    value !== null && typeof value === 'object' ? Object.entries(value).flatMap(([key, inner]) => leaves(inner, `${path}.${key}`)) : [[path, value]];
  it.each([['ticket', ticket], ['office', office], ['staff', staff]])('says everything on the %s page in both languages', (_name, { en, de }) => {
    const german = new Map(leaves(de));
    const same = ['.code.ticketNumber', '.conflicts.ticket', '.login.name', '.live.live', '.timeIn', '.conflicts.give', '.name', '.pin'];
    for (const [path, value] of leaves(en)) {
      expect(typeof german.get(path), path).toBe(typeof value);
      if (typeof value === 'string' && !same.includes(path)) expect(german.get(path), path).not.toBe(value);
    }
    expect(german.size).toBe(leaves(en).length);
  });

  it('keeps the server’s English for a refusal it has no German for', () => {
    expect(refusalSentence({ reason: 'used', sentence: 'x', count: 1 }, 'de').language).toBe('de');
    expect(refusalSentence({ reason: 'brand_new', sentence: 'New one.', count: 1 }, 'de')).toEqual({ text: 'New one.', language: 'en' });
    expect(refusalSentence({ reason: 'used', sentence: 'This ticket was admitted before.', count: 1 }, 'en').text).toBe('This ticket was admitted before.');
  });
});

describe('the office', () => {
  it('grades contact: quiet after a minute, lost after five', () => {
    const at = (ms: number) => contactOf(1_000_000 - ms, 1_000_000).contact;
    expect([at(60_000), at(60_001), at(300_000), at(300_001), contactOf(null, 5).contact]).toEqual(['fresh', 'quiet', 'quiet', 'lost', 'never']);
    expect(contactOf(2_000, 1_000)).toEqual({ contact: 'fresh', ageMs: 0 });
    expect(laneContact(['lost', 'fresh'])).toBe('fresh');
    expect(laneContact([])).toBeNull();
  });

  it('counts list versions behind and an enrolment’s seconds', () => {
    expect([listLag(3, 5), listLag(5, 5), listLag(7, 5), listLag(null, 5)]).toEqual([2, 0, 0, null]);
    expect([countdown(120_000), countdown(61_001), countdown(900), countdown(-5)]).toEqual(['2:00', '1:02', '0:01', '0:00']);
  });

  it('keeps event and view in the address', () => {
    expect(parseRoute(routeHash({ eventId: 7, tab: 'devices' }))).toEqual({ eventId: 7, tab: 'devices' });
    expect(parseRoute('#/events/7')).toEqual({ eventId: 7, tab: 'lanes' });
    expect(parseRoute('#/events/x')).toBeNull();
    expect(parseRoute(routeHash(null))).toBeNull();
  });
});
