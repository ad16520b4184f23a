import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { base45Decode, presentationMessage } from '../../src/ticket/code';
import { addTicket, newWorld, reissue, verifyHolder } from '../mock/server.mjs';
import { bindBy, inChromium, readSymbol, shownCode, trouble, useBrowser, type ShownCode, type World } from './harness';

const P256_HALF = 0xffffffff_00000000_ffffffff_ffffffff_bce6faad_a7179e84_f3b9cac2_fc632551n / 2n;
const clockOff = (byMs: number) => (page: import('puppeteer-core').Page) =>
  page.evaluateOnNewDocument((by) => {
    const now = Date.now;
    Date.now = () => now() + by;
  }, byMs);
const withoutEd25519 = (page: import('puppeteer-core').Page) =>
  page.evaluateOnNewDocument(() => {
    const real = crypto.subtle.generateKey.bind(crypto.subtle);
    crypto.subtle.generateKey = ((algorithm: { name: string }, ...rest: [boolean, KeyUsage[]]) =>
      algorithm.name === 'Ed25519' ? Promise.reject(new DOMException('no', 'NotSupportedError')) : real(algorithm as EcKeyGenParams, ...rest)) as never;
  });

/** Checks a shown code as a gate would, with the key the server was sent. */
function verifies(world: World, code: ShownCode, ticketId: string): boolean {
  const ticket = world.tickets.get(ticketId);
  const short = base45Decode(code.short.slice(3));
  const message = presentationMessage({ eventId: world.event.id, ticketId, serial: ticket.serial }, code);
  const full = base45Decode(code.full.slice(3));
  expect(Buffer.from(full.slice(0, 131))).toEqual(ticket.bound.credential);
  expect(full.slice(131)).toEqual(short.slice(9));
  return verifyHolder(ticket.bound.algorithm, ticket.bound.raw, message, Buffer.from(short.slice(15)));
}

