// A decision in words.

import type { Decided, LiveLane, TicketClass } from '../api/types';
import type { Messages } from './messages';

export interface Names {
  lanes: LiveLane[];
  classes: TicketClass[];
}

export function laneNames(ids: number[], { lanes }: Names): string {
  return ids.map((id) => lanes.find((lane) => lane.lane_id === id)?.lane ?? String(id)).join(', ');
}

export function classNames(ids: number[], { classes }: Names): string {
  return ids.map((id) => classes.find((known) => known.id === id)?.name ?? String(id)).join(', ');
}

export function decidedWords(decided: Decided, names: Names, t: Messages): string {
  const say = t.decisions;
  switch (decided.kind) {
    case 'lane_closed':
      return say.closed(laneNames([decided.lane_id], names));
    case 'lane_opened':
      return say.opened(laneNames([decided.lane_id], names));
    case 'lane_classes':
      return decided.classes.length === 0 ? say.allClasses(laneNames([decided.lane_id], names)) : say.onlyClasses(laneNames([decided.lane_id], names), classNames(decided.classes, names));
    case 'lane_direction':
      return say.direction[decided.direction](laneNames([decided.lane_id], names));
    case 'partition':
      return say.cutOff(decided.class === null ? say.everyClass : classNames([decided.class], names), say.partition[decided.partition]);
    case 'unlisted_printed':
      return say.unlisted[decided.unlisted_printed];
    case 'freshness_steps':
      return say.freshness(decided.freshness_steps * 15);
    case 'message':
      return say.message(decided.lanes.length === 0 ? say.allLanes : laneNames(decided.lanes, names), decided.text);
  }
}
