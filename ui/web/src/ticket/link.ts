// A ticket's link: `/t#<ticket id, 16 hex digits>.<secret, 16 bytes base64url>`. All in the fragment, which browsers keep to
// themselves, so that no server log ever holds a secret. Once a ticket is on the phone the address keeps only the id.

import { fromBase64Url } from '../shared/bytes';

export interface TicketLink {
  ticketId: string;
  secret: string;
}

export type Fragment =
  | { kind: 'none' }
  /** The address of a ticket that is already on this phone. */
  | { kind: 'ticket'; ticketId: string }
  | { kind: 'link'; link: TicketLink }
  /** Cut off or changed on its way, as messengers do. */
  | { kind: 'broken' };

export function parseFragment(hash: string): Fragment {
  const text = hash.replace(/^#/, '').trim();
  if (text === '') return { kind: 'none' };
  const [ticketId, secret, ...rest] = text.split('.');
  if (ticketId === undefined || !/^[0-9a-f]{16}$/.test(ticketId) || rest.length > 0) return { kind: 'broken' };
  if (secret === undefined) return { kind: 'ticket', ticketId };
  try {
    if (fromBase64Url(secret).length !== 16) return { kind: 'broken' };
  } catch {
    return { kind: 'broken' };
  }
  return { kind: 'link', link: { ticketId, secret } };
}

/** The secret's hash that the binding proof covers: over the 16 bytes, not over their spelling. */
export async function secretHash(link: TicketLink): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', fromBase64Url(link.secret)));
}
