// A real Chromium on a page served by the stand-in server. Every test gets a browser context of its own (its own storage), and fails
// if the page threw, or broke the content policy the server sends.
import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import decodeQR from 'qr/decode.js';
import type { Browser, BrowserContext, Page } from 'puppeteer-core';
import { chromiumIsHere, CHROMIUM, startBrowser } from '../../tools/browser.mjs';
import { startMock, newWorld } from '../mock/server.mjs';

export type Mock = Awaited<ReturnType<typeof startMock>>;
export type World = ReturnType<typeof newWorld>;

if (!chromiumIsHere()) {
  console.error(`\n${'!'.repeat(100)}\n!!  NO BROWSER TEST RAN: there is no Chromium at ${CHROMIUM}.\n!!  Install it (Debian: apt-get install chromium) or set CHROMIUM to its path.\n${'!'.repeat(100)}\n`);
}

/** `describe`, skipped (loudly, see above) where there is no Chromium. */
export const inChromium = describe.skipIf(!chromiumIsHere());

export interface Visit {
  page: Page;
  mock: Mock;
  world: World;
  /** Messages that fail the test unless it expects them. */
  complaints: string[];
}

export function useBrowser(): { visit: (options?: { world?: World; dark?: boolean; width?: number; prepare?: (page: Page) => Promise<unknown> }) => Promise<Visit> } {
  let started: { browser: Browser; close: () => Promise<void> };
  const cleanups: (() => Promise<unknown>)[] = [];
  const visits: Visit[] = [];

  beforeAll(async () => {
    if (chromiumIsHere()) started = await startBrowser({ scale: 2 });
  });
  afterAll(async () => started?.close());
  afterEach(async () => {
    const complaints = visits.splice(0).flatMap((v) => v.complaints);
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
    if (complaints.length > 0) throw new Error(`the page complained:\n${complaints.join('\n')}`);
  });

  return {
    async visit({ world = newWorld(), dark = false, width = 360, prepare } = {}) {
      const mock = await startMock(world);
      const context: BrowserContext = await started.browser.createBrowserContext();
      cleanups.push(() => mock.close(), () => context.close());
      const page = await context.newPage();
      await page.setViewport({ width, height: 800, deviceScaleFactor: 2 });
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }]);
      const complaints: string[] = [];
      page.on('pageerror', (error) => complaints.push(`page error: ${(error as Error).message}`));
      page.on('console', (message) => {
        if (/Content Security Policy|Refused to/i.test(message.text())) complaints.push(message.text());
      });
      await prepare?.(page);
      const visit = { page, mock, world, complaints };
      visits.push(visit);
      return visit;
    },
  };
}

export interface ShownCode {
  short: string;
  full: string;
  step: number;
  challenge: number;
  shows: 'short' | 'full';
}

export async function shownCode(page: Page): Promise<ShownCode> {
  const handle = await page.waitForFunction(() => {
    const element = document.querySelector<HTMLElement>('[data-code]');
    if (!element?.dataset.code || (element.querySelector('canvas')?.width ?? 0) < 2) return false;
    const { code, full, step, challenge, shows } = element.dataset;
    return { short: code, full, step: Number(step), challenge: Number(challenge), shows };
  });
  return (await handle.jsonValue()) as ShownCode;
}

/** Reads the QR code that is on the screen, by its pixels. */
export async function readSymbol(page: Page, selector: string): Promise<{ text: string; modules: number; modulePx: number; cssOffGrid: number }> {
  const { width, height, base64, cssWidth, ratio } = await page.$eval(selector, (element) => {
    const canvas = element as HTMLCanvasElement;
    const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
    let binary = '';
    for (let i = 0; i < data.length; i += 4) binary += String.fromCharCode(data[i]!);
    return { width: canvas.width, height: canvas.height, base64: btoa(binary), cssWidth: canvas.getBoundingClientRect().width, ratio: devicePixelRatio };
  });
  const grey = Buffer.from(base64, 'base64');
  const rgba = new Uint8Array(width * height * 4);
  grey.forEach((value, i) => rgba.set([value, value, value, 255], i * 4));
  // The finder pattern's first run is seven modules wide.
  const firstDark = grey.indexOf(0);
  let run = 0;
  while (grey[firstDark + run] === 0) run += 1;
  const modulePx = run / 7;
  return { text: decodeQR({ width, height, data: rgba }), modules: width / modulePx - 8, modulePx, cssOffGrid: Math.abs(cssWidth * ratio - width) };
}

/** Opens the ticket's link and taps the button. */
export async function bindBy(visit: Visit, link: string): Promise<ShownCode> {
  await visit.page.goto(link);
  await visit.page.waitForSelector('[data-view="offer"]');
  await visit.page.click('[data-bind]');
  await visit.page.waitForSelector('[data-view="code"]');
  return shownCode(visit.page);
}

export async function trouble(page: Page): Promise<string> {
  const element = await page.waitForSelector('[data-trouble]');
  return element!.evaluate((e) => (e as HTMLElement).dataset.trouble!);
}
