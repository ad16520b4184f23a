import '../styles/tokens.css';
import '../styles/base.css';
import '../styles/landing.css';
import licences from './licences.txt?url';

// The page is written in English in its HTML and works without this script; here it turns German where the browser is.
const de: Record<string, string> = {
  lead: 'Dieser Server stellt Tickets aus und lässt den Einlass sie prüfen, auch ganz ohne Netz.',
  office: 'Büro öffnen',
  guest: 'Sie suchen Ihr Ticket? Öffnen Sie den Link, der mit ihm kam; diese Seite kann es nicht für Sie finden.',
  api: 'Beschreibung der Schnittstelle',
  licences: 'Lizenzen',
};

document.querySelector<HTMLAnchorElement>('[data-licences]')!.href = licences;
const wanted = navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => tag === 'de' || tag === 'en');
if (wanted === 'de') {
  document.documentElement.lang = 'de';
  for (const element of document.querySelectorAll<HTMLElement>('[data-text]')) element.textContent = de[element.dataset.text ?? ''] ?? element.textContent;
}
