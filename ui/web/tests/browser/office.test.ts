import { expect, it } from 'vitest';
import type { Page } from 'puppeteer-core';
import { newWorld, Problem } from '../mock/server.mjs';
import { busyNight } from '../mock/scenes.mjs';
import { inChromium, readSymbol, useBrowser, type Visit, type World } from './harness';

async function login({ page, mock }: Visit, password = 'correct horse'): Promise<void> {
  await page.goto(`${mock.url}/office`);
  await page.waitForSelector('#name');
  await page.type('#name', 'ines');
  await page.type('#password', password);
  await page.keyboard.press('Enter');
}
const words = (page: Page) => page.$eval('main', (e) => e.innerText.replaceAll('\u00a0', ' '));
const says = (page: Page, text: string) => page.waitForFunction((t) => document.body.innerText.replaceAll('\u00a0', ' ').includes(t), {}, text);
const announce = (world: World) => {
  for (const connection of world.live) (connection as { say: () => void }).say();
};

inChromium('the office', () => {
  const browser = useBrowser();

  it('lets in by name and password, and says so when they are wrong', async () => {
    const visit = await browser.visit({ world: busyNight(newWorld()) });
    await login(visit, 'wrong');
    await says(visit.page, 'Name or password is wrong.');
    await visit.page.type('#password', '');
    await visit.page.$eval('#password', (e) => ((e as HTMLInputElement).value = ''));
    await visit.page.type('#password', 'correct horse');
    await visit.page.keyboard.press('Enter');
    await visit.page.waitForSelector('[data-link="live"]');
    await visit.page.click('.top button');
    await visit.page.waitForSelector('#name');
    await visit.page.reload();
    await visit.page.waitForSelector('#name');
  });

  it('shows lanes: rates, refusals by reason, contact in words, list lag', async () => {
    const visit = await browser.visit({ world: busyNight(newWorld()), width: 1280 });
    await login(visit);
    await visit.page.waitForSelector('[data-lane="Lane 1"]');
    const lane = (name: string) => visit.page.$eval(`[data-lane="${name}"]`, (e) => `${(e as HTMLElement).dataset.contact} ${(e as HTMLElement).innerText.replaceAll('\u00a0', ' ')}`);
    const first = await lane('Lane 1');
    for (const part of ['fresh', '17', 'This ticket was already admitted.', 'list 41, current', '1,204 admitted']) expect(first).toContain(part);
    expect(await lane('Lane 2')).toMatch(/^quiet[^]*quiet for 2 min[^]*list 39, 2 behind/);
    expect(await lane('Lane 3')).toMatch(/^lost[^]*no contact for 7 min/);
    expect(await lane('Lane 4')).toMatch(/^none[^]*No device/);
  });

  it('decides for a while: what is in force, who decided, what a lane has not heard, and its end', async () => {
    const world = busyNight(newWorld());
    const visit = await browser.visit({ world, width: 1280 });
    await login(visit);
    await visit.page.waitForSelector('[data-decision="2"]');
    const lane = (name: string) => visit.page.$eval(`[data-lane="${name}"]`, (e) => (e as HTMLElement).innerText.replaceAll('\u00a0', ' '));
    expect(await lane('Lane 2')).toMatch(/Only Parkett links[^]*was not sent the latest decision/);
    expect(await lane('Lane 4')).toContain('Closed');
    const first = await visit.page.$eval('[data-decision="1"]', (e) => (e as HTMLElement).innerText);
    expect(first).toMatch(/Lane 4 is closed[^]*by ines/);

    // From a lane's card, for that lane.
    await visit.page.click('[data-lane="Lane 3"] .link');
    await says(visit.page, 'Lane 3 is closed');
    await visit.page.select('#decide-kind', 'lane_classes');
    await visit.page.click('dialog[open] .check:nth-of-type(2)');
    await says(visit.page, 'Lane 3: only Parkett rechts');
    await visit.page.select('#decide-minutes', '30');
    await visit.page.click('dialog[open] .choices .button:not(.quiet)');
    await visit.page.waitForFunction(() => document.querySelector('dialog[open]') === null);
    const made = world.decisions.at(-1) as unknown as { decision: unknown; made_at_ms: number; until_ms: number };
    expect(made.decision).toEqual({ kind: 'lane_classes', lane_id: 3, classes: [4] });
    expect(made.until_ms - made.made_at_ms).toBe(30 * 60_000);
    announce(world);
    await visit.page.waitForSelector('[data-decision="3"]');

    // A lane that is shut is offered to be opened.
    await visit.page.click('[data-lane="Lane 4"] .link');
    await says(visit.page, 'Lane 4 is open');
    await visit.page.click('dialog[open] .choices .button.quiet');

    // A message to all, whose answer is lost on the way: asked again, it is said once.
    await visit.page.click('[data-decide]');
    await visit.page.type('#decide-text', 'Rain: let them in faster');
    world.intercept = ((request: import('node:http').IncomingMessage) => {
      if (!request.url?.endsWith('/decisions')) return false;
      const key = request.headers['idempotency-key'];
      const said = { key, id: 9, decision: { kind: 'message', lanes: [], text: 'Rain: let them in faster' }, made_at_ms: 0, until_ms: Date.now() + 60_000, made_by: 'ines' };
      if (!world.decisions.some((known: { key?: unknown }) => known.key === key)) world.decisions.push(said);
      request.socket.destroy();
      return true;
    }) as never;
    const putInForce = 'dialog[open] .choices .button:not(.quiet)';
    await visit.page.click(putInForce);
    await says(visit.page, 'The server cannot be reached.');
    world.intercept = null;
    await visit.page.click(putInForce);
    await visit.page.waitForFunction(() => document.querySelector('dialog[open]') === null);
    expect(world.decisions.filter((d: { decision: { kind: string } }) => d.decision.kind === 'message')).toHaveLength(1);

    announce(world);
    await visit.page.waitForSelector('[data-decision="9"]');
    await visit.page.click('[data-decision="1"] button');
    await visit.page.waitForFunction(() => !document.querySelector('[data-decision="1"] button:disabled'));
    announce(world);
    await visit.page.waitForFunction(() => !document.querySelector('[data-decision="1"]'));
  });

  it('shows what handhelds tell of themselves, and that one tells nothing', async () => {
    const world = busyNight(newWorld());
    const visit = await browser.visit({ world, width: 1280 });
    await login(visit);
    await visit.page.waitForSelector('[data-lane="Lane 1"]');
    const lane = (name: string) => visit.page.$eval(`[data-lane="${name}"]`, (e) => (e as HTMLElement).innerText.replaceAll('\u00a0', ' '));
    for (const part of ['Guests are queueing', 'usually 5.6 s from scan to scan', 'issued 9 min ago', 'no scan waits for its receipt', 'battery 74 %']) expect(await lane('Lane 1')).toContain(part);
    for (const part of ['No queue', '23 scans wait for their receipt, the oldest for 2 min', 'battery 17 %: bring power', 'has not heard the other lanes for 48 s', 'this was so 2 min ago'])
      expect(await lane('Lane 2')).toContain(part);
    expect(await lane('Lane 3')).toContain('tells nothing of battery and waiting scans');
    expect(await lane('Lane 4')).not.toMatch(/queue|scan to scan/);
    expect(await visit.page.$eval('[data-lane="Lane 2"] [data-remark="battery"]', (e) => e.className)).toContain('warn');
  });

  it('tells the evening against its plan: how it stands, the wait, and what to do while there is time', async () => {
    const world = busyNight(newWorld());
    const visit = await browser.visit({ world, width: 1280 });
    await login(visit);
    await visit.page.waitForSelector('[data-evening="there"] svg[role="img"]');
    const entrance = (name: string) => visit.page.$eval(`[data-entrance="${name}"]`, (e) => (e as HTMLElement).innerText.replaceAll('\u00a0', ' '));
    for (const part of ['2,311 in, 2,063 planned by now.', 'More have come than planned.', 'Who comes now waits about 5 min; about 148 stand there.', 'will wait less than 14 min'])
      expect(await entrance('River gate')).toContain(part);
    expect(await entrance('Bridge gate')).toMatch(/As planned\.[^]*Nobody waits long now\./);
    const warning = await visit.page.$eval('[data-warnings="1"]', (e) => (e as HTMLElement).innerText.replaceAll('\u00a0', ' '));
    expect(warning).toMatch(/River gate: from \d\d:\d\d on guests will wait up to 14 min; 10 min are wanted\. Open one more lane like Lane 1 now\./);
    const lines = await visit.page.$$eval('[data-entrance="River gate"] path', (paths) => paths.map((path) => path.getAttribute('d')!.split('L').length));
    expect(lines).toEqual([121, 57]);
  });

  it('says when there is no plan, and when the server cannot tell', async () => {
    const world = busyNight(newWorld());
    world.evening = () => null;
    const visit = await browser.visit({ world, width: 1280 });
    await login(visit);
    await visit.page.waitForSelector('[data-evening="none"]');
    await says(visit.page, 'This event has no plan.');
    expect(await visit.page.$('[data-warnings]')).toBeNull();

    const other = busyNight(newWorld());
    other.evening = () => {
      throw new Problem(503, 'unavailable', 'later');
    };
    const failing = await browser.visit({ world: other, width: 1280 });
    await login(failing);
    await failing.page.waitForSelector('[data-evening="loading"] [role="alert"]');
  });

  it('releases what a revoked handheld scanned before, and says what stays held back', async () => {
    const world = busyNight(newWorld());
    const visit = await browser.visit({ world, width: 1280 });
    await login(visit);
    await visit.page.waitForSelector('nav a[href$="devices"]');
    await visit.page.click('nav a[href$="devices"]');
    await says(visit.page, '14 scans wait');
    await visit.page.click('[data-release]');
    await says(visit.page, 'Release the scans of Handheld 9?');
    await visit.page.select('#release-since', '15');
    await visit.page.click('[data-release-sure]');
    await says(visit.page, '9 scans released; 5 may be from after that time and stay held back.');
    await says(visit.page, '9 scans released by ines');
    await visit.page.click('[data-release]');
    await visit.page.click('[data-release-sure]');
    await says(visit.page, '3 scans released; 2 may be from after that time');
  });

  it('gives a venue’s edge its code in letters, and a handheld one that names the edge', async () => {
    const world = busyNight(newWorld());
    const visit = await browser.visit({ world, width: 1280 });
    await login(visit);
    await visit.page.waitForSelector('nav a[href$="devices"]');
    await visit.page.click('nav a[href$="devices"]');
    await visit.page.waitForSelector('#lane');
    expect(await visit.page.$('#talks-to')).toBeNull();
    await visit.page.select('#lane', 'edge');
    await visit.page.click('form .button');
    await visit.page.waitForSelector('[data-edge-code]');
    expect(await visit.page.$eval('[data-edge-code]', (e) => (e as HTMLTextAreaElement).value)).toMatch(/^sync-server edge enrol 'T1E.+'$/);
    expect(world.enrolments.at(-1)).not.toHaveProperty('edge_id');

    world.devices.push({ ...world.devices[0], id: '00000000000000ed', kind: 'edge', lane_id: 0, lane: '', name: 'Stage door server', state: 'confirmed' });
    await visit.page.waitForFunction(() => !document.querySelector('[data-edge-code]'));
    await visit.page.select('#lane', '1');
    await visit.page.waitForSelector('#talks-to');
    await visit.page.select('#talks-to', '00000000000000ed');
    await visit.page.click('form .button');
    await says(visit.page, 'It talks to Stage door server.');
    expect(world.enrolments.at(-1)).toMatchObject({ lane_id: 1, edge_id: '00000000000000ed' });
  });

  it('says at a venue’s edge how it stands with the organiser’s server', async () => {
    const world = busyNight(newWorld());
    const plain = world.snapshot;
    world.snapshot = () => ({ ...plain(), upstream: { heard_at_ms: plain().now_ms - 4_000, waiting_rows: 0 } });
    const visit = await browser.visit({ world, width: 360 });
    await login(visit);
    await says(visit.page, 'Every scan is there.');
    world.snapshot = () => ({ ...plain(), upstream: { heard_at_ms: plain().now_ms - 90_000, waiting_rows: 31 } });
    const alone = await browser.visit({ world, width: 360 });
    await login(alone);
    await says(alone.page, 'is not heard; the lanes here go on without it. 31 scans wait for it.');
  });

  it('keeps the staff of the lanes, and shows no PIN again', async () => {
    const world = busyNight(newWorld());
    const visit = await browser.visit({ world });
    await login(visit);
    await visit.page.waitForSelector('nav a[href$="/staff"]');
    await visit.page.click('nav a[href$="/staff"]');
    await visit.page.waitForSelector('[data-member="7"]');
    await visit.page.click('[data-add]');
    await visit.page.waitForSelector('dialog[open]');
    expect(await visit.page.$eval('#member-number', (e) => (e as HTMLInputElement).value)).toBe('1');
    await visit.page.type('#member-name', 'West door');
    await visit.page.select('#member-role', 'supervisor');
    await visit.page.type('#member-pin', '1234');
    const save = 'dialog[open] .choices .button:not(.quiet)';
    expect(await visit.page.$eval(save, (e) => (e as HTMLButtonElement).disabled)).toBe(true);
    await visit.page.type('#member-pin', '56');
    await visit.page.click(save);
    await says(visit.page, 'among the first that anybody tries');
    await visit.page.$eval('#member-pin', (e) => (e as HTMLInputElement).select());
    await visit.page.type('#member-pin', '915482');
    await visit.page.click(save);
    await visit.page.waitForSelector('[data-member="1"]');
    expect(world.staff.map((m: { number: number; role: string; pin: string }) => [m.number, m.role, m.pin])).toContainEqual([1, 'supervisor', '915482']);

    // A changed name leaves the PIN alone.
    await visit.page.click('[data-member="1"] .button.quiet');
    await visit.page.waitForSelector('dialog[open]');
    expect(await visit.page.$eval('#member-pin', (e) => (e as HTMLInputElement).value)).toBe('');
    await visit.page.type('#member-name', ', late');
    await visit.page.click(save);
    await says(visit.page, 'West door, late is saved');
    expect(world.staff.find((m: { number: number }) => m.number === 1)).toMatchObject({ name: 'West door, late', pin: '915482' });

    await visit.page.click('[data-member="1"] .button.danger');
    await visit.page.click('[data-remove-sure]');
    await visit.page.waitForFunction(() => !document.querySelector('[data-member="1"]'));
    expect(world.staff).toHaveLength(2);
    expect(await visit.page.evaluate(() => document.body.innerText)).not.toMatch(/915482|482915/);
  });

  it('counts ages up by itself between updates', async () => {
    const visit = await browser.visit({ world: busyNight(newWorld()) });
    await login(visit);
    await visit.page.waitForSelector('[data-lane="Lane 1"]');
    const heard = () => visit.page.$eval('[data-lane="Lane 1"] .contact', (e) => Number(/(\d+)/.exec(e.textContent!)![1]));
    const before = await heard();
    await visit.page.waitForFunction((n) => Number(/(\d+)/.exec(document.querySelector('[data-lane="Lane 1"] .contact')!.textContent!)![1]) >= n + 2, {}, before);
  });

  it('shows a conflict with both lanes, both times in the event’s zone, and what to do', async () => {
    const world = busyNight(newWorld());
    const visit = await browser.visit({ world });
    const all = world.snapshot();
    world.snapshot = () => ({ ...all, conflicts: [] });
    await login(visit);
    await visit.page.waitForSelector('[data-no-conflicts]');
    world.snapshot = () => all;
    announce(world);
    await visit.page.waitForSelector('[data-conflict="5f0b8c21d7e94a63"]');
    const text = await visit.page.$eval('[data-conflicts]', (e) => (e as HTMLElement).innerText);
    const { passages } = all.conflicts[0] as unknown as { passages: { at_ms: number; lane: string; device: string }[] };
    for (const admission of passages) {
      const time = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit', timeZone: 'Europe/Berlin' }).format(admission.at_ms);
      for (const part of [admission.lane, admission.device, time]) expect(text).toContain(part);
    }
    expect(text).toContain('allows 1, 2 were inside');
    expect(text).toContain('What to do');
  });

  it('says when it reconnects and how old its figures are, and comes back', async () => {
    const visit = await browser.visit({ world: busyNight(newWorld()) });
    await login(visit);
    await visit.page.waitForSelector('[data-link="live"]');
    visit.world.liveDown = true;
    for (const connection of visit.world.live) (connection as { response: { destroy: () => void } }).response.destroy();
    await visit.page.waitForSelector('[data-link="reconnecting"]');
    await says(visit.page, 'Reconnecting');
    await says(visit.page, 'The page reconnects by itself');
    visit.world.liveDown = false;
    await visit.page.waitForSelector('[data-link="live"]', { timeout: 20_000 });
  });

  it('takes an open connection that says nothing for dead', async () => {
    const visit = await browser.visit({ world: busyNight(newWorld()) });
    await login(visit);
    await visit.page.waitForSelector('[data-link="live"]');
    const opened = () => visit.world.requests.filter((r: string) => r.endsWith('/live')).length;
    expect(opened()).toBe(1);
    await expect.poll(opened, { timeout: 25_000, interval: 200 }).toBe(2);
    await visit.page.waitForSelector('[data-link="live"]');
  });

  it('goes back to the login when the session ends', async () => {
    const visit = await browser.visit({ world: busyNight(newWorld()) });
    await login(visit);
    await visit.page.waitForSelector('[data-link="live"]');
    visit.world.sessions.clear();
    for (const connection of visit.world.live) (connection as { response: { destroy: () => void } }).response.destroy();
    await says(visit.page, 'Your session has ended');
  });

  it('enrols: lane, code, countdown, fingerprint compared, confirmed', async () => {
    const world = Object.assign(busyNight(newWorld()), { devices: [] as object[] });
    const visit = await browser.visit({ world, width: 1280 });
    await login(visit);
    await visit.page.waitForSelector('nav');
    await visit.page.click('nav a[href$="/devices"]');
    await visit.page.waitForSelector('#lane');
    await visit.page.select('#lane', '2');
    await visit.page.click('form button');
    await visit.page.waitForFunction(() => (document.querySelector('[data-enrolment] canvas') as HTMLCanvasElement | null)?.width! > 1);
    const symbol = await readSymbol(visit.page, '[data-enrolment] canvas');
    expect(symbol.text).toBe((world.enrolments[0] as unknown as { qr_text: string }).qr_text);
    expect(await words(visit.page)).toMatch(/good for (2:00|1:5\d)/);
    world.devices.push({ id: '00000000000000b1', name: 'Handheld 7', lane_id: 2, lane: 'Lane 2', state: 'pending', fingerprint: '0123-4567-89AB-CDEF', enrolled_at_ms: Date.now(), last_contact_ms: Date.now(), list_version: null, lease_until_ms: null });
    const pending = await visit.page.waitForSelector('[data-pending="00000000000000b1"]');
    expect(await pending!.evaluate((e) => (e as HTMLElement).innerText.replaceAll(/\s/g, ''))).toContain('0123-4567-89AB-CDEF');
    expect(await visit.page.$('[data-enrolment]')).toBeNull();
    await visit.page.click('[data-confirm]');
    await visit.page.waitForSelector('[data-device="00000000000000b1"][data-state="confirmed"]');
    await says(visit.page, 'Handheld 7 now works on Lane 2.');
  });

  it('refuses a device whose fingerprint differs', async () => {
    const visit = await browser.visit({ world: busyNight(newWorld()) });
    await login(visit);
    await visit.page.waitForSelector('nav');
    await visit.page.click('nav a[href$="/devices"]');
    await (await visit.page.waitForSelector('[data-refuse]'))!.click();
    await says(visit.page, 'Handheld 5 was refused.');
    expect((visit.world.devices[0] as unknown as { state: string }).state).toBe('revoked');
  });

  it('revokes only after asking, and by keyboard', async () => {
    const visit = await browser.visit({ world: busyNight(newWorld()), width: 1280 });
    await login(visit);
    await visit.page.waitForSelector('nav');
    await visit.page.click('nav a[href$="/devices"]');
    await (await visit.page.waitForSelector('[data-device="00000000000000a2"] button'))!.focus();
    await visit.page.keyboard.press('Enter');
    await visit.page.waitForSelector('dialog[open]');
    await visit.page.keyboard.press('Escape');
    await visit.page.waitForSelector('dialog:not([open])');
    const state = () => (visit.world.devices as unknown as { id: string; state: string }[]).find((d) => d.id.endsWith('a2'))!.state;
    expect(state()).toBe('confirmed');
    await visit.page.keyboard.press('Enter');
    await visit.page.waitForSelector('dialog[open]');
    await visit.page.click('[data-revoke-sure]');
    await says(visit.page, 'Handheld 2 is revoked.');
    expect(state()).toBe('revoked');
  });

  it('wipes only after asking, revoked devices too, and says how it stands', async () => {
    const visit = await browser.visit({ world: busyNight(newWorld()), width: 1280 });
    await login(visit);
    await visit.page.waitForSelector('nav');
    await visit.page.click('nav a[href$="/devices"]');
    const of = (id: string) => (visit.world.devices as unknown as { id: string; state: string }[]).find((d) => d.id.endsWith(id))!;
    await (await visit.page.waitForSelector('[data-device="00000000000000a2"] [data-wipe]'))!.click();
    await says(visit.page, 'Wipe Handheld 2?');
    expect(of('a2').state).toBe('confirmed');
    await visit.page.click('[data-wipe-sure]');
    await says(visit.page, 'Handheld 2 is to be wiped.');
    expect(of('a2').state).toBe('wiped');
    await visit.page.click('details summary');
    await says(visit.page, 'to be wiped when it is next connected');
    expect(await visit.page.$('[data-device="00000000000000a2"] button')).toBeNull();
    expect(await visit.page.$('[data-device="00000000000000a9"] [data-wipe]')).not.toBeNull();
  });

  it('shows an event list when there are several, and nothing to choose when there is none', async () => {
    const world = newWorld();
    world.events = [];
    const visit = await browser.visit({ world });
    await login(visit);
    await says(visit.page, 'No event yet.');
    world.events = [world.event, { ...world.event, id: 8, name: 'Matinee' }];
    await visit.page.click('main .button');
    await says(visit.page, 'Matinee');
    await visit.page.click('main ul a');
    await visit.page.waitForSelector('nav');
    await says(visit.page, 'This event has no lanes yet.');
  });
});
