// QR symbols as bits. Always alphanumeric mode and level M: the codes' alphabet is chosen for it, and a reader that types what it
// reads (a keyboard wedge) can pass nothing else.

import encodeQR from 'qr';

/** Light modules around the symbol that the standard asks for. */
export const QUIET_MODULES = 4;

/** Rows of modules, true is dark, quiet zone included. `version` fixes the size; a text that does not fit it throws. */
export function qrModules(text: string, version?: number): boolean[][] {
  return encodeQR(text, 'raw', { ecc: 'medium', encoding: 'alphanumeric', border: QUIET_MODULES, ...(version === undefined ? {} : { version }) });
}

/** Device pixels per module so that `modules` fit into `availablePx` with every module equally wide. */
export function modulePixels(modules: number, availablePx: number): number {
  return Math.max(1, Math.floor(availablePx / modules));
}