inChromium('the ticket page', () => {
  const browser = useBrowser();

  it('shows the offer without touching the ticket, and binds at the tap', async () => {
    const visit = await browser.visit();
    const ticket = addTicket(visit.world);
    await visit.page.goto(visit.mock.link(ticket));
    await visit.page.waitForSelector('[data-view="offer"]');
    const words = await visit.page.$eval('main', (e) => e.innerText);
    expect(words).toContain('Die Zauberflöte am Fluss');
    expect(words).toContain('Open-Air-Bühne Rheinaue, Bonn');
    expect(words).toContain('19:30');
    expect(visit.world.bindingsHeard).toEqual([]);
    expect(ticket.state).toBe('unbound');
    await visit.page.click('[data-bind]');
    await visit.page.waitForSelector('[data-view="code"]');
    const code = await shownCode(visit.page);
    expect(verifies(visit.world, code, ticket.ticket_id)).toBe(true);
    expect(visit.world.bindingsHeard[0].algorithm).toBe('ed25519');
    expect(visit.page.url()).toBe(`${visit.mock.url}/t#${ticket.ticket_id}`);
  });

  it('makes P-256 codes with a low s where the browser has no Ed25519', async () => {
    const visit = await browser.visit({ prepare: withoutEd25519 });
    for (let i = 0; i < 4; i += 1) {
      const ticket = addTicket(visit.world);
      const code = await bindBy(visit, visit.mock.link(ticket));
      expect(ticket.bound.algorithm).toBe('p256');
      expect(verifies(visit.world, code, ticket.ticket_id)).toBe(true);
      expect(BigInt(`0x${Buffer.from(base45Decode(code.short.slice(3)).slice(47)).toString('hex')}`) <= P256_HALF).toBe(true);
      expect(BigInt(`0x${Buffer.from(visit.world.bindingsHeard[i].proof, 'base64url').subarray(32).toString('hex')}`) <= P256_HALF).toBe(true);
    }
  });

  it('takes P-256 when the server refuses the Ed25519 key', async () => {
    const visit = await browser.visit({ world: Object.assign(newWorld(), { refuseAlgorithm: 'ed25519' }) });
    const ticket = addTicket(visit.world);
    expect(verifies(visit.world, await bindBy(visit, visit.mock.link(ticket)), ticket.ticket_id)).toBe(true);
    expect(ticket.bound.algorithm).toBe('p256');
  });

  it('draws a version 5 symbol on the pixel grid, black on white in dark mode too, and a version 10 one for the full code', async () => {
    const visit = await browser.visit({ dark: true });
    const code = await bindBy(visit, visit.mock.link(addTicket(visit.world)));
    const short = await readSymbol(visit.page, '[data-code] canvas');
    expect([short.text.slice(0, 3), short.text.length, short.modules, Number.isInteger(short.modulePx)]).toEqual(['T1S', 122, 37, true]);
    expect(short.cssOffGrid).toBeLessThan(0.01);
    expect(short.modulePx / 2).toBeGreaterThanOrEqual(7);
    expect(await visit.page.$eval('.code', (e) => getComputedStyle(e).backgroundColor)).toBe('rgb(255, 255, 255)');
    expect(code.shows).toBe('short');
    await visit.page.click('[data-full-toggle]');
    await visit.page.waitForSelector('[data-shows="full"]');
    const full = await readSymbol(visit.page, '[data-code] canvas');
    expect([full.text.slice(0, 3), full.text.length, full.modules]).toEqual(['T1F', 305, 57]);
  });

  it('shows the full code by itself for as long as the server says', async () => {
    const visit = await browser.visit({ world: Object.assign(newWorld(), { fullForMs: 2_500 }) });
    const code = await bindBy(visit, visit.mock.link(addTicket(visit.world)));
    expect(code.shows).toBe('full');
    await visit.page.waitForSelector('[data-shows="short"]', { timeout: 10_000 });
  });

  it('makes a new code every 15 seconds, and answers the lane’s digits', async () => {
    const visit = await browser.visit();
    const ticket = addTicket(visit.world);
    const first = await bindBy(visit, visit.mock.link(ticket));
    await visit.page.waitForFunction((step) => Number(document.querySelector<HTMLElement>('[data-code]')?.dataset.step) === step + 1, { timeout: 20_000 }, first.step);
    const second = await shownCode(visit.page);
    expect(second.short).not.toBe(first.short);
    expect(verifies(visit.world, second, ticket.ticket_id)).toBe(true);
    await visit.page.$eval('details', (e) => (e.open = true));
    await visit.page.type('#digits', '04x27');
    await visit.page.waitForSelector('[data-challenge="427"]');
    const answered = await shownCode(visit.page);
    expect(answered.challenge).toBe(427);
    expect(verifies(visit.world, answered, ticket.ticket_id)).toBe(true);
  });

  it('works without a server once opened: with its own address, without fragment, and after a restart of the page', async () => {
    const visit = await browser.visit();
    const ticket = addTicket(visit.world);
    await bindBy(visit, visit.mock.link(ticket));
    await visit.page.waitForSelector('[data-offline-ready="true"]');
    await visit.mock.close();
    for (const address of [`${visit.mock.url}/t#${ticket.ticket_id}`, `${visit.mock.url}/t`, visit.mock.link(ticket)]) {
      await visit.page.goto('about:blank');
      await visit.page.goto(address);
      await visit.page.waitForSelector('[data-view="code"]');
      expect(verifies(visit.world, await shownCode(visit.page), ticket.ticket_id)).toBe(true);
    }
    expect(await visit.page.evaluate(() => document.fonts.ready.then(() => document.fonts.check('700 20px "Atkinson Hyperlegible Next Variable"')))).toBe(true);
  });

  it('asks again with the same key when replies are lost, even after a reload', async () => {
    const visit = await browser.visit({ world: Object.assign(newWorld(), { loseBindingAnswers: 99 }) });
    const ticket = addTicket(visit.world);
    await visit.page.goto(visit.mock.link(ticket));
    await visit.page.waitForSelector('[data-view="offer"]');
    await visit.page.click('[data-bind]');
    await visit.page.waitForFunction(() => document.querySelector('main')?.innerText.includes('Asking again'));
    visit.world.loseBindingAnswers = 0;
    await visit.page.reload();
    await visit.page.waitForSelector('[data-view="code"]', { timeout: 15_000 });
    expect(verifies(visit.world, await shownCode(visit.page), ticket.ticket_id)).toBe(true);
    expect(visit.world.bindingsHeard.length).toBeGreaterThanOrEqual(2);
    expect(new Set(visit.world.bindingsHeard.map((b: { public_key: string }) => b.public_key)).size).toBe(1);
  });

  it('waits as long as the server asks when it is busy', async () => {
    const visit = await browser.visit();
    let refused = 0;
    visit.world.intercept = ((request: { url: string }, response: import('node:http').ServerResponse) => {
      if (request.url !== '/api/v1/holder/binding' || refused > 0) return false;
      refused += 1;
      response.writeHead(429, { 'Content-Type': 'application/problem+json', 'Retry-After': '1' });
      response.end(JSON.stringify({ code: 'binding_rate', detail: 'wait' }));
      return true;
    }) as never;
    await bindBy(visit, visit.mock.link(addTicket(visit.world)));
    expect(refused).toBe(1);
  });

  it('says what is the matter with a link that does not work', async () => {
    const visit = await browser.visit();
    const used = Object.assign(addTicket(visit.world), { state: 'bound' });
    const revoked = Object.assign(addTicket(visit.world), { state: 'revoked' });
    const old = addTicket(visit.world);
    const oldLink = visit.mock.link(old);
    reissue(old);
    const cases: [string, string][] = [
      [`${visit.mock.url}/t`, 'no_ticket'],
      [`${visit.mock.url}/t#abc`, 'broken_link'],
      [visit.mock.link({ ...used, secret: 'AAECAwQFBgcICQoLDA0ODw' }), 'link_invalid'],
      [visit.mock.link(used), 'on_another_phone'],
      [visit.mock.link(revoked), 'revoked'],
      [oldLink, 'superseded'],
    ];
    for (const [address, expected] of cases) {
      await visit.page.goto('about:blank');
      await visit.page.goto(address);
      expect(await trouble(visit.page)).toBe(expected);
    }
  });

  it('says that the ticket is on another phone when somebody was faster', async () => {
    const visit = await browser.visit();
    const ticket = addTicket(visit.world);
    await visit.page.goto(visit.mock.link(ticket));
    await visit.page.waitForSelector('[data-view="offer"]');
    Object.assign(ticket, { state: 'bound', bound: { algorithm: 'ed25519', raw: Buffer.alloc(32, 9), credential: Buffer.alloc(131) } });
    await visit.page.click('[data-bind]');
    expect(await trouble(visit.page)).toBe('on_another_phone');
    await visit.page.goto('about:blank');
    await visit.page.goto(`${visit.mock.url}/t`);
    expect(await trouble(visit.page)).toBe('no_ticket');
  });

  it('notices that its ticket was cancelled or issued anew, and takes the new link', async () => {
    const visit = await browser.visit();
    const ticket = addTicket(visit.world);
    await bindBy(visit, visit.mock.link(ticket));
    reissue(ticket);
    await visit.page.reload();
    expect(await trouble(visit.page)).toBe('superseded');
    const code = await bindBy(visit, visit.mock.link(ticket));
    expect(verifies(visit.world, code, ticket.ticket_id)).toBe(true);
    ticket.state = 'revoked';
    await visit.page.reload();
    expect(await trouble(visit.page)).toBe('revoked');
  });

  it('keeps the old code when a new link fails halfway', async () => {
    const visit = await browser.visit();
    const ticket = addTicket(visit.world);
    await bindBy(visit, visit.mock.link(ticket));
    visit.world.intercept = ((request: import('node:http').IncomingMessage) => request.url?.startsWith('/api/') && (request.socket.destroy(), true)) as never;
    await visit.page.goto('about:blank');
    await visit.page.goto(`${visit.mock.url}/t#${ticket.ticket_id}.AAECAwQFBgcICQoLDA0ODw`);
    await visit.page.waitForSelector('[data-view="code"]');
    expect(verifies(visit.world, await shownCode(visit.page), ticket.ticket_id)).toBe(true);
    expect(await visit.page.$eval('main', (e) => e.innerText)).toContain('could not be checked');
  });

  it('keeps the screen awake while the code is shown, and asks again when the page comes back', async () => {
    const visit = await browser.visit({
      prepare: (page) =>
        page.evaluateOnNewDocument(() => {
          const locks: { released: boolean }[] = [];
          Object.assign(window, { locks });
          Object.defineProperty(navigator, 'wakeLock', {
            value: { request: async () => { const lock = { released: false, release: async () => { lock.released = true; } }; locks.push(lock); return lock; } },
          });
        }),
    });
    const locks = () => visit.page.evaluate(() => (window as unknown as { locks: { released: boolean }[] }).locks.map((lock) => lock.released));
    await bindBy(visit, visit.mock.link(addTicket(visit.world)));
    expect(await locks()).toEqual([false]);
    // What a browser does when the page is hidden and shown again.
    await visit.page.evaluate(() => {
      (window as unknown as { locks: { released: boolean }[] }).locks[0]!.released = true;
      document.dispatchEvent(new Event('visibilitychange'));
    });
    await expect.poll(locks).toEqual([true, false]);
    await visit.page.evaluate(() => (location.hash = '#broken'));
    expect(await trouble(visit.page)).toBe('broken_link');
    expect(await locks()).toEqual([true, true]);
  });

  it('lists several tickets', async () => {
    const visit = await browser.visit();
    const tickets = [addTicket(visit.world), addTicket(visit.world)];
    for (const ticket of tickets) await bindBy(visit, visit.mock.link(ticket));
    await visit.page.goto('about:blank');
    await visit.page.goto(`${visit.mock.url}/t`);
    await visit.page.waitForSelector('[data-view="list"]');
    expect(await visit.page.$$eval('main li', (all) => all.length)).toBe(2);
    await visit.page.click('main li button');
    await visit.page.waitForSelector('[data-view="code"]');
  });

  it('corrects a phone that is 4 minutes fast, and says so', async () => {
    const visit = await browser.visit({ prepare: clockOff(4 * 60_000) });
    const code = await bindBy(visit, visit.mock.link(addTicket(visit.world)));
    expect(Math.abs(code.step - Math.floor(Date.now() / 15_000))).toBeLessThanOrEqual(1);
    expect(await visit.page.$eval('main', (e) => e.innerText.replaceAll('\u00a0', ' '))).toContain('Your phone’s clock is 4 min fast; we correct it.');
  });

  it('corrects offline from the last offset, and is in doubt once the clock was set meanwhile', async () => {
    const visit = await browser.visit({ prepare: clockOff(-10 * 60_000) });
    await bindBy(visit, visit.mock.link(addTicket(visit.world)));
    await visit.page.waitForSelector('[data-offline-ready="true"]');
    await visit.mock.close();
    await visit.page.reload();
    await visit.page.waitForSelector('[data-view="code"]');
    expect(Math.abs((await shownCode(visit.page)).step - Math.floor(Date.now() / 15_000))).toBeLessThanOrEqual(1);
    expect(await visit.page.$eval('main', (e) => e.innerText.replaceAll('\u00a0', ' '))).toContain('10 min slow');
    await visit.page.evaluate(() => {
      const now = Date.now;
      Date.now = () => now() + 600_000;
    });
    await visit.page.waitForFunction(() => document.querySelector('main')?.innerText.includes('clock was changed'));
  });

  it('says so where nothing can be stored, or the connection is not secure, and sends nothing', async () => {
    const visit = await browser.visit({ prepare: (page) => page.evaluateOnNewDocument(() => Object.defineProperty(IDBFactory.prototype, 'open', { value: () => { throw new DOMException('no', 'SecurityError'); } })) });
    await visit.page.goto(visit.mock.link(addTicket(visit.world)));
    expect(await trouble(visit.page)).toBe('no_storage');
    const plain = await browser.visit({ prepare: (page) => page.evaluateOnNewDocument(() => Object.defineProperty(window, 'isSecureContext', { value: false })) });
    await plain.page.goto(plain.mock.link(addTicket(plain.world)));
    expect(await trouble(plain.page)).toBe('no_crypto');
    expect([...visit.world.requests, ...plain.world.requests].filter((r: string) => r.includes('/api/'))).toEqual([]);
  });

  it('says so when the key is gone', async () => {
    const visit = await browser.visit();
    await bindBy(visit, visit.mock.link(addTicket(visit.world)));
    await visit.page.evaluateOnNewDocument(() => {
      crypto.subtle.sign = () => Promise.reject(new DOMException('gone', 'InvalidAccessError'));
    });
    await visit.page.reload();
    expect(await trouble(visit.page)).toBe('key_lost');
  });

  it('shows a printed code that reads back, and prints it', async () => {
    const visit = await browser.visit();
    await visit.page.goto(visit.mock.link(addTicket(visit.world, { printed: true })));
    await visit.page.waitForSelector('[data-view="offer"]');
    await visit.page.click('summary');
    await visit.page.waitForFunction(() => (document.querySelector('details canvas') as HTMLCanvasElement).width > 1);
    const symbol = await readSymbol(visit.page, 'details canvas');
    expect([symbol.text.slice(0, 3), symbol.text.length]).toEqual(['T1P', 200]);
  });

  it('leaves neither secret nor key material readable, and never sends the secret in an address', async () => {
    const visit = await browser.visit();
    const ticket = addTicket(visit.world);
    await bindBy(visit, visit.mock.link(ticket));
    expect(visit.world.requests.join('\n')).not.toContain(ticket.secret);
    expect(visit.page.url()).not.toContain(ticket.secret);
    const exportable = await visit.page.evaluate(async () => {
      const db = await new Promise<IDBDatabase>((resolve) => { const r = indexedDB.open('turnstone-ticket'); r.onsuccess = () => resolve(r.result); });
      const [record] = await new Promise<{ bound: { key: { privateKey: CryptoKey } } }[]>((resolve) => { const r = db.transaction('tickets').objectStore('tickets').getAll(); r.onsuccess = () => resolve(r.result); });
      return crypto.subtle.exportKey('pkcs8', record!.bound.key.privateKey).then(() => true, () => false);
    });
    expect(exportable).toBe(false);
  });
});

