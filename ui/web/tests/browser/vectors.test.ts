// The page's own code module inside a real Chromium, signing with its WebCrypto: Ed25519 codes must come out byte for byte as frozen,
// P-256 ones (which are never the same twice) must verify and have a low s.
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, it } from 'vitest';
import { build, type Rolldown } from 'vite';
import { fromHex } from '../../src/shared/bytes';
import { base45Decode, type Codes } from '../../src/ticket/code';
import { verifyHolder } from '../mock/server.mjs';
import { presentCases, type PresentCase } from '../vectors';
import { inChromium, useBrowser } from './harness';

type Bundle = { code: typeof import('../../src/ticket/code'); keys: typeof import('../../src/ticket/keys'); bytes: typeof import('../../src/shared/bytes') };
const P256_HALF = 0xffffffff_00000000_ffffffff_ffffffff_bce6faad_a7179e84_f3b9cac2_fc632551n / 2n;

inChromium('the vectors in Chromium', () => {
  const browser = useBrowser();
  let script = '';

  beforeAll(async () => {
    const entry = fileURLToPath(new URL('./vectors.entry.ts', import.meta.url));
    const result = (await build({
      configFile: false,
      logLevel: 'error',
      build: { write: false, minify: false, lib: { entry, formats: ['iife'], name: 'turnstone' } },
    })) as Rolldown.RolldownOutput[];
    script = result[0]!.output[0].code;
  });

  async function codesOf(all: PresentCase[]): Promise<Codes[]> {
    const { page, mock } = await browser.visit();
    await page.setBypassCSP(true);
    await page.goto(mock.url);
    await page.evaluate(`${script};globalThis.turnstone = turnstone;`);
    return page.evaluate(async (given) => {
      const { code, keys, bytes } = (globalThis as unknown as { turnstone: Bundle }).turnstone;
      const out = [];
      for (const { algorithm, holder_jwk, credential, step, challenge } of given) {
        const params = algorithm === 'ed25519' ? { name: 'Ed25519' } : { name: 'ECDSA', namedCurve: 'P-256' };
        const key = await crypto.subtle.importKey('jwk', holder_jwk, params, false, ['sign']);
        const made = bytes.fromHex(credential);
        out.push(await code.makeCodes(algorithm, keys.signerOf(algorithm, key), code.parseCredential(made), made, { step, challenge }));
      }
      return out;
    }, all);
  }

  it('reproduces every Ed25519 code byte for byte', async () => {
    const all = presentCases('ed25519');
    expect(all.length).toBeGreaterThanOrEqual(6);
    expect(all.every((c) => c.deterministic)).toBe(true);
    expect(await codesOf(all)).toEqual(all.map(({ expect: { accept } }) => ({ short: accept.short_code, full: accept.full_code })));
  });

  it('makes P-256 codes that verify, with a low s, over the frozen messages', async () => {
    const all = Array.from({ length: 4 }, () => presentCases('p256')).flat();
    (await codesOf(all)).forEach((codes, i) => {
      const { credential, expect: { accept } } = all[i]!;
      const short = base45Decode(codes.short.slice(3));
      expect(short.slice(0, 15)).toEqual(base45Decode(accept.short_code.slice(3)).slice(0, 15));
      expect(base45Decode(codes.full.slice(3)).slice(0, 137)).toEqual(base45Decode(accept.full_code.slice(3)).slice(0, 137));
      const signature = Buffer.from(short.slice(15));
      expect(verifyHolder('p256', Buffer.from(fromHex(credential).slice(34, 67)), fromHex(accept.message), signature)).toBe(true);
      expect(BigInt(`0x${signature.subarray(32).toString('hex')}`) <= P256_HALF).toBe(true);
    });
  });
});
