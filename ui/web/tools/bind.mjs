#!/usr/bin/env node
// A guest with a phone, for demos and journeys: opens a ticket's link in Chromium, taps the button, waits for the code.
//
//   node tools/bind.mjs --url LINK [--screenshots DIR] [--insecure-spki BASE64] [--lang TAG] [--timeout SECONDS] [--keep]
//
// Prints one JSON line: {"code": "T1S…", "full": "T1F…", "step": N, "ticket_id": "…"}. With --keep the browser stays open and every
// line on standard input prints the code of that moment again; a line of four digits first types them as the lane's challenge, the
// line "screenshot FILE" saves a picture. End of input ends it. Exit 1: no code came; the reason is on standard error.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { readArguments, startBrowser } from './browser.mjs';

const { options } = readArguments(process.argv.slice(2), ['keep']);
if (!options.url) {
  console.error('usage: bind.mjs --url LINK [--screenshots DIR] [--insecure-spki BASE64] [--lang TAG] [--timeout SECONDS] [--keep]');
  process.exit(2);
}
const timeout = Number(options.timeout ?? 30) * 1000;
const { browser, close } = await startBrowser({ spki: options['insecure-spki'], ...(options.lang ? { lang: options.lang } : {}) });
const page = (await browser.pages())[0] ?? (await browser.newPage());

async function picture(name) {
  if (!options.screenshots) return;
  mkdirSync(options.screenshots, { recursive: true });
  await page.screenshot({ path: join(options.screenshots, `${name}.png`) });
}

/** The code on the page now; after a step's end the page needs a moment to sign, so a stale one is waited out. */
async function codeNow() {
  const handle = await page.waitForFunction(
    () => {
      const element = document.querySelector('[data-code]');
      return element?.dataset.step && element.querySelector('canvas')?.width > 1
        ? { code: element.dataset.code, full: element.dataset.full, step: Number(element.dataset.step), challenge: Number(element.dataset.challenge) }
        : false;
    },
    { timeout },
  );
  const { challenge, ...code } = await handle.jsonValue();
  return { ...code, ...(challenge > 0 ? { challenge } : {}), ticket_id: new URL(page.url()).hash.slice(1, 17) };
}

async function bind() {
  await page.goto(options.url, { waitUntil: 'domcontentloaded', timeout });
  const view = await page.waitForSelector('[data-view="offer"], [data-view="code"], [data-view="trouble"]', { timeout });
  await picture('1-opened');
  const kind = await view.evaluate((element) => element.dataset.view);
  if (kind === 'trouble') throw new Error(await page.$eval('[data-trouble]', (element) => `${element.dataset.trouble}: ${element.innerText}`));
  if (kind === 'offer') {
    await page.click('[data-bind]');
    const after = await page.waitForSelector('[data-view="code"], [data-view="trouble"]', { timeout });
    if ((await after.evaluate((element) => element.dataset.view)) === 'trouble') throw new Error(await page.$eval('[data-trouble]', (element) => `${element.dataset.trouble}: ${element.innerText}`));
  }
  const code = await codeNow();
  await picture('2-code');
  return code;
}

async function answerLine(line) {
  const shot = /^screenshot (.+)$/.exec(line);
  if (shot) await page.screenshot({ path: shot[1] });
  if (/^\d{4}$/.test(line)) {
    await page.$eval('details', (element) => (element.open = true));
    await page.$eval('#digits', (element) => (element.value = ''));
    await page.type('#digits', line);
    await page.waitForFunction((n) => document.querySelector('[data-code]')?.dataset.challenge === n, { timeout }, String(Number(line)));
  }
  // The page draws a new step within a fifth of a second; asking twice that later never gives the one before.
  await new Promise((resolve) => setTimeout(resolve, 400));
  return codeNow();
}

try {
  console.log(JSON.stringify(await bind()));
  if (options.keep) for await (const line of createInterface({ input: process.stdin })) console.log(JSON.stringify(await answerLine(line.trim())));
} catch (failure) {
  await picture('failed').catch(() => undefined);
  console.error(`bind: ${failure.message}`);
  process.exitCode = 1;
} finally {
  await close();
}