inChromium('the build', () => {
  it('keeps the ticket page under 60 KB compressed, without anything of the office', () => {
    const dist = fileURLToPath(new URL('../../dist/', import.meta.url));
    const html = readFileSync(`${dist}t.html`, 'utf8');
    const files = ['t.html', ...[...html.matchAll(/(?:src|href)="\/(assets\/[^"]+\.(?:js|css))"/g)].map((m) => m[1]!)];
    const total = files.reduce((sum, file) => sum + readFileSync(`${dist}${file}.gz`).length, 0);
    console.log(`ticket page: ${total} bytes compressed in ${files.length} files`);
    expect(total).toBeLessThan(60_000);
    for (const file of files) expect(readFileSync(dist + file, 'utf8')).not.toContain('EventSource');
  });

  it('has no inline script or style in any page, and compressed twins of every text file', () => {
    const dist = fileURLToPath(new URL('../../dist/', import.meta.url));
    const names = readdirSync(dist, { recursive: true }).map(String);
    for (const page of ['index.html', 't.html', 'office.html']) expect(readFileSync(dist + page, 'utf8')).not.toMatch(/<style|style="|<script(?![^>]*src=)|\son\w+="/);
    for (const name of names.filter((n) => /\.(html|js|css|svg)$/.test(n))) expect(names).toEqual(expect.arrayContaining([`${name}.gz`, `${name}.br`]));
  });
});
