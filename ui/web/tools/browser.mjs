// Starts Chromium for the tools and tests here: headless, a fresh profile in a folder of its own that is removed afterwards.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';

export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

export function chromiumIsHere() {
  return existsSync(CHROMIUM);
}

/**
 * `spki` is the base64 SHA-256 of a server key that this browser shall trust without a certificate authority; `lang` a language tag.
 * `close()` ends the browser and removes its profile.
 */
export async function startBrowser({ spki, lang = 'en-GB', width = 412, height = 915, scale = 2 } = {}) {
  if (!chromiumIsHere()) throw new Error(`no Chromium at ${CHROMIUM}; install it (Debian: apt-get install chromium) or set CHROMIUM`);
  const profile = mkdtempSync(join(tmpdir(), 'turnstone-chromium-'));
  const browser = await puppeteer.launch({
    executablePath: CHROMIUM,
    userDataDir: profile,
    headless: true,
    defaultViewport: { width, height, deviceScaleFactor: scale },
    env: { ...process.env, LANGUAGE: lang.replace('-', '_') },
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
      `--lang=${lang}`, `--accept-lang=${lang}`,
      ...(spki ? [`--ignore-certificate-errors-spki-list=${spki}`] : []),
    ],
  });
  return {
    browser,
    close: async () => {
      await browser.close().catch(() => undefined);
      rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
}

/** `--name value` pairs and bare `--name` flags; everything else is positional. */
export function readArguments(argv, flags = []) {
  const options = {};
  const rest = [];
  for (let i = 0; i < argv.length; i += 1) {
    const name = /^--(.+)$/.exec(argv[i])?.[1];
    if (name === undefined) rest.push(argv[i]);
    else if (flags.includes(name)) options[name] = true;
    else if (i + 1 < argv.length) options[name] = argv[(i += 1)];
    else throw new Error(`--${name} needs a value`);
  }
  return { options, rest };
}
