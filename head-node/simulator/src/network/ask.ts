/** A question to the head over REQ-REP: an answer, or null after a second of silence. A late answer is dropped. */
import type { HeadLife } from '../head/head-life.ts';
import type { HeadMachine } from '../head/head-machine.ts';
import type { SimProcess } from '../sim-process.ts';
import type { Link, Route } from './link.ts';

/** As in shared/src/io/request-client.ts. */
const ANSWER_MS = 1000;

export interface Line {
  readonly process: SimProcess;
  readonly link: Link;
  readonly head: HeadMachine;
}

export interface Question<T> {
  readonly channel: Route['channel'];
  /** Makes the head's answer; null: it refuses. */
  readonly put: (head: HeadLife) => T | null;
  readonly answered: (answer: T | null) => void;
}

export function ask<T>({ process, link, head }: Line, { channel, put, answered }: Question<T>): void {
  let open = true;
  const settle = (answer: T | null): void => {
    if (open) answered(answer);
    open = false;
  };
  process.after(ANSWER_MS, () => settle(null));
  link.send({ to: 'to-head', channel }, () =>
    head.hear((life) => {
      const answer = put(life);
      link.send({ to: 'from-head', channel }, () => process.hear(() => settle(answer)));
    }),
  );
}
