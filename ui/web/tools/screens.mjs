#!/usr/bin/env node
// Takes a picture of every state of every page against the tests' stand-in server, for people to look at:
//   npm run build && node tools/screens.mjs DIR [NAME-PREFIX]
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { addTicket, newWorld, Problem, startMock } from '../tests/mock/server.mjs';
import { busyNight } from '../tests/mock/scenes.mjs';
import { startBrowser } from './browser.mjs';

const [dir, only = ''] = process.argv.slice(2);
if (!dir) {
  console.error('usage: screens.mjs DIR [NAME-PREFIX]');
  process.exit(2);
}
mkdirSync(dir, { recursive: true });

const PHONE = { width: 360, height: 740, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
const DESK = { width: 1280, height: 900, deviceScaleFactor: 1 };

async function shoot(name, { dark = false, lang = 'en-GB', viewport = PHONE, world = newWorld(), prepare, run }) {
  if (!name.startsWith(only)) return;
  const mock = await startMock(world);
  const { browser, close } = await startBrowser({ lang });
  try {
    const page = await browser.newPage();
    page.on('pageerror', (error) => console.error(name, 'pageerror', error.message));
    await page.setViewport(viewport);
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }]);
    await prepare?.(page);
    await run({ page, mock, world });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (wide > 0) console.error(name, `is ${wide} px too wide`);
    await page.screenshot({ path: join(dir, `${name}.png`), fullPage: true });
    console.log(name);
  } catch (failure) {
    console.error(name, failure.message);
  } finally {
    await close();
    await mock.close();
  }
}

const open = async ({ page, mock }, ticket, view) => {
  await page.goto(mock.link(ticket));
  await page.waitForSelector(`[data-view="${view}"]`);
  await page.evaluate(() => document.fonts.ready);
};
const tap = async (context, ticket, view = 'code') => {
  await open(context, ticket, 'offer');
  await context.page.click('[data-bind]');
  await context.page.waitForSelector(`[data-view="${view}"]`);
  if (view === 'code') await context.page.waitForFunction(() => document.querySelector('[data-code] canvas')?.width > 1);
};
const trouble = async (context, hash) => {
  await context.page.goto(`${context.mock.url}/t${hash}`);
  await context.page.waitForSelector('[data-view="trouble"]');
  await context.page.evaluate(() => document.fonts.ready);
};
const wrongClock = (ms) => (page) => page.evaluateOnNewDocument((by) => { const now = Date.now; Date.now = () => now() + by; }, ms);

/** The plan's evening is not yet, and nothing is known of now. */
function early(world) {
  const { evening } = world;
  world.evening = () => {
    const there = evening();
    const entrances = there.entrances.map((entrance) => ({ ...entrance, real: [], standing: null }));
    return { ...there, doors_open_at_ms: there.now_ms + 3 * 86_400_000, entrances, warnings: [], service_s: null };
  };
  return world;
}
for (const [suffix, look] of [['', {}], ['-dark', { dark: true }], ['-de', { lang: 'de-DE' }]]) {
  await shoot(`ticket-offer${suffix}`, { ...look, run: (c) => open(c, addTicket(c.world, { printed: true }), 'offer') });
  await shoot(`ticket-code${suffix}`, { ...look, run: (c) => tap(c, addTicket(c.world)) });
  await shoot(`ticket-used${suffix}`, { ...look, run: async (c) => { const t = addTicket(c.world); t.state = 'bound'; await open(c, t, 'trouble'); } });
}
await shoot('ticket-offer-print', { run: async (c) => { await open(c, addTicket(c.world, { printed: true }), 'offer'); await c.page.$eval('details', (d) => (d.open = true)); } });
await shoot('ticket-code-full', { world: Object.assign(newWorld(), { fullForMs: 600_000 }), run: async (c) => { await tap(c, addTicket(c.world)); await c.page.$eval('details', (d) => (d.open = true)); await c.page.type('#digits', '0427'); await c.page.waitForFunction(() => document.querySelector('[data-code]').dataset.challenge === '427'); } });
await shoot('ticket-code-clock', { prepare: wrongClock(4 * 60_000), run: (c) => tap(c, addTicket(c.world)) });
await shoot('ticket-code-wide', { viewport: DESK, run: (c) => tap(c, addTicket(c.world)) });
await shoot('ticket-asking', { world: Object.assign(newWorld(), { loseBindingAnswers: 99 }), run: async (c) => { await tap(c, addTicket(c.world), 'asking'); await c.page.waitForSelector('.body .button'); } });
await shoot('ticket-none', { run: (c) => trouble(c, '') });
await shoot('ticket-broken-de', { lang: 'de-DE', run: (c) => trouble(c, '#12ab') });
await shoot('ticket-revoked-dark', { dark: true, run: (c) => { const t = addTicket(c.world); t.state = 'revoked'; return open(c, t, 'trouble'); } });
await shoot('ticket-list', { run: async (c) => { for (let i = 0; i < 3; i += 1) await tap(c, addTicket(c.world)); await c.page.goto(`${c.mock.url}/t?`); await c.page.waitForSelector('[data-view="list"]'); } });

