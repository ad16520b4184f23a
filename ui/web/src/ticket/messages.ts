// Everything the ticket page says.

import { lang } from '../shared/lang.svelte';

export interface TroubleText {
  title: string;
  body: string;
  next: string;
}

export type TroubleKind =
  | 'no_ticket'
  | 'broken_link'
  | 'link_invalid'
  | 'revoked'
  | 'superseded'
  | 'on_another_phone'
  | 'key_lost'
  | 'no_storage'
  | 'no_crypto'
  | 'offline'
  | 'key_refused'
  | 'mismatch'
  | 'server';

const en = {
  pageTitle: 'Your ticket',
  language: 'Language',
  loading: 'Looking up your ticket',
  at: 'at',
  timeIn: (zone: string) => `(${zone})`,
  offer: {
    button: 'Put this ticket on this phone',
    why: 'The ticket then lives on this phone alone, and its code works without a network. Do this on the phone that comes to the gate.',
    replaces: 'This is a new link for a ticket that is already here. The new code replaces the old one.',
    print: 'Or print it',
    printWhy: 'This code works on paper where the event accepts printed tickets. Once the ticket is on a phone, the paper stops working.',
    printButton: 'Print',
    printedLabel: 'Printed ticket code',
  },
  asking: {
    sending: 'Putting the ticket on this phone',
    again: 'Asking again',
    noAnswer: 'No answer yet. The ticket is safe: this phone keeps its key and asks again with the same one.',
    busy: 'The server is busy.',
    nextTry: (span: string) => `Next try in ${span}.`,
    now: 'Ask now',
    stopped: 'Still no answer. Check the network, then ask again. It cannot go wrong twice: this phone asks with the same key.',
  },
  code: {
    label: 'Ticket code for the gate. It changes every 15 seconds.',
    fullLabel: 'Full ticket code for the gate. It changes every 15 seconds.',
    seconds: (n: number) => `new code in ${n} s`,
    bright: 'Turn the screen’s brightness all the way up.',
    offline: 'Kept on this phone. Works without a network.',
    saving: 'Preparing this page for use without a network.',
    notOffline: 'This browser cannot keep the page for use without a network. Leave it open until you are inside.',
    wake: 'This browser lets the screen go dark. Tap it now and then.',
    fullAuto: 'This is the full code. Gates may not have heard of your ticket yet, so it says everything itself.',
    fullAsked: 'This is the full code.',
    showFull: 'Full code',
    fullHint: 'Tap it when the gate asks for the full code.',
    showUsual: 'Usual code',
    usualHint: 'Smaller, and quicker to read.',
    challenge: 'The gate asks for 4 digits',
    challengeLabel: 'Digits shown at the gate',
    challengeHint: 'Type them and your code answers them.',
    challengeSet: (digits: string) => `This code answers ${digits}.`,
    challengeClear: 'Remove the digits',
    challengeBad: 'Four digits, not 0000.',
    details: 'Event',
    doors: 'Valid',
    ticketNumber: 'Ticket',
  },
  clock: {
    fast: (span: string) => `Your phone’s clock is ${span} fast; we correct it.`,
    slow: (span: string) => `Your phone’s clock is ${span} slow; we correct it.`,
    never: 'This page has never heard the right time. If the gate refuses the code, connect to a network for a moment.',
    old: 'This page last heard the right time more than a week ago. Connect to a network for a moment before you go in.',
    jumped: 'Your phone’s clock was changed. The code may be refused until this page has a network for a moment.',
  },
  ended: {
    newLink: 'This phone now shows the ticket it already had. The link you opened could not be checked without a network.',
  },
  list: {
    title: 'Tickets on this phone',
    all: (n: number) => `All ${n} tickets on this phone`,
    unfinished: 'not finished',
    ended: 'no longer valid',
  },
  again: 'Try again',
  removeTicket: 'Remove it from this phone',
  trouble: {
    no_ticket: {
      title: 'No ticket on this phone',
      body: 'This browser holds no ticket.',
      next: 'Open the link that came with your ticket. If it was here before, the browser’s data was cleared: ask the seller for a new link.',
    },
    broken_link: {
      title: 'This link is incomplete',
      body: 'Part of it got lost on its way, as happens when a message breaks a line.',
      next: 'Open it from the original message, or copy it whole.',
    },
    link_invalid: {
      title: 'This link opens no ticket',
      body: 'The server does not know it. It may have been changed on its way.',
      next: 'Open it from the original message. If it still fails, ask the seller for a new link.',
    },
    revoked: {
      title: 'This ticket was cancelled',
      body: 'Its codes are refused at every gate.',
      next: 'If you did not expect this, ask the seller.',
    },
    superseded: {
      title: 'There is a newer link for this ticket',
      body: 'The ticket was issued anew. This link, and any code made with it, no longer works.',
      next: 'Open the newest link you were sent. If you have none, ask the seller.',
    },
    on_another_phone: {
      title: 'This ticket is on another phone',
      body: 'A ticket lives on one phone, and this link has been used. If that was this phone, the browser has since lost it: a private window, or cleared data.',
      next: 'Show it from the phone and browser that has it, or ask the seller for a new link.',
    },
    key_lost: {
      title: 'This phone has lost the ticket’s key',
      body: 'The browser kept the ticket but not the key that makes its codes. The key existed here alone and cannot be restored.',
      next: 'Ask the seller for a new link and open it here.',
    },
    no_storage: {
      title: 'This browser cannot keep a ticket',
      body: 'It refuses to store anything for this page. Private windows do that, and so does blocked site data.',
      next: 'Open the link in a normal window of your usual browser. The link is still good.',
    },
    no_crypto: {
      title: 'This connection is not secure enough',
      body: 'A ticket’s key can only be made over a secure (https) connection in an up-to-date browser.',
      next: 'Open the link as it was sent to you, in an up-to-date browser.',
    },
    offline: {
      title: 'No connection to the server',
      body: 'A ticket needs the network once, when it is put on the phone. After that it works without.',
      next: 'Connect to a network and try again.',
    },
    key_refused: {
      title: 'The server refused this phone’s key',
      body: 'It asks for another kind of key than this browser can make.',
      next: 'Try another browser, or another phone. The link is still good.',
    },
    mismatch: {
      title: 'The server’s answer makes no sense',
      body: 'It sent a ticket that does not belong to this link, so this phone did not take it.',
      next: 'Try again. If it happens again, tell the seller.',
    },
    server: {
      title: 'The server could not answer',
      body: 'Something is wrong on its side. Your ticket is not affected.',
      next: 'Try again in a minute.',
    },
  } satisfies Record<TroubleKind, TroubleText>,
};

