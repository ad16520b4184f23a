// The command-line tools that demos and journeys drive the pages with.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { addTicket, newWorld, startMock } from '../mock/server.mjs';
import { busyNight } from '../mock/scenes.mjs';
import { inChromium } from './harness';

let folder = '';
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'turnstone-tools-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const tool = (name: string, args: string[]) => {
  const child = spawn(process.execPath, [fileURLToPath(new URL(`../../tools/${name}.mjs`, import.meta.url)), ...args], { env: { ...process.env, TURNSTONE_PASSWORD: 'correct horse' } });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let errors = '';
  child.stderr.on('data', (part) => (errors += part));
  const ended = new Promise<{ status: number | null; errors: string }>((resolve) => child.on('close', (status) => resolve({ status, errors })));
  return {
    say: (line: string) => child.stdin.write(`${line}\n`),
    next: async () => {
      const { value, done } = await lines.next();
      if (done) throw new Error(`${name} printed nothing more: ${errors}`);
      return JSON.parse(value as string);
    },
    end: () => (child.stdin.end(), ended),
    ended,
  };
};

inChromium('the tools', () => {
  it('bind.mjs binds, keeps the page open and prints fresh codes', async () => {
    const mock = await startMock(newWorld());
    const ticket = addTicket(mock.world);
    const guest = tool('bind', ['--url', mock.link(ticket), '--screenshots', folder, '--keep']);
    const first = await guest.next();
    expect([first.code.slice(0, 3), first.full.slice(0, 3), first.ticket_id]).toEqual(['T1S', 'T1F', ticket.ticket_id]);
    guest.say('');
    expect((await guest.next()).step).toBeGreaterThanOrEqual(first.step);
    guest.say('0427');
    expect((await guest.next()).challenge).toBe(427);
    expect((await guest.end()).status).toBe(0);
    expect(readFileSync(join(folder, '2-code.png')).length).toBeGreaterThan(1_000);
    const late = tool('bind', ['--url', mock.link(ticket)]);
    const { status, errors } = await late.ended;
    expect([status, errors.includes('on_another_phone')]).toEqual([1, true]);
    await mock.close();
  });

  it('office.mjs enrols, confirms and shows the lanes', async () => {
    const mock = await startMock(busyNight(newWorld()));
    const supervisor = tool('office', ['--url', mock.url, '--name', 'ines', 'session']);
    const png = join(folder, 'enrol.png');
    supervisor.say(JSON.stringify({ do: 'enrol', lane: 'Lane 4', png }));
    expect(await supervisor.next()).toEqual({ qr_png: png });
    expect(readFileSync(png).subarray(1, 4).toString()).toBe('PNG');
    supervisor.say(JSON.stringify({ do: 'enrol', lane: 'Lane 9', png }));
    expect((await supervisor.next()).error).toContain('Lane 9');
    supervisor.say(JSON.stringify({ do: 'confirm', fingerprint: '7QX2-M0FD-8KZR-41TV' }));
    expect(await supervisor.next()).toEqual({ confirmed: '7QX2-M0FD-8KZR-41TV' });
    supervisor.say(JSON.stringify({ do: 'lanes', png: join(folder, 'lanes.png'), conflict: '5f0b8c21d7e94a63' }));
    const lanes = await supervisor.next();
    expect(lanes.conflicts).toEqual(['5f0b8c21d7e94a63']);
    expect(lanes.lanes['Lane 1']).toContain('1,204 admitted');
    expect((await supervisor.end()).status).toBe(0);
    await mock.close();
  });
});
