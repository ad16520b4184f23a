// A stand-in for the server, for tests of the pages alone: it serves dist/ as the server does (its content policy included), checks
// every binding proof for real, and can be told to misbehave. What the real server does is tested by the journeys.
import { createHash, createPublicKey, generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

const DIST = fileURLToPath(new URL('../../dist/', import.meta.url));
const TYPES = { html: 'text/html; charset=utf-8', js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml', woff2: 'font/woff2', txt: 'text/plain; charset=utf-8' };
export const CONTENT_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; connect-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const ED25519_SPKI = Buffer.from('302a300506032b6570032100', 'hex');
const P256_SPKI = Buffer.from('3039301306072a8648ce3d020106082a8648ce3d030107032200', 'hex');

export function publicKeyOf(algorithm, raw) {
  return createPublicKey({ key: Buffer.concat([algorithm === 'ed25519' ? ED25519_SPKI : P256_SPKI, raw]), format: 'der', type: 'spki' });
}

export function verifyHolder(algorithm, raw, message, signature) {
  const key = publicKeyOf(algorithm, raw);
  if (algorithm === 'ed25519') return verify(null, message, key, signature);
  return verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
}

const issuer = generateKeyPairSync('ed25519');

function credentialOf(ticket, event, algorithm, raw) {
  const out = Buffer.alloc(131);
  out[0] = 1;
  out[1] = algorithm === 'none' ? 0 : algorithm === 'ed25519' ? 1 : 2;
  createHash('sha256').update('turnstone.key-id.v1\0').update(issuer.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)).digest().copy(out, 2, 0, 8);
  out.writeUInt32BE(event.id, 10);
  Buffer.from(ticket.ticket_id, 'hex').copy(out, 14);
  out[22] = ticket.serial;
  out.writeUInt16BE(ticket.class.id, 24);
  out.writeUInt32BE(ticket.class.valid_from_ms / 1000, 26);
  out.writeUInt32BE(ticket.class.valid_until_ms / 1000, 30);
  if (raw) raw.copy(out, algorithm === 'ed25519' ? 35 : 34);
  sign(null, Buffer.concat([Buffer.from('turnstone.credential.v1\0'), out.subarray(0, 67)]), issuer.privateKey).copy(out, 67);
  return out;
}

const B45 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:';
export function base45(bytes) {
  let out = '';
  for (let i = 0; i < bytes.length; i += 2) {
    let v = i + 1 < bytes.length ? bytes[i] * 256 + bytes[i + 1] : bytes[i];
    for (let n = i + 1 < bytes.length ? 3 : 2; n > 0; n -= 1, v = Math.floor(v / 45)) out += B45[v % 45];
  }
  return out;
}

const HOUR = 3_600_000;

export function demoEvent(startsAt = Date.UTC(2027, 5, 19, 17, 30)) {
  return { id: 7, name: 'Die Zauberflöte am Fluss', venue: 'Open-Air-Bühne Rheinaue, Bonn', time_zone: 'Europe/Berlin', starts_at_ms: startsAt, ends_at_ms: startsAt + 3 * HOUR };
}

/** The state behind the mock; tests change it freely. */
export function newWorld() {
  const event = demoEvent();
  return {
    event,
    events: [event],
    class: { id: 3, name: 'Parkett links', valid_from_ms: event.starts_at_ms - 2 * HOUR, valid_until_ms: event.ends_at_ms },
    tickets: new Map(),
    fullForMs: 0,
    /** Added to the real time in every answer that tells it. */
    serverSkewMs: 0,
    /** Bindings are carried out but the next n answers are lost on the way. */
    loseBindingAnswers: 0,
    /** Called before every API request; may answer by itself and return true. */
    intercept: null,
    /** @type {any} */
    bindingsHeard: [],
    requests: [],
    users: new Map([['ines', 'correct horse']]),
    sessions: new Set(),
    lanes: [
      { id: 1, name: 'Lane 1', entrance_id: 1, entrance: 'River gate' },
      { id: 2, name: 'Lane 2', entrance_id: 1, entrance: 'River gate' },
    ],
    devices: [],
    enrolments: [],
    decisions: [],
    /** The evening against its plan; null where the event has no plan. */
    evening: () => null,
    staff: [],
    snapshot: () => ({ now_ms: Date.now(), list: { version: 1, tickets: 0 }, lanes: [], classes: [], decisions: [], conflicts: [] }),
    live: new Set(),
    liveDown: false,
  };
}

/** @returns {any} */
export function addTicket(world, extra = {}) {
  const ticket = { ticket_id: randomBytes(8).toString('hex'), secret: randomBytes(16).toString('base64url'), serial: 0, class: world.class, state: 'unbound', ...extra };
  world.tickets.set(ticket.ticket_id, ticket);
  return ticket;
}

/** Issues the ticket anew, as the back end would: higher serial, new secret, unbound. */
export function reissue(ticket) {
  ticket.oldSecrets = [...(ticket.oldSecrets ?? []), ticket.secret];
  ticket.secret = randomBytes(16).toString('base64url');
  ticket.serial += 1;
  ticket.state = 'unbound';
  delete ticket.bound;
}

class Problem extends Error {
  constructor(status, code, detail, headers = {}) {
    super(detail);
    Object.assign(this, { status, code, detail, headers });
  }
}

function holderTicket(world, body) {
  const ticket = world.tickets.get(body.ticket_id);
  if (ticket?.oldSecrets?.includes(body.secret)) throw new Problem(410, 'link_superseded', 'this link was replaced by a newer one');
  if (!ticket || ticket.secret !== body.secret) throw new Problem(403, 'link_invalid', 'no ticket has this link');
  if (ticket.state === 'revoked') throw new Problem(410, 'ticket_revoked', 'this ticket was cancelled');
  return ticket;
}

function bindingAnswer(world, ticket) {
  return {
    credential: ticket.bound.credential.toString('base64url'),
    ticket_id: ticket.ticket_id,
    serial: ticket.serial,
    event: world.event,
    class: ticket.class,
    server_time_ms: Date.now() + world.serverSkewMs,
    full_code_until_ms: Date.now() + world.serverSkewMs + world.fullForMs,
  };
}

const ROUTES = [
  ['POST', /^\/api\/v1\/holder\/ticket$/, (world, body) => {
    const ticket = holderTicket(world, body);
    return { ticket_id: ticket.ticket_id, serial: ticket.serial, state: ticket.state, event: world.event, class: ticket.class,
      printed_code: ticket.printed ? `T1P${base45(credentialOf(ticket, world.event, 'none', null))}` : null, server_time_ms: Date.now() + world.serverSkewMs };
  }],
  ['POST', /^\/api\/v1\/holder\/binding$/, (world, body, _path, { lose }) => {
    world.bindingsHeard.push(body);
    const ticket = holderTicket(world, body);
    const raw = Buffer.from(body.public_key, 'base64url');
    const slot = body.algorithm === 'ed25519' ? Buffer.concat([Buffer.of(0), raw]) : raw;
    const event = Buffer.alloc(4);
    event.writeUInt32BE(world.event.id);
    const message = Buffer.concat([Buffer.from('turnstone.binding.v1\0'), event, Buffer.from(body.ticket_id, 'hex'), Buffer.of(body.algorithm === 'ed25519' ? 1 : 2), slot,
      createHash('sha256').update(Buffer.from(body.secret, 'base64url')).digest()]);
    if (world.refuseAlgorithm === body.algorithm || !verifyHolder(body.algorithm, raw, message, Buffer.from(body.proof, 'base64url'))) throw new Problem(422, 'key_refused', 'the key or its proof is not accepted');
    if (ticket.state === 'bound' && !ticket.bound.raw.equals(raw)) throw new Problem(409, 'link_used', 'this link was used with another key');
    if (ticket.state === 'unbound') {
      ticket.serial += 1;
      ticket.state = 'bound';
      ticket.bound = { algorithm: body.algorithm, raw, credential: credentialOf(ticket, world.event, body.algorithm, raw) };
    }
    if (world.loseBindingAnswers > 0) {
      world.loseBindingAnswers -= 1;
      lose();
      return undefined;
    }
    return bindingAnswer(world, ticket);
  }],
  ['GET', /^\/api\/v1\/time$/, (world) => ({ unix_ms: Date.now() + world.serverSkewMs, signed: '' })],
  ['POST', /^\/api\/v1\/session$/, (world, body, _path, { setCookie }) => {
    if (world.users.get(body.name) !== body.password) throw new Problem(401, 'login_failed', 'name or password is wrong');
    const id = randomBytes(16).toString('hex');
    world.sessions.add(id);
    setCookie(`turnstone=${id}; HttpOnly; SameSite=Strict; Path=/`);
    return { name: body.name, role: 'supervisor' };
  }],
  ['GET', /^\/api\/v1\/session$/, (world, _b, _p, { need }) => (need(), { name: 'ines', role: 'supervisor' })],
  ['DELETE', /^\/api\/v1\/session$/, (world, _b, _p, { session }) => (world.sessions.delete(session), undefined)],
  ['GET', /^\/api\/v1\/events$/, (world, _b, _p, { need }) => (need(), { events: world.events })],
  ['GET', /^\/api\/v1\/events\/7\/lanes$/, (world, _b, _p, { need }) => (need(), { lanes: world.lanes })],
  ['GET', /^\/api\/v1\/events\/7\/devices$/, (world, _b, _p, { need }) => (need(), { devices: world.devices.map((device) => ({ revoked_at_ms: null, quarantined: 0, releases: [], ...device })) })],
  ['POST', /^\/api\/v1\/events\/7\/enrolments$/, (world, body, _p, { need, headers }) => {
    need();
    if (!headers['idempotency-key']) throw new Problem(400, 'idempotency_key_missing', 'send an Idempotency-Key');
    const enrolment = { id: world.enrolments.length + 1, ...body, expires_at_ms: Date.now() + (world.enrolmentForMs ?? 120_000),
      qr_text: `T1E${base45(Buffer.concat([Buffer.of(1), randomBytes(16 + 32 + 32), Buffer.from('https://tickets.example.org:8443')]))}` };
    world.enrolments.push(enrolment);
    const { lane_id: _lane, ...answer } = enrolment;
    return answer;
  }],
  ['POST', /^\/api\/v1\/devices\/([0-9a-f]{16})\/confirm$/, (world, body, path, { need }) => {
    need();
    const device = world.devices.find((d) => d.id === path[1]);
    if (device.fingerprint !== body.fingerprint) throw new Problem(409, 'fingerprint_differs', 'the device has another fingerprint');
    device.state = 'confirmed';
    return { id: device.id, state: device.state };
  }],
  ['POST', /^\/api\/v1\/devices\/([0-9a-f]{16})\/wipe$/, (world, _body, path, { need }) => {
    need();
    Object.assign(world.devices.find((d) => d.id === path[1]), { state: 'wiped', wipe_sent_at_ms: null });
    return {};
  }],
  ['POST', /^\/api\/v1\/devices\/([0-9a-f]{16})\/revoke$/, (world, _body, path, { need }) => {
    need();
    world.devices.find((d) => d.id === path[1]).state = 'revoked';
    return {};
  }],
  ['POST', /^\/api\/v1\/devices\/([0-9a-f]{16})\/release$/, (world, body, path, { need }) => {
    need();
    const device = world.devices.find((d) => d.id === path[1]);
    if (device.state !== 'revoked') throw new Problem(409, 'conflict', 'this handheld is not revoked');
    // Two of them may be later, and each five minutes earlier costs one.
    const released = Math.max(0, device.quarantined - 2 - Math.round((device.revoked_at_ms - (body.until_ms ?? device.revoked_at_ms)) / 300_000));
    device.quarantined -= released;
    if (released > 0) device.releases = [...device.releases, { released_at_ms: Date.now(), scans: released, released_by: 'ines' }];
    return { released, waiting: device.quarantined };
  }],
  ['GET', /^\/api\/v1\/events\/7\/plan\/evening$/, (world, _b, _p, { need }) => {
    need();
    const evening = world.evening();
    if (evening === null) throw new Problem(404, 'not_found', 'this event has no plan');
    return evening;
  }],
  ['POST', /^\/api\/v1\/events\/7\/decisions$/, (world, body, _p, { need, headers }) => {
    need();
    if (!headers['idempotency-key']) throw new Problem(400, 'idempotency_key_missing', 'send an Idempotency-Key');
    const known = world.decisions.find((d) => d.key === headers['idempotency-key']);
    const now = Date.now();
    const { key, ...made } = known ?? { key: headers['idempotency-key'], id: world.decisions.length + 1, decision: body.decision, made_at_ms: now, until_ms: now + body.minutes * 60_000, made_by: 'ines' };
    if (!known) world.decisions.push({ key, ...made });
    return made;
  }],
  ['GET', /^\/api\/v1\/events\/7\/staff$/, (world, _b, _p, { need }) => (need(), { staff: world.staff.map(({ pin: _pin, ...member }) => member) })],
  ['PUT', /^\/api\/v1\/events\/7\/staff\/(\d+)$/, (world, body, path, { need }) => {
    need();
    const known = world.staff.find((member) => member.number === Number(path[1]));
    const pin = body.pin ?? known?.pin;
    if (!/^\d{6,8}$/.test(pin ?? '')) throw new Problem(422, 'invalid', 'a PIN has six to eight digits');
    if (pin === '123456') throw new Problem(422, 'invalid', 'this PIN is among the first that anybody tries');
    const member = { number: Number(path[1]), name: body.name, role: body.role, changed_at_ms: Date.now(), pin };
    world.staff = [...world.staff.filter((one) => one !== known), member].sort((a, b) => a.number - b.number);
    const { pin: _pin, ...answer } = member;
    return answer;
  }],
  ['DELETE', /^\/api\/v1\/events\/7\/staff\/(\d+)$/, (world, _body, path, { need }) => {
    need();
    world.staff = world.staff.filter((member) => member.number !== Number(path[1]));
    return undefined;
  }],
  ['POST', /^\/api\/v1\/decisions\/(\d+)\/end$/, (world, _body, path, { need }) => {
    need();
    world.decisions = world.decisions.filter((d) => d.id !== Number(path[1]));
    return {};
  }],
];

function staticFile(path) {
  const file = { '/': 'index.html', '/t': 't.html', '/office': 'office.html', '/sw.js': 'sw.js' }[path] ?? (path.startsWith('/assets/') && !path.includes('..') ? path.slice(1) : null);
  return file && existsSync(DIST + file) ? file : null;
}

function sendFile(response, file) {
  const extension = file.split('.').at(-1);
  response.writeHead(200, {
    'Content-Type': TYPES[extension] ?? 'application/octet-stream',
    'Cache-Control': file.startsWith('assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
    'Content-Security-Policy': CONTENT_POLICY,
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(readFileSync(DIST + file));
}

async function bodyOf(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  const text = Buffer.concat(parts).toString();
  return text === '' ? undefined : JSON.parse(text);
}

function answerLive(world, request, response, need) {
  need();
  if (world.liveDown) return void request.socket.destroy();
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
  const say = () => response.write(`event: snapshot\ndata: ${JSON.stringify(world.snapshot())}\n\n`);
  say();
  const connection = { say, response };
  world.live.add(connection);
  request.on('close', () => world.live.delete(connection));
}

async function answer(world, request, response) {
  const { pathname } = new URL(request.url, 'http://mock');
  world.requests.push(`${request.method} ${pathname}`);
  const file = staticFile(pathname);
  if (file) return sendFile(response, file);
  const session = /turnstone=([0-9a-f]+)/.exec(request.headers.cookie ?? '')?.[1];
  const need = () => {
    if (!world.sessions.has(session)) throw new Problem(401, 'not_logged_in', 'log in first');
  };
  const headers = {};
  try {
    if (world.intercept?.(request, response)) return;
    if (pathname === '/api/v1/events/7/live') return answerLive(world, request, response, need);
    const body = await bodyOf(request);
    for (const [method, path, act] of ROUTES) {
      const match = path.exec(pathname);
      if (method !== request.method || !match) continue;
      let lost = false;
      const result = await act(world, body, match, { need, session, headers: request.headers, lose: () => (lost = true), setCookie: (cookie) => (headers['Set-Cookie'] = cookie) });
      if (lost) return void request.socket.destroy();
      response.writeHead(result === undefined ? 204 : 200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...headers });
      return void response.end(result === undefined ? '' : JSON.stringify(result));
    }
    throw new Problem(404, 'not_found', 'nothing is here');
  } catch (failure) {
    if (!(failure instanceof Problem)) throw failure;
    response.writeHead(failure.status, { 'Content-Type': 'application/problem+json', ...failure.headers });
    response.end(JSON.stringify({ type: `urn:turnstone:problem:${failure.code}`, title: failure.detail, status: failure.status, detail: failure.detail, code: failure.code }));
  }
}

export { Problem };

/** Starts on a free port of the loopback address. */
export async function startMock(world = newWorld()) {
  const server = createServer((request, response) => void answer(world, request, response));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://localhost:${server.address().port}`;
  return {
    world,
    url,
    link: (ticket) => `${url}/t#${ticket.ticket_id}.${ticket.secret}`,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
