// The gate's refusal sentences in other languages, by reason code. The server's English sentence is the source; a code that is not
// here yet (a newer server) is shown in that English, marked as such for screen readers.

import type { RefusalCount } from '../api/types';
import type { Lang } from '../shared/lang.svelte';

const de: Record<string, string> = {
  not_a_ticket: 'Dieser Code ist keines unserer Tickets.',
  damaged: 'Der Code des Tickets ist beschädigt oder unvollständig.',
  unknown: 'Nicht auf dieser Liste: vielleicht ein anderes Datum oder ein ganz neues Ticket.',
  newer_than_list: 'Dieses Ticket wurde neu ausgestellt, nachdem diese Liste entstand.',
  retired: 'Dieses Ticket wurde durch ein neueres ersetzt.',
  issuer_untrusted: 'Niemand, dem wir vertrauen, hat dieses Ticket ausgestellt.',
  wrong_event: 'Dieses Ticket gilt für eine andere Veranstaltung oder ein anderes Datum.',
  bad_signature: 'Die Signatur des Tickets passt nicht.',
  presentation_missing: 'Dieses Ticket ist auf einem Handy, und das hier ist nur eine Kopie.',
  not_bound: 'Dieses Ticket ist noch auf keinem Handy, also kann dieser Code nicht stimmen.',
  stale: 'Dieser Code ist abgelaufen: ein Bild davon oder ein stehengebliebenes Handy.',
  early: 'Dieser Code gilt erst später: Die Uhr des Handys geht vor.',
  list_changed: 'Die Liste hat sich während dieses Scans geändert.',
  key_mismatch: 'Die Liste kennt ein anderes Handy für dieses Ticket.',
  revoked: 'Dieses Ticket wurde storniert.',
  class_unknown: 'Dieser Einlass kennt diese Art Ticket noch nicht.',
  wrong_lane: 'Dieses Ticket gilt an einer anderen Spur.',
  not_yet_valid: 'Dieses Ticket gilt noch nicht.',
  no_longer_valid: 'Die Zeit dieses Tickets ist vorbei.',
  printed_not_accepted: 'Tickets dieser Art gelten nicht auf Papier.',
  printed_unlisted: 'Ein gedrucktes Ticket, das nicht auf der Liste dieses Einlasses steht.',
  used: 'Dieses Ticket wurde schon eingelassen.',
  other_group: 'Diese Spur ist abgeschnitten, und das Ticket gehört zu anderen Spuren.',
  no_grant: 'Dieses Ticket braucht eine Verbindung, und diese Spur hat keine.',
  clock_in_doubt: 'Dieses Handgerät ist sich der Zeit nicht sicher.',
  list_expired: 'Die Liste dieses Einlasses ist zu alt.',
  lease_expired: 'Die Erlaubnis dieses Handgeräts ist abgelaufen.',
  not_ready: 'Dieses Handgerät hat noch keine Liste oder keine Regeln.',
};

export function refusalSentence(refusal: RefusalCount, language: Lang): { text: string; language: Lang } {
  const translated = language === 'de' ? de[refusal.reason] : undefined;
  return translated === undefined ? { text: refusal.sentence || refusal.reason, language: 'en' } : { text: translated, language: 'de' };
}
