import type { DestinationTraffic } from './outbox.ts';
import { staticQueues } from './topology.ts';

/** Checks made in the time after which silence is reported. */
const LOOKS = 5;

export const SILENCE_MS = 5000;

export interface Traffic {
  /** Messages can go out. */
  readonly isOpen: boolean;
  readonly destinations: readonly DestinationTraffic[];
}

/**
 * Detects a broker that is connected but confirms nothing: it hangs, or its queues have no majority. It counts checks, not time, so that a
 * process that was itself suspended for a minute does not blame the broker.
 *
 * A destination that is silent while others confirm is marked mute. A mute provider queue affects that provider's copies only; a mute queue
 * that all tasks share, such as the event stream, is reported like a silent broker.
 */
export class ConfirmWatchdog {
  /** Interval between checks. */
  readonly lookMs: number;
  readonly #traffic: () => Traffic;
  #broker = new Checks();
  readonly #each = new Map<string, Checks>();

  constructor(maxMs: number, traffic: () => Traffic) {
    this.lookMs = maxMs / LOOKS;
    this.#traffic = traffic;
  }

  /** Returns the names of destinations newly found mute. */
  look(): string[] {
    const { isOpen, destinations } = this.#traffic();
    if (!isOpen) return this.#beginAnew();
    const mute: string[] = [];
    const all = answersOf(destinations);
    for (const destination of destinations) {
      if (!this.#isFoundMute(destination, all) || destination.isMute) continue;
      destination.isMute = true;
      mute.push(destination.name);
    }
    this.#broker.look(waits(destinations), all, 0);
    return mute;
  }

  #beginAnew(): [] {
    this.#each.clear();
    this.#broker = new Checks();
    return [];
  }

  #isFoundMute(destination: DestinationTraffic, all: number): boolean {
    const { waiting, answers } = destination;
    const looks = this.#looksAt(destination);
    looks.look(waiting.size > 0, answers, all - answers);
    return looks.isSilent(answers) && looks.othersAnswered(all - answers);
  }

  /** Human-readable; undefined if there is no silence to report. The first confirm clears it. */
  get reason(): string | undefined {
    const { isOpen, destinations } = this.#traffic();
    if (!isOpen) return undefined;
    const mute = destinations.find(isMuteForAll);
    if (mute) return `no confirmation from ${mute.name} for ${this.#secondsOf(this.#looksAt(mute))} s`;
    if (!waits(destinations) || !this.#broker.isSilent(answersOf(destinations))) return undefined;
    return `no confirmation for ${this.#secondsOf(this.#broker)} s`;
  }

  #looksAt({ name }: DestinationTraffic): Checks {
    const known = this.#each.get(name);
    if (known) return known;
    const fresh = new Checks();
    this.#each.set(name, fresh);
    return fresh;
  }

  #secondsOf({ count }: Checks): number {
    return Number((Math.max(0, count - 1) * (this.lookMs / 1000)).toFixed(1));
  }
}

/** Counts checks that found something waiting since the last confirm. */
class Checks {
  count = 0;
  #answers = 0;
  #elsewhere = 0;

  look(isWaiting: boolean, answers: number, elsewhere: number): void {
    if (answers !== this.#answers) this.count = 0;
    else if (isWaiting) this.count += 1;
    this.#answers = answers;
    if (this.count < LOOKS) this.#elsewhere = elsewhere;
  }

  /** More than LOOKS: what waits at the first check may have been sent just before it. */
  isSilent(answers: number): boolean {
    return answers === this.#answers && this.count > LOOKS;
  }

  /** Compares with check LOOKS - 1: earlier confirms may date from before the whole broker fell silent. */
  othersAnswered(elsewhere: number): boolean {
    return elsewhere !== this.#elsewhere;
  }
}

const sharedByAll = new Set(staticQueues.map(({ name }) => name));

const isMuteForAll = ({ name, isMute, waiting }: DestinationTraffic): boolean =>
  isMute && waiting.size > 0 && sharedByAll.has(name);

function answersOf(destinations: readonly DestinationTraffic[]): number {
  return destinations.reduce((sum, { answers }) => sum + answers, 0);
}

function waits(destinations: readonly DestinationTraffic[]): boolean {
  return destinations.some(({ isMute, waiting }) => !isMute && waiting.size > 0);
}
