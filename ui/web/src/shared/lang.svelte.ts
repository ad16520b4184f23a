// The reader's language: from the browser, or as chosen on the page (kept in this browser). Catalogues are typed objects, one per
// page, so that a missing sentence does not compile.

export type Lang = 'en' | 'de';
export const LANGUAGES: readonly { code: Lang; name: string }[] = [
  { code: 'en', name: 'English' },
  { code: 'de', name: 'Deutsch' },
];

const KEY = 'turnstone-language';

export function pickLanguage(stored: string | null, wanted: readonly string[]): Lang {
  if (stored === 'en' || stored === 'de') return stored;
  for (const tag of wanted) {
    const code = tag.slice(0, 2).toLowerCase();
    if (code === 'en' || code === 'de') return code;
  }
  return 'en';
}

/** The locale for dates: the reader's own regional form of the page's language where he has one. */
export function localeFor(language: Lang, wanted: readonly string[]): string {
  return wanted.find((tag) => tag.toLowerCase().startsWith(`${language}-`)) ?? (language === 'de' ? 'de-DE' : 'en-GB');
}

function readStored(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

class Language {
  current = $state<Lang>(pickLanguage(readStored(), navigator.languages));
  locale = $derived(localeFor(this.current, navigator.languages));

  choose(language: Lang): void {
    this.current = language;
    try {
      localStorage.setItem(KEY, language);
    } catch {
      // Then the choice lasts as long as the page.
    }
  }
}

export const lang = new Language();
