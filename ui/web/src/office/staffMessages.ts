// What the view of the lanes' staff says.

import { lang } from '../shared/lang.svelte';

const en = {
  tab: 'Staff',
  title: 'Staff at the lanes',
  lead: 'These people unlock a handheld with their number and PIN, also while the lane is cut off. Connected handhelds know a change within seconds; one that is cut off goes by what it knew last, until its lease ends.',
  empty: 'Nobody yet. Until somebody is added, handhelds of this event offer staff nothing to decide.',
  roles: { steward: 'Steward', supervisor: 'Supervisor' },
  may: {
    steward: 'lets the rest of a group in',
    supervisor: 'decides everything at a lane: refused guests, guests without a code, groups, the clock',
  },
  add: 'Add somebody',
  addTitle: 'Add somebody',
  changeTitle: (name: string) => `Change ${name}`,
  change: 'Change',
  changeOf: (name: string) => `Change ${name}`,
  number: 'Number',
  numberWhy: 'Typed before the PIN. Short numbers are quick to type with gloves.',
  name: 'Name',
  nameWhy: 'Shown here alone: handhelds know the number only.',
  role: 'Role',
  pin: 'PIN',
  newPin: 'New PIN (left empty, the old one stays)',
  pinWhy: 'Six to eight digits. Tell it to this person alone: it cannot be shown again.',
  pinWrong: 'A PIN has six to eight digits.',
  taken: (name: string) => `${name} has this number. Choose another one.`,
  save: 'Save',
  remove: 'Remove',
  removeOf: (name: string) => `Remove ${name}`,
  removeTitle: (name: string) => `Remove ${name}?`,
  removeWhy: 'Connected handhelds lock this person out at once. What was decided so far is kept.',
  saved: (name: string) => `${name} is saved. Connected handhelds know.`,
  removed: (name: string) => `${name} is removed. Connected handhelds know.`,
  full: 'An event has at most 500 members of staff.',
};

export type StaffMessages = typeof en;

const de: StaffMessages = {
  tab: 'Personal',
  title: 'Personal an den Spuren',
  lead: 'Diese Personen entsperren ein Handgerät mit Nummer und PIN, auch wenn die Spur vom Netz getrennt ist. Verbundene Geräte kennen eine Änderung in Sekunden; ein getrenntes richtet sich nach dem letzten Stand, bis seine Frist endet.',
  empty: 'Noch niemand. Bis jemand eingetragen ist, gibt es an den Handgeräten dieser Veranstaltung für das Personal nichts zu entscheiden.',
  roles: { steward: 'Ordner', supervisor: 'Aufsicht' },
  may: {
    steward: 'lässt den Rest einer Gruppe ein',
    supervisor: 'entscheidet an einer Spur alles: abgewiesene Gäste, Gäste ohne Code, Gruppen, die Uhr',
  },
  add: 'Jemanden eintragen',
  addTitle: 'Jemanden eintragen',
  changeTitle: (name) => `${name} ändern`,
  change: 'Ändern',
  changeOf: (name) => `${name} ändern`,
  number: 'Nummer',
  numberWhy: 'Wird vor der PIN getippt. Kurze Nummern tippen sich mit Handschuhen schneller.',
  name: 'Name',
  nameWhy: 'Steht nur hier: Handgeräte kennen nur die Nummer.',
  role: 'Rolle',
  pin: 'PIN',
  newPin: 'Neue PIN (leer: die alte bleibt)',
  pinWhy: 'Sechs bis acht Ziffern. Nur dieser Person mitteilen: Sie lässt sich nicht noch einmal anzeigen.',
  pinWrong: 'Eine PIN hat sechs bis acht Ziffern.',
  taken: (name) => `${name} hat diese Nummer. Wählen Sie eine andere.`,
  save: 'Speichern',
  remove: 'Entfernen',
  removeOf: (name) => `${name} entfernen`,
  removeTitle: (name) => `${name} entfernen?`,
  removeWhy: 'Verbundene Handgeräte sperren diese Person sofort aus. Was bisher entschieden wurde, bleibt erhalten.',
  saved: (name) => `${name} ist gespeichert. Verbundene Handgeräte wissen es.`,
  removed: (name) => `${name} ist entfernt. Verbundene Handgeräte wissen es.`,
  full: 'Eine Veranstaltung hat höchstens 500 Personen.',
};

export const catalogues = { en, de };

export const staffMessages = (): StaffMessages => catalogues[lang.current];
