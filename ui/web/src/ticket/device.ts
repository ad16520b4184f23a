// What the page asks of the phone besides keys and storage: a screen that stays on, and a copy of the page for later.

/** Keeps the screen on while the code is shown; asks again whenever the page comes back. `tell` hears whether it is on. */
export function keepAwake(tell: (awake: boolean) => void): () => void {
  let lock: WakeLockSentinel | null = null;
  let stopped = false;
  const request = async () => {
    if (stopped || document.hidden || (lock && !lock.released)) return;
    try {
      lock = await navigator.wakeLock.request('screen');
      if (stopped) void lock.release();
      else tell(true);
    } catch {
      // No such feature, or a battery saver says no.
      tell(false);
    }
  };
  const shown = () => void request();
  document.addEventListener('visibilitychange', shown);
  void request();
  return () => {
    stopped = true;
    document.removeEventListener('visibilitychange', shown);
    void lock?.release().catch(() => undefined);
  };
}

/** Resolves to true once the page can be opened without a network, false where this browser cannot do that. */
export async function keepForOffline(): Promise<boolean> {
  if (!('serviceWorker' in navigator)) return false;
  try {
    await navigator.serviceWorker.register('/sw.js', { scope: '/t', updateViaCache: 'none' });
    await navigator.serviceWorker.ready;
    return true;
  } catch {
    // A failed download with an older worker in place still works offline.
    return (await navigator.serviceWorker.getRegistration('/t').catch(() => undefined))?.active != null;
  }
}
