import decodeQR from 'qr/decode.js';
import { describe, expect, it } from 'vitest';
import { modulePixels, QUIET_MODULES, qrModules } from '../../src/shared/qr';
import { base45Encode, FULL_CODE_QR_VERSION, SHORT_CODE_QR_VERSION } from '../../src/ticket/code';

const text = (kind: string, length: number, seed: number) => `T1${kind}${base45Encode(Uint8Array.from({ length }, (_, i) => (i * 151 + seed * 77) & 0xff))}`;
const versionOf = (modules: boolean[][]) => (modules.length - 2 * QUIET_MODULES - 17) / 4;

function read(modules: boolean[][], scale = 4): string {
  const side = modules.length * scale;
  const data = new Uint8Array(side * side * 4);
  for (let y = 0; y < side; y += 1)
    for (let x = 0; x < side; x += 1) data.set(modules[Math.floor(y / scale)]![Math.floor(x / scale)] ? [0, 0, 0, 255] : [255, 255, 255, 255], (y * side + x) * 4);
  return decodeQR({ width: side, height: side, data });
}

describe('QR symbols', () => {
  it('puts a short code into version 5 and a full one into version 10, and both read back', () => {
    for (let seed = 0; seed < 8; seed += 1) {
      const short = text('S', 79, seed);
      const full = text('F', 201, seed);
      expect([short.length, full.length]).toEqual([122, 305]);
      const a = qrModules(short, SHORT_CODE_QR_VERSION);
      const b = qrModules(full, FULL_CODE_QR_VERSION);
      expect([versionOf(a), versionOf(b)]).toEqual([5, 10]);
      expect([read(a), read(b)]).toEqual([short, full]);
    }
  });

  it('chooses version 5 for a short code by itself: alphanumeric at level M fits it exactly', () => {
    expect(versionOf(qrModules(text('S', 79, 1)))).toBe(5);
    expect(() => qrModules(`${text('S', 79, 1)}0`, SHORT_CODE_QR_VERSION)).toThrow();
  });

  it('never falls back to bytes', () => {
    expect(() => qrModules('t1s')).toThrow();
  });

  it('surrounds the symbol with a quiet zone of four modules', () => {
    const modules = qrModules(text('S', 79, 3), SHORT_CODE_QR_VERSION);
    for (let i = 0; i < QUIET_MODULES; i += 1) {
      expect(modules[i]!.some(Boolean) || modules.at(-1 - i)!.some(Boolean) || modules.some((row) => row[i] || row.at(-1 - i))).toBe(false);
    }
    expect(modules[QUIET_MODULES]![QUIET_MODULES]).toBe(true);
  });

  it('scales by whole pixels', () => {
    expect(modulePixels(45, 720)).toBe(16);
    expect(modulePixels(45, 719)).toBe(15);
    expect(modulePixels(65, 10)).toBe(1);
  });
});