export type Messages = typeof en;

const de: Messages = {
  pageTitle: 'Ihr Ticket',
  language: 'Sprache',
  loading: 'Ihr Ticket wird gesucht',
  at: 'um',
  timeIn: (zone) => `(${zone})`,
  offer: {
    button: 'Ticket auf dieses Handy holen',
    why: 'Das Ticket ist dann nur auf diesem Handy, und sein Code funktioniert ohne Netz. Tun Sie das auf dem Handy, das mit zum Einlass kommt.',
    replaces: 'Das ist ein neuer Link für ein Ticket, das schon hier ist. Der neue Code ersetzt den alten.',
    print: 'Oder ausdrucken',
    printWhy: 'Dieser Code gilt auf Papier, wo die Veranstaltung gedruckte Tickets annimmt. Sobald das Ticket auf einem Handy ist, gilt das Papier nicht mehr.',
    printButton: 'Drucken',
    printedLabel: 'Code des gedruckten Tickets',
  },
  asking: {
    sending: 'Das Ticket kommt auf dieses Handy',
    again: 'Es wird noch einmal gefragt',
    noAnswer: 'Noch keine Antwort. Das Ticket ist sicher: Dieses Handy behält seinen Schlüssel und fragt mit demselben noch einmal.',
    busy: 'Der Server ist ausgelastet.',
    nextTry: (span) => `Nächster Versuch in ${span}.`,
    now: 'Jetzt fragen',
    stopped: 'Immer noch keine Antwort. Prüfen Sie das Netz und fragen Sie dann noch einmal. Doppelt kann nichts passieren: Es bleibt derselbe Schlüssel.',
  },
  code: {
    label: 'Ticketcode für den Einlass. Er wechselt alle 15 Sekunden.',
    fullLabel: 'Voller Ticketcode für den Einlass. Er wechselt alle 15 Sekunden.',
    seconds: (n) => `neuer Code in ${n} s`,
    bright: 'Stellen Sie den Bildschirm ganz hell.',
    offline: 'Auf diesem Handy gespeichert. Funktioniert ohne Netz.',
    saving: 'Die Seite wird für die Nutzung ohne Netz vorbereitet.',
    notOffline: 'Dieser Browser kann die Seite nicht ohne Netz öffnen. Lassen Sie sie offen, bis Sie drinnen sind.',
    wake: 'Dieser Browser lässt den Bildschirm dunkel werden. Tippen Sie ihn ab und zu an.',
    fullAuto: 'Das ist der volle Code. Vielleicht kennt der Einlass Ihr Ticket noch nicht, deshalb sagt der Code alles selbst.',
    fullAsked: 'Das ist der volle Code.',
    showFull: 'Voller Code',
    fullHint: 'Antippen, wenn der Einlass den vollen Code will.',
    showUsual: 'Üblicher Code',
    usualHint: 'Kleiner und schneller zu lesen.',
    challenge: 'Der Einlass will 4 Ziffern',
    challengeLabel: 'Ziffern, die der Einlass zeigt',
    challengeHint: 'Geben Sie sie ein, dann beantwortet Ihr Code sie.',
    challengeSet: (digits) => `Dieser Code beantwortet ${digits}.`,
    challengeClear: 'Ziffern entfernen',
    challengeBad: 'Vier Ziffern, nicht 0000.',
    details: 'Veranstaltung',
    doors: 'Gültig',
    ticketNumber: 'Ticket',
  },
  clock: {
    fast: (span) => `Die Uhr Ihres Handys geht ${span} vor; wir gleichen das aus.`,
    slow: (span) => `Die Uhr Ihres Handys geht ${span} nach; wir gleichen das aus.`,
    never: 'Diese Seite hat noch nie die richtige Zeit erfahren. Wird der Code abgelehnt, gehen Sie kurz ins Netz.',
    old: 'Diese Seite hat die richtige Zeit vor über einer Woche zuletzt erfahren. Gehen Sie vor dem Einlass kurz ins Netz.',
    jumped: 'Die Uhr Ihres Handys wurde verstellt. Der Code kann abgelehnt werden, bis diese Seite kurz Netz hat.',
  },
  ended: {
    newLink: 'Dieses Handy zeigt das Ticket, das es schon hatte. Der geöffnete Link ließ sich ohne Netz nicht prüfen.',
  },
  list: {
    title: 'Tickets auf diesem Handy',
    all: (n) => `Alle ${n} Tickets auf diesem Handy`,
    unfinished: 'nicht fertig',
    ended: 'nicht mehr gültig',
  },
  again: 'Noch einmal versuchen',
  removeTicket: 'Von diesem Handy entfernen',
  trouble: {
    no_ticket: {
      title: 'Kein Ticket auf diesem Handy',
      body: 'In diesem Browser liegt kein Ticket.',
      next: 'Öffnen Sie den Link, der mit Ihrem Ticket kam. War es schon einmal hier, wurden die Daten des Browsers gelöscht: Bitten Sie die Verkaufsstelle um einen neuen Link.',
    },
    broken_link: {
      title: 'Dieser Link ist unvollständig',
      body: 'Unterwegs ging ein Teil verloren, etwa weil eine Nachricht ihn umbricht.',
      next: 'Öffnen Sie ihn aus der ursprünglichen Nachricht oder kopieren Sie ihn ganz.',
    },
    link_invalid: {
      title: 'Dieser Link öffnet kein Ticket',
      body: 'Der Server kennt ihn nicht. Vielleicht wurde er unterwegs verändert.',
      next: 'Öffnen Sie ihn aus der ursprünglichen Nachricht. Geht es dann noch nicht, bitten Sie die Verkaufsstelle um einen neuen Link.',
    },
    revoked: {
      title: 'Dieses Ticket wurde storniert',
      body: 'Seine Codes werden an jedem Einlass abgelehnt.',
      next: 'Kommt das unerwartet, fragen Sie die Verkaufsstelle.',
    },
    superseded: {
      title: 'Für dieses Ticket gibt es einen neueren Link',
      body: 'Das Ticket wurde neu ausgestellt. Dieser Link und jeder Code daraus gelten nicht mehr.',
      next: 'Öffnen Sie den neuesten Link, den Sie bekommen haben. Haben Sie keinen, fragen Sie die Verkaufsstelle.',
    },
    on_another_phone: {
      title: 'Dieses Ticket ist auf einem anderen Handy',
      body: 'Ein Ticket ist immer nur auf einem Handy, und dieser Link wurde schon benutzt. War es dieses Handy, hat der Browser es inzwischen verloren: durch ein privates Fenster oder gelöschte Daten.',
      next: 'Zeigen Sie es auf dem Handy und in dem Browser, wo es ist, oder bitten Sie die Verkaufsstelle um einen neuen Link.',
    },
    key_lost: {
      title: 'Dieses Handy hat den Schlüssel des Tickets verloren',
      body: 'Der Browser hat das Ticket behalten, aber nicht den Schlüssel für seine Codes. Es gab ihn nur hier, und er lässt sich nicht wiederherstellen.',
      next: 'Bitten Sie die Verkaufsstelle um einen neuen Link und öffnen Sie ihn hier.',
    },
    no_storage: {
      title: 'Dieser Browser kann kein Ticket behalten',
      body: 'Er speichert für diese Seite nichts. So sind private Fenster, und so ist es bei gesperrten Websitedaten.',
      next: 'Öffnen Sie den Link in einem normalen Fenster Ihres üblichen Browsers. Der Link gilt noch.',
    },
    no_crypto: {
      title: 'Diese Verbindung ist nicht sicher genug',
      body: 'Den Schlüssel eines Tickets gibt es nur über eine sichere Verbindung (https) und in einem aktuellen Browser.',
      next: 'Öffnen Sie den Link so, wie Sie ihn bekommen haben, in einem aktuellen Browser.',
    },
    offline: {
      title: 'Keine Verbindung zum Server',
      body: 'Ein Ticket braucht das Netz ein einziges Mal: wenn es auf das Handy kommt. Danach geht es ohne.',
      next: 'Gehen Sie ins Netz und versuchen Sie es noch einmal.',
    },
    key_refused: {
      title: 'Der Server hat den Schlüssel dieses Handys abgelehnt',
      body: 'Er verlangt eine andere Art von Schlüssel, als dieser Browser erzeugen kann.',
      next: 'Nehmen Sie einen anderen Browser oder ein anderes Handy. Der Link gilt noch.',
    },
    mismatch: {
      title: 'Die Antwort des Servers passt nicht',
      body: 'Er schickte ein Ticket, das nicht zu diesem Link gehört. Dieses Handy hat es nicht angenommen.',
      next: 'Versuchen Sie es noch einmal. Passiert es wieder, sagen Sie es der Verkaufsstelle.',
    },
    server: {
      title: 'Der Server konnte nicht antworten',
      body: 'Dort stimmt etwas nicht. Ihr Ticket ist davon nicht betroffen.',
      next: 'Versuchen Sie es in einer Minute noch einmal.',
    },
  },
};

export const catalogues = { en, de };

/** The catalogue of the current language; read it inside `$derived` or markup. */
export function messages(): Messages {
  return catalogues[lang.current];
}
