#!/usr/bin/env node
// A supervisor at the office page, for demos and journeys.
//
//   TURNSTONE_PASSWORD=… node tools/office.mjs --url https://HOST --name NAME [--event ID] [--insecure-spki BASE64] [--lang TAG] [--timeout SECONDS] COMMAND
//
//   enrol --lane NAME --png FILE        shows an enrolment code for the lane; saves the QR        {"qr_png": FILE}
//   confirm --fingerprint XXXX-…        waits for that device and confirms it                     {"confirmed": "XXXX-…"}
//   lanes --png FILE [--conflict ID]    waits for the live lanes (and that conflict), saves them  {"png": FILE, "conflicts": [ids], "lanes": {...}}
//   devices --png FILE                  saves the devices view                                    {"png": FILE}
//   session                             stays logged in; each line on standard input is a command as JSON,
//                                       e.g. {"do":"enrol","lane":"Lane 1","png":"a.png"}; each answer is one line of JSON
//
// A failure prints {"error": "…"} in a session, else the reason on standard error and exit 1. Exit 2: wrong usage.
import { createInterface } from 'node:readline';
import { readArguments, startBrowser } from './browser.mjs';

const { options, rest } = readArguments(process.argv.slice(2));
const password = process.env.TURNSTONE_PASSWORD ?? options.password;
const COMMANDS = { enrol, confirm, lanes, devices };
if (!options.url || !options.name || password === undefined || !(rest[0] === 'session' || rest[0] in COMMANDS)) {
  console.error('usage: TURNSTONE_PASSWORD=… office.mjs --url URL --name NAME [--event ID] [--insecure-spki BASE64] enrol|confirm|lanes|devices|session …');
  process.exit(2);
}
const timeout = Number(options.timeout ?? 30) * 1000;
const { browser, close } = await startBrowser({ spki: options['insecure-spki'], width: 1280, height: 900, ...(options.lang ? { lang: options.lang } : {}) });
const page = (await browser.pages())[0] ?? (await browser.newPage());

async function login() {
  const event = options.event ? `#/events/${options.event}/lanes` : '';
  await page.goto(`${options.url.replace(/\/$/, '')}/office${event}`, { waitUntil: 'domcontentloaded', timeout });
  await page.waitForSelector('#name', { timeout });
  await page.type('#name', options.name);
  await page.type('#password', password);
  await page.click('form button');
  const seen = await page.waitForSelector('nav, form [role="alert"], main ul a', { timeout });
  if (await seen.evaluate((element) => element.matches('[role="alert"]'))) throw new Error(await seen.evaluate((element) => element.textContent));
  if (!(await page.$('nav'))) await page.click('main ul a');
  await page.waitForSelector('nav', { timeout });
}

const tab = (name) => page.click(`nav a[href$="/${name}"]`);

async function enrol({ lane, png }) {
  await tab('devices');
  await page.waitForSelector('#lane, [data-enrolment]', { timeout });
  if (await page.$('[data-enrolment]')) await page.click('[data-enrolment] .button.quiet');
  await page.waitForSelector('#lane', { timeout });
  const value = await page.$$eval('#lane option', (all, wanted) => all.find((o) => o.value !== '' && (o.textContent === wanted || o.textContent.startsWith(`${wanted}, `)))?.value, lane);
  if (value === undefined) throw new Error(`there is no lane ${lane}`);
  await page.select('#lane', value);
  await page.click('form button');
  await page.waitForFunction(() => document.querySelector('[data-enrolment] canvas')?.width > 1, { timeout });
  await (await page.$('[data-enrolment] canvas')).screenshot({ path: png });
  return { qr_png: png };
}

async function confirm({ fingerprint }) {
  await tab('devices');
  const pending = await page.waitForSelector(`[data-fingerprint="${fingerprint}"]`, { timeout });
  await (await pending.$('[data-confirm]')).click();
  await page.waitForFunction((f) => !document.querySelector(`[data-fingerprint="${f}"]`), { timeout }, fingerprint);
  const failure = await page.$('main > .notice.bad');
  if (failure) throw new Error(await failure.evaluate((element) => element.textContent));
  return { confirmed: fingerprint };
}

async function lanes({ png, conflict }) {
  await tab('lanes');
  await page.waitForSelector('[data-link="live"]', { timeout });
  await page.waitForSelector(conflict ? `[data-conflict="${conflict}"]` : '[data-lane]', { timeout });
  await page.screenshot({ path: png, fullPage: true });
  return {
    png,
    conflicts: await page.$$eval('[data-conflict]', (all) => all.map((element) => element.dataset.conflict)),
    lanes: Object.fromEntries(await page.$$eval('[data-lane]', (all) => all.map((element) => [element.dataset.lane, element.querySelector('.totals').textContent]))),
  };
}

async function devices({ png }) {
  await tab('devices');
  await page.waitForSelector('#devices-title', { timeout });
  await page.screenshot({ path: png, fullPage: true });
  return { png };
}

async function session() {
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() === '') continue;
    try {
      const { do: name, ...input } = JSON.parse(line);
      if (!(name in COMMANDS)) throw new Error(`unknown command ${name}`);
      console.log(JSON.stringify(await COMMANDS[name](input)));
    } catch (failure) {
      console.log(JSON.stringify({ error: failure.message }));
    }
  }
}

try {
  await login();
  if (rest[0] === 'session') await session();
  else console.log(JSON.stringify(await COMMANDS[rest[0]](options)));
} catch (failure) {
  console.error(`office: ${failure.message}`);
  process.exitCode = 1;
} finally {
  await close();
}
