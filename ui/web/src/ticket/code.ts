// The bytes of a ticket: base45, the messages a holder's key signs, and the S, F and P texts made of them. Pure: no clock, no
// storage, and the signing function is handed in. The formats are those of docs/ticket-format.md; ticket-signer/vectors holds the
// frozen cases that this module must reproduce byte for byte.

import { concat, fromHex } from '../shared/bytes';

export const STEP_SECONDS = 15;
export const CREDENTIAL_BYTES = 131;
export const SIGNATURE_BYTES = 64;
export const KEY_SLOT_BYTES = 33;
/** QR versions (level M, alphanumeric) that hold exactly these codes. */
export const SHORT_CODE_QR_VERSION = 5;
export const FULL_CODE_QR_VERSION = 10;
export const CHALLENGE_MAX = 9999;

const U32_MAX = 0xffff_ffff;

export type Algorithm = 'ed25519' | 'p256';

/** Signs a message with the holder's key: 64 bytes, for P-256 as r||s with any s (this module takes the low one). */
export type Sign = (message: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>;

export interface Moment {
  /** Unix seconds / 15. */
  step: number;
  /** 0 for none, else the lane's 4 digits as a number. */
  challenge: number;
}

export interface TicketRef {
  eventId: number;
  /** 16 lower-case hex digits. */
  ticketId: string;
  serial: number;
}

export interface Credential {
  algorithm: Algorithm | 'none';
  eventId: number;
  ticketId: string;
  serial: number;
  keySlot: Uint8Array;
}

export class FormatError extends Error {
  override readonly name = 'FormatError';
}

// ---- base45 (RFC 9285) ---------------------------------------------------------------------------------------------------------

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:';

export function base45Encode(bytes: Uint8Array): string {
  let out = '';
  for (let i = 0; i < bytes.length; i += 2) {
    const pair = i + 1 < bytes.length;
    let value = pair ? bytes[i]! * 256 + bytes[i + 1]! : bytes[i]!;
    for (let n = pair ? 3 : 2; n > 0; n -= 1) {
      out += ALPHABET[value % 45];
      value = Math.floor(value / 45);
    }
  }
  return out;
}

export function base45Decode(text: string): Uint8Array<ArrayBuffer> {
  if (text.length % 3 === 1) throw new FormatError('base45 text of an impossible length');
  const out: number[] = [];
  for (let i = 0; i < text.length; i += 3) {
    const group = text.slice(i, i + 3);
    let value = 0;
    for (let n = group.length - 1; n >= 0; n -= 1) {
      const digit = ALPHABET.indexOf(group[n]!);
      if (digit < 0) throw new FormatError('a character outside base45');
      value = value * 45 + digit;
    }
    if (value > (group.length === 3 ? 0xffff : 0xff)) throw new FormatError('a base45 group out of range');
    if (group.length === 3) out.push(value >> 8);
    out.push(value & 0xff);
  }
  return Uint8Array.from(out);
}

// ---- what the holder's key signs -----------------------------------------------------------------------------------------------

export function presentationMessage(ticket: TicketRef, moment: Moment): Uint8Array<ArrayBuffer> {
  return concat(
    domain('turnstone.presentation.v1'),
    u32(ticket.eventId),
    ticketBytes(ticket.ticketId),
    u8(ticket.serial),
    u32(moment.step),
    u16(challenge(moment.challenge)),
  );
}

export function bindingMessage(
  eventId: number,
  ticketId: string,
  algorithm: Algorithm,
  slot: Uint8Array,
  secretSha256: Uint8Array,
): Uint8Array<ArrayBuffer> {
  expectLength(slot, KEY_SLOT_BYTES, 'key slot');
  expectLength(secretSha256, 32, 'hash of the secret');
  return concat(domain('turnstone.binding.v1'), u32(eventId), ticketBytes(ticketId), u8(algorithmByte(algorithm)), slot, secretSha256);
}

/** Signs `message`; P-256 signatures come back with the low one of their two possible `s`, the only one a gate accepts. */
export async function signCanonical(algorithm: Algorithm, sign: Sign, message: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const signature = await sign(message);
  expectLength(signature, SIGNATURE_BYTES, 'signature');
  return algorithm === 'p256' ? lowS(signature) : signature;
}

// ---- the code texts ------------------------------------------------------------------------------------------------------------

export interface Codes {
  short: string;
  full: string;
}

/** Both codes of one moment. They carry the same signature, so a phone signs once a step whichever it shows. */
export async function makeCodes(algorithm: Algorithm, sign: Sign, ticket: TicketRef, credential: Uint8Array, moment: Moment): Promise<Codes> {
  expectLength(credential, CREDENTIAL_BYTES, 'credential');
  const signature = await signCanonical(algorithm, sign, presentationMessage(ticket, moment));
  const signed = concat(u32(moment.step), u16(moment.challenge), signature);
  return {
    short: `T1S${base45Encode(concat(ticketBytes(ticket.ticketId), u8(ticket.serial), signed))}`,
    full: `T1F${base45Encode(concat(credential, signed))}`,
  };
}

export function printedCode(credential: Uint8Array): string {
  expectLength(credential, CREDENTIAL_BYTES, 'credential');
  return `T1P${base45Encode(credential)}`;
}

export function stepAt(unixMs: number): number {
  return Math.floor(unixMs / (STEP_SECONDS * 1000));
}

/** Reads the fields a phone checks in a credential it was sent. The issuer's signature is for gates to verify, not for us. */
export function parseCredential(bytes: Uint8Array): Credential {
  expectLength(bytes, CREDENTIAL_BYTES, 'credential');
  if (bytes[0] !== 1) throw new FormatError(`credential format ${bytes[0]} is not known here`);
  const algorithm = (['none', 'ed25519', 'p256'] as const)[bytes[1]!];
  if (algorithm === undefined) throw new FormatError(`holder algorithm ${bytes[1]} is not known here`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    algorithm,
    eventId: view.getUint32(10),
    ticketId: view.getBigUint64(14).toString(16).padStart(16, '0'),
    serial: view.getUint8(22),
    keySlot: bytes.slice(34, 34 + KEY_SLOT_BYTES),
  };
}

// ---- keys ----------------------------------------------------------------------------------------------------------------------

/** The 33 bytes a credential holds for a public key: 0x00 and 32 bytes for Ed25519, the compressed point for P-256. */
export function keySlot(algorithm: Algorithm, publicKey: Uint8Array): Uint8Array<ArrayBuffer> {
  if (algorithm === 'ed25519') {
    expectLength(publicKey, 32, 'Ed25519 public key');
    return concat(u8(0), publicKey);
  }
  expectLength(publicKey, KEY_SLOT_BYTES, 'compressed P-256 public key');
  return concat(publicKey);
}

/** WebCrypto exports 0x04 || x || y; the format carries 0x02 or 0x03 (the parity of y) || x. */
export function compressP256(point: Uint8Array): Uint8Array<ArrayBuffer> {
  expectLength(point, 65, 'P-256 point');
  if (point[0] !== 4) throw new FormatError('not an uncompressed P-256 point');
  return concat(u8(2 + (point[64]! & 1)), point.slice(1, 33));
}

const P256_ORDER = 0xffffffff_00000000_ffffffff_ffffffff_bce6faad_a7179e84_f3b9cac2_fc632551n;

export function lowS(signature: Uint8Array): Uint8Array<ArrayBuffer> {
  expectLength(signature, SIGNATURE_BYTES, 'signature');
  const s = bigEndian(signature.slice(32));
  const low = s > P256_ORDER / 2n ? P256_ORDER - s : s;
  return concat(signature.slice(0, 32), fromHex(low.toString(16).padStart(64, '0')));
}

function bigEndian(bytes: Uint8Array): bigint {
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

// ---- fields --------------------------------------------------------------------------------------------------------------------

function domain(name: string): Uint8Array {
  return new TextEncoder().encode(`${name}\0`);
}

function algorithmByte(algorithm: Algorithm): number {
  return algorithm === 'ed25519' ? 1 : 2;
}

function ticketBytes(ticketId: string): Uint8Array {
  if (ticketId.length !== 16) throw new FormatError('a ticket id is 16 hex digits');
  return fromHex(ticketId);
}

function challenge(value: number): number {
  if (value > CHALLENGE_MAX) throw new FormatError('a challenge has 4 digits');
  return value;
}

function uint(value: number, max: number): number {
  if (!Number.isInteger(value) || value < 0 || value > max) throw new FormatError(`${value} is outside 0..=${max}`);
  return value;
}

function u8(value: number): Uint8Array {
  return Uint8Array.of(uint(value, 0xff));
}

function u16(value: number): Uint8Array {
  const v = uint(value, 0xffff);
  return Uint8Array.of(v >> 8, v & 0xff);
}

function u32(value: number): Uint8Array {
  const v = uint(value, U32_MAX);
  return Uint8Array.of(v >>> 24, (v >>> 16) & 0xff, (v >>> 8) & 0xff, v & 0xff);
}

function expectLength(bytes: Uint8Array, length: number, what: string): void {
  if (bytes.length !== length) throw new FormatError(`${what}: ${bytes.length} bytes instead of ${length}`);
}
