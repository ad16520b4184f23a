// The pages read the browser's languages when they load; Node 20 has no navigator.
if (!('navigator' in globalThis)) Object.defineProperty(globalThis, 'navigator', { value: { languages: ['en-GB'] }, configurable: true });