const office = async ({ page, mock }, view = 'lanes') => {
  await page.goto(`${mock.url}/office`);
  await page.waitForSelector('#name');
  await page.type('#name', 'ines');
  await page.type('#password', 'correct horse');
  await page.click('form button');
  await page.waitForSelector('nav');
  await page.click(`nav a[href$="${view}"]`);
  await page.waitForSelector({ lanes: '[data-link="live"]', devices: '#devices-title', staff: '[data-member]' }[view]);
  await page.evaluate(() => document.fonts.ready);
};
for (const [suffix, look] of [['', { viewport: DESK }], ['-dark', { viewport: DESK, dark: true }], ['-de-phone', { lang: 'de-DE' }]]) {
  await shoot(`office-login${suffix}`, { ...look, run: async (c) => { await c.page.goto(`${c.mock.url}/office`); await c.page.waitForSelector('#name'); } });
  await shoot(`office-lanes${suffix}`, { ...look, world: busyNight(newWorld()), run: (c) => office(c) });
  await shoot(`office-devices${suffix}`, { ...look, world: busyNight(newWorld()), run: (c) => office(c, 'devices') });
  await shoot(`office-staff${suffix}`, { ...look, world: busyNight(newWorld()), run: async (c) => { await office(c, 'staff'); await c.page.click('[data-add]'); await c.page.waitForSelector('dialog[open]'); } });
  await shoot(`office-enrol${suffix}`, { ...look, world: Object.assign(busyNight(newWorld()), { devices: [] }), run: async (c) => { await office(c, 'devices'); await c.page.select('#lane', '2'); await c.page.click('form button'); await c.page.waitForSelector('[data-enrolment] canvas'); } });
}
const evening = async (context, look) => {
  await office(context);
  await context.page.waitForSelector(`[data-evening="${look}"]`);
};
for (const [suffix, look] of [['', { viewport: DESK }], ['-de-phone-dark', { lang: 'de-DE', dark: true }]]) {
  await shoot(`office-evening${suffix}`, { ...look, world: busyNight(newWorld()), run: (c) => evening(c, 'there') });
  await shoot(`office-evening-none${suffix}`, { ...look, world: Object.assign(busyNight(newWorld()), { evening: () => null }), run: (c) => evening(c, 'none') });
  await shoot(`office-evening-failed${suffix}`, { ...look, world: Object.assign(busyNight(newWorld()), { evening: () => { throw new Problem(500, 'internal', 'the server failed'); } }), run: async (c) => { await office(c); await c.page.waitForSelector('[data-evening] [role="alert"]'); } });
  await shoot(`office-evening-early${suffix}`, { ...look, world: early(busyNight(newWorld())), run: (c) => evening(c, 'there') });
  await shoot(`office-release${suffix}`, { ...look, world: busyNight(newWorld()), run: async (c) => { await office(c, 'devices'); await c.page.click('[data-release]'); await c.page.waitForSelector('dialog[open]'); } });
}
await shoot('office-login-wrong', { viewport: DESK, run: async (c) => { await c.page.goto(`${c.mock.url}/office`); await c.page.waitForSelector('#name'); await c.page.type('#name', 'ines'); await c.page.type('#password', 'x'); await c.page.click('form button'); await c.page.waitForSelector('[role="alert"]'); } });
await shoot('office-empty', { viewport: DESK, run: (c) => office(c) });
await shoot('office-no-events', { viewport: DESK, world: Object.assign(newWorld(), { events: [] }), run: async (c) => { await c.page.goto(`${c.mock.url}/office`); await c.page.waitForSelector('#name'); await c.page.type('#name', 'ines'); await c.page.type('#password', 'correct horse'); await c.page.click('form button'); await c.page.waitForSelector('main h1 + .notice'); } });
await shoot('office-events', { viewport: DESK, run: async (c) => { c.world.events.push({ ...c.world.event, id: 8, name: 'Die Zauberflöte am Fluss, Matinee' }); await c.page.goto(`${c.mock.url}/office`); await c.page.waitForSelector('#name'); await c.page.type('#name', 'ines'); await c.page.type('#password', 'correct horse'); await c.page.click('form button'); await c.page.waitForSelector('main ul a'); } });
await shoot('office-stale', { viewport: DESK, world: busyNight(newWorld()), run: async (c) => { await office(c); c.world.liveDown = true; for (const l of c.world.live) l.response.destroy(); await c.page.waitForSelector('main > [role="alert"]', { timeout: 40_000 }); } });
await shoot('office-revoke', { viewport: DESK, world: busyNight(newWorld()), run: async (c) => { await office(c, 'devices'); await c.page.click('[data-device] .button.danger'); await c.page.waitForSelector('dialog[open]'); } });
await shoot('office-enrol-expired', { viewport: DESK, world: Object.assign(busyNight(newWorld()), { devices: [], enrolmentForMs: 500 }), run: async (c) => { await office(c, 'devices'); await c.page.select('#lane', '2'); await c.page.click('form button'); await c.page.waitForSelector('.symbol.over'); } });
for (const [suffix, look] of [['', { viewport: DESK }], ['-de-dark', { lang: 'de-DE', dark: true }]]) await shoot(`landing${suffix}`, { ...look, run: async (c) => { await c.page.goto(c.mock.url); await c.page.evaluate(() => document.fonts.ready); } });
