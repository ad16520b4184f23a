// What this phone keeps, in IndexedDB: its tickets with their keys, and the last known offset of its clock. A ticket's record holds
// up to two things at once: the binding in use, and one that was asked for and not yet answered. The second never disturbs the
// first, so a new link that fails halfway leaves the old ticket as it was.

import type { ClassInfo, EventInfo } from '../api/types';
import type { HolderKey } from './keys';
import type { ClockFix } from './clock';

export interface Asking {
  secret: string;
  key: HolderKey;
  event: EventInfo;
  class: ClassInfo;
  askedAtMs: number;
}

export interface Bound {
  secret: string;
  key: HolderKey;
  serial: number;
  event: EventInfo;
  class: ClassInfo;
  credential: Uint8Array<ArrayBuffer>;
  fullCodeUntilMs: number;
}

export interface TicketRecord {
  ticketId: string;
  asking?: Asking;
  bound?: Bound;
  /** Why the bound code no longer works, as the server last said. */
  ended?: 'revoked' | 'superseded';
}

export interface TicketStore {
  get(ticketId: string): Promise<TicketRecord | null>;
  all(): Promise<TicketRecord[]>;
  put(record: TicketRecord): Promise<void>;
  remove(ticketId: string): Promise<void>;
  clockFix(): Promise<ClockFix | null>;
  putClockFix(fix: ClockFix): Promise<void>;
}

/** The browser will not keep anything for us: a private window, blocked site data, a full disk. */
export class StorageRefused extends Error {
  override readonly name = 'StorageRefused';
}

const DATABASE = 'turnstone-ticket';
const DATABASE_VERSION = 1;

export async function openStore(): Promise<TicketStore> {
  const db = await openDatabase();
  // A newer page in another tab must be able to upgrade; this one then shows what it has in memory until it is reloaded.
  db.onversionchange = () => db.close();
  const run = <T>(name: 'tickets' | 'clock', mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>) =>
    new Promise<T>((resolve, reject) => {
      const refuse = (cause: unknown) => reject(new StorageRefused('the browser did not keep or return the ticket', { cause }));
      try {
        // `strict`: a key that is sent to the server must be on the disk, not in a buffer.
        const tx = db.transaction(name, mode, { durability: mode === 'readwrite' ? 'strict' : 'default' });
        const request = act(tx.objectStore(name));
        tx.oncomplete = () => resolve(request.result);
        tx.onerror = () => refuse(tx.error);
        tx.onabort = () => refuse(tx.error);
      } catch (cause) {
        refuse(cause);
      }
    });
  return {
    get: async (ticketId) => ((await run('tickets', 'readonly', (s) => s.get(ticketId))) as TicketRecord | undefined) ?? null,
    all: () => run('tickets', 'readonly', (s) => s.getAll()) as Promise<TicketRecord[]>,
    put: async (record) => void (await run('tickets', 'readwrite', (s) => s.put(record))),
    remove: async (ticketId) => void (await run('tickets', 'readwrite', (s) => s.delete(ticketId))),
    clockFix: async () => ((await run('clock', 'readonly', (s) => s.get('fix'))) as ClockFix | undefined) ?? null,
    putClockFix: async (fix) => void (await run('clock', 'readwrite', (s) => s.put(fix, 'fix'))),
  };
}

function openDatabase(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const refuse = (cause: unknown) => reject(new StorageRefused('the browser offers no storage', { cause }));
    try {
      const request = indexedDB.open(DATABASE, DATABASE_VERSION);
      request.onupgradeneeded = () => {
        request.result.createObjectStore('tickets', { keyPath: 'ticketId' });
        request.result.createObjectStore('clock');
      };
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => refuse(request.error);
    } catch (cause) {
      refuse(cause);
    }
  });
}
