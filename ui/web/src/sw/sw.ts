// The ticket page without a network. Keeps the page's shell (nothing of the office, no API answer ever) and serves it from here
// first: at a gate with a dying network, waiting for a timeout is as bad as having none. A new build has a new list, and so a new
// worker; it takes over at once, since the page loads everything it needs at its start.

declare const self: ServiceWorkerGlobalScope;

// Replaced by the build with {version, files}.
const shell = '__SHELL__' as unknown as { version: string; files: string[] };
const CACHE = `turnstone-ticket-${shell.version}`;

self.addEventListener('install', (event) => {
  event.waitUntil(
    (async () => {
      const cache = await caches.open(CACHE);
      // The page itself is asked for anew; the hashed files may come from the browser's own cache.
      await cache.addAll(shell.files.map((file) => new Request(file, { cache: file.startsWith('/assets/') ? 'default' : 'reload' })));
      await self.skipWaiting();
    })(),
  );
});

self.addEventListener('activate', (event) => {
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) if (name.startsWith('turnstone-ticket-') && name !== CACHE) await caches.delete(name);
      await self.clients.claim();
    })(),
  );
});

self.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== 'GET' || url.origin !== self.location.origin) return;
  if (url.pathname === '/t') event.respondWith(fromShell('/t', event.request));
  else if (url.pathname.startsWith('/assets/')) event.respondWith(fromShell(url.pathname, event.request));
});

async function fromShell(path: string, request: Request): Promise<Response> {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(path, { ignoreVary: true });
  if (kept) return kept;
  const fresh = await fetch(request);
  // A font for another script, met for the first time. Its name holds its hash, so it never goes stale.
  if (fresh.ok && path.startsWith('/assets/')) await cache.put(path, fresh.clone());
  return fresh;
}

export {};
