// WCAG 2.2 AA by axe, and no sideways scrolling at 360 px, for every kind of screen in light and dark.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import { expect, it } from 'vitest';
import { addTicket, newWorld } from '../mock/server.mjs';
import { busyNight } from '../mock/scenes.mjs';
import { bindBy, inChromium, useBrowser, type Visit, type World } from './harness';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

async function judge({ page }: Visit): Promise<string[]> {
  await page.evaluate(() => document.fonts.ready);
  await page.evaluate(AXE);
  const results = (await page.evaluate(() =>
    (window as unknown as { axe: { run: (context: Document, options: object) => Promise<unknown> } }).axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }),
  )) as AxeResults;
  const tooWide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  return [...results.violations.map((v) => `${v.id}: ${v.nodes.map((n) => `${n.target.join(' ')} ${n.failureSummary}`).join('; ')}`), ...(tooWide > 0 ? [`${tooWide} px too wide`] : [])];
}

const office = (view: string) => async ({ page, mock }: Visit) => {
  await page.goto(`${mock.url}/office`);
  await page.waitForSelector('#name');
  await page.type('#name', 'ines');
  await page.type('#password', 'correct horse');
  await page.keyboard.press('Enter');
  await page.waitForSelector('nav');
  await page.click(`nav a[href$="${view}"]`);
  await page.waitForSelector({ lanes: '[data-lane]', devices: '[data-device]', staff: '[data-member]' }[view]!);
};

const SCREENS: [string, () => World, (visit: Visit) => Promise<unknown>][] = [
  ['landing', newWorld, ({ page, mock }) => page.goto(mock.url)],
  ['offer', newWorld, async ({ page, mock, world }) => (await page.goto(mock.link(addTicket(world, { printed: true }))), await page.waitForSelector('summary'), page.click('summary'))],
  ['code', () => Object.assign(newWorld(), { fullForMs: 60_000 }), async (visit) => (await bindBy(visit, visit.mock.link(addTicket(visit.world))), visit.page.click('summary'))],
  ['asking', () => Object.assign(newWorld(), { loseBindingAnswers: 99 }), async ({ page, mock, world }) => (await page.goto(mock.link(addTicket(world))), await page.waitForSelector('[data-bind]'), await page.click('[data-bind]'), page.waitForSelector('[data-view="asking"] .button'))],
  ['trouble', newWorld, async ({ page, mock }) => (await page.goto(`${mock.url}/t#x`), page.waitForSelector('[data-trouble]'))],
  ['login', newWorld, async ({ page, mock }) => (await page.goto(`${mock.url}/office`), page.waitForSelector('#name'))],
  ['lanes', () => busyNight(newWorld()), office('lanes')],
  ['devices', () => busyNight(newWorld()), office('devices')],
  ['enrolment', () => busyNight(newWorld()), async (visit) => (await office('devices')(visit), await visit.page.select('#lane', '2'), await visit.page.click('form button'), visit.page.waitForSelector('[data-enrolment]'))],
  ['staff', () => busyNight(newWorld()), office('staff')],
  ['staff form', () => busyNight(newWorld()), async (visit) => (await office('staff')(visit), await visit.page.click('[data-add]'), visit.page.waitForSelector('dialog[open]'))],
  ['revoking', () => busyNight(newWorld()), async (visit) => (await office('devices')(visit), await visit.page.click('[data-device] .button'), visit.page.waitForSelector('dialog[open]'))],
  ['releasing', () => busyNight(newWorld()), async (visit) => (await office('devices')(visit), await visit.page.waitForSelector('[data-release]'), await visit.page.click('[data-release]'), visit.page.waitForSelector('dialog[open]'))],
  ['evening', () => busyNight(newWorld()), async (visit) => (await office('lanes')(visit), visit.page.waitForSelector('[data-evening="there"] svg'))],
];

inChromium('accessibility', () => {
  const browser = useBrowser();
  for (const dark of [false, true]) {
    it.each(SCREENS)(`%s, ${dark ? 'dark' : 'light'}`, async (_name, world, show) => {
      const visit = await browser.visit({ world: world(), dark });
      // The checker itself is injected from outside the page, past its content policy.
      await visit.page.setBypassCSP(true);
      await show(visit);
      expect(await judge(visit)).toEqual([]);
    });
  }
});
