import type { DestinationTraffic } from './outbox.ts';
import { staticQueues } from './topology.ts';

/** Looks in the time after which silence is reported. */
const LOOKS = 5;

export const SILENCE_MS = 5000;

export interface Traffic {
  /** Messages can go out. */
  readonly isOpen: boolean;
  readonly destinations: readonly DestinationTraffic[];
}

/**
 * Notices a broker that is connected and confirms nothing: it hangs, or its queues have no majority. Looks are counted and not time, so
 * that a program that was itself stopped for a minute does not blame the broker.
 *
 * A destination that is silent while others answer is marked as mute. One of a provider costs that provider's copies only. One that all
 * tasks use, such as the stream of events, is as bad as a broker that says nothing.
 */
export class ConfirmWatchdog {
  /** From one look to the next. */
  readonly lookMs: number;
  readonly #traffic: () => Traffic;
  #broker = new Checks();
  readonly #each = new Map<string, Checks>();

  constructor(maxMs: number, traffic: () => Traffic) {
    this.lookMs = maxMs / LOOKS;
    this.#traffic = traffic;
  }

  /** Returns the names of those that are mute from here on. */
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

  /** For people; undefined when there is none to report. It ends with the first answer. */
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

/** Times that something was found waiting since the last answer. */
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

  /** What waits at the first look may have come just before it. */
  isSilent(answers: number): boolean {
    return answers === this.#answers && this.count > LOOKS;
  }

  /** In the last of the looks that count: what was before may have been before the whole broker fell silent. */
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
