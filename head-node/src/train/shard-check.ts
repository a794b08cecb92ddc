import {
  encodedBytes,
  isMusterError,
  keepsResidual,
  taskTypeNamed,
  type BlockId,
  type ProviderId,
  type TaskPlan,
  type TrainLayout,
  type TrainSpec,
  type TrainWork,
} from '@muster/shared';
import { disagreement, GAPS_MAX, type AuditPlan, type Returned } from './audit.ts';
import type { ReturnedShard } from './calls.ts';
import type { Recompute } from './recomputation.ts';
import { NO_LEFTOVERS, SentShards, sentShard, type Leftovers } from './sent-shards.ts';
import { decodeShard, type Expected, type ShardFile } from './shard-file.ts';

export interface ShardCheckPorts {
  readonly audits: AuditPlan;
  readonly recompute: Recompute;
  readonly shardFile: ShardFile;
}

export interface CheckInputs {
  /** Of the round. */
  readonly weights: Float32Array;
  /** What the shard's vector is decoded into; null for an evaluation. */
  readonly into: Float32Array | null;
}

export interface CheckedShard {
  /** What is wrong with it; '' when nothing is. */
  readonly why: string;
  /** Null when it cannot be read. */
  readonly returned: Returned | null;
  readonly isFinite: boolean;
  /** Was it computed again? */
  readonly isAudited: boolean;
}

const NOTHING = new Float32Array();

/** Judges what nodes return for the shards of one run. */
export class ShardCheck {
  readonly #spec: TrainSpec;
  readonly #ports: ShardCheckPorts;
  readonly #sent = new SentShards();

  constructor(spec: TrainSpec, ports: ShardCheckPorts) {
    this.#spec = spec;
    this.#ports = ports;
  }

  /** The shard numbers that nodes are told when a round begins; null without top-k. */
  beginRound(): Record<ProviderId, number> | null {
    return typeof this.#spec.options.compression === 'object' ? this.#sent.beginRound() : null;
  }

  /** Rejects with BLOCK_MISSING when a file is not there. */
  async check(shard: ReturnedShard, inputs: CheckInputs): Promise<CheckedShard> {
    const { audits } = this.#ports;
    const { why, returned, isFinite } = this.#read(shard, inputs.into);
    const judged = returned ? await this.#judge(shard, { returned, isFinite }, inputs.weights) : unseen(why);
    if (returned?.sent) this.#sent.add(shard.node, returned.sent);
    // Not for evaluations: a node that is honest about those may lie in its first gradient.
    if (inputs.into !== null) audits.seen(shard.node);
    if (judged.why !== '') audits.caught(shard.node);
    return { returned, isFinite, ...judged };
  }

  #read(shard: ReturnedShard, into: Float32Array | null): ReadShard {
    const { compression } = this.#spec.options;
    const samples = samplesOf(shard);
    try {
      const result = this.#ports.shardFile.read(shard.path, { samples, ...this.#expected(into) });
      const isFinite = into === null ? Number.isFinite(result.loss) : decodeShard(result, compression, into);
      const { loss, correct } = result;
      const isSparse = into !== null && isFinite && typeof compression === 'object';
      const sent = isSparse ? sentShard(result) : null;
      return { why: '', isFinite, returned: { samples, loss, correct, vector: into ?? NOTHING, sent } };
    } catch (error) {
      if (!isMusterError(error) || error.code === 'BLOCK_MISSING') throw error;
      return { why: `${error.message}: ${error.why}`, isFinite: false, returned: null };
    }
  }

  #expected(into: Float32Array | null): Pick<Expected, 'payloadBytes' | 'mayCarry'> {
    const { options } = this.#spec;
    if (into === null) return { payloadBytes: 0, mayCarry: false };
    return { payloadBytes: encodedBytes(options.compression, into.length), mayCarry: keepsResidual(options) };
  }

  async #judge(shard: ReturnedShard, { returned, isFinite }: Readable, weights: Float32Array): Promise<Judged> {
    const { audits } = this.#ports;
    const { node } = shard;
    const { sent } = returned;
    const before = sent === null ? NO_LEFTOVERS : this.#sent.leftoversFor(node, sent);
    const isDue = audits.isDue(node, isFinite);
    if (before === null && !this.#sent.mayFollow(node)) return unseen(FOLLOWS_NONE);
    if (before === null && audits.evades(node, isDue)) return unseen(EVASION);
    const makesUp = sent !== null && before !== null && audits.makesUp(node);
    return isDue || makesUp ? this.#audit(shard, returned, { weights, before }) : unseen('');
  }

  async #audit(shard: ReturnedShard, returned: Returned, { weights, before }: Grounds): Promise<Judged> {
    const { compression: codec, localSteps } = this.#spec.options;
    const expected = await this.#ports.recompute(workOf(this.#spec, shard), weights);
    const why = disagreement(returned, expected, { codec, before, local: localSteps > 1 });
    return { why, isAudited: true };
  }
}

type ReadShard = Omit<CheckedShard, 'isAudited'>;
type Judged = Pick<CheckedShard, 'why' | 'isAudited'>;

interface Readable {
  readonly returned: Returned;
  readonly isFinite: boolean;
}

interface Grounds {
  readonly weights: Float32Array;
  readonly before: Leftovers | null;
}

/** A judgement without computing the shard again. */
const unseen = (why: string): Judged => ({ why, isAudited: false });

const EVASION = `it follows a shard that did not come, and so did more than ${GAPS_MAX} in a row, or the node was found wrong`;
const FOLLOWS_NONE = 'it follows a shard that did not come, of a node that was told to begin anew';

const noBlock = (): BlockId => '' as BlockId;

/** What the node was asked for. */
function workOf(spec: TrainSpec, { layout, index, node }: ReturnedShard): TrainWork {
  return taskTypeNamed('train').work(spec, planOf(layout), { indices: [index], blocks: noBlock, node }) as TrainWork;
}

const planOf = (layout: TrainLayout): TaskPlan => ({
  subtasks: layout.shards.length,
  batch: 1,
  homes: [],
  nodes: 0,
  forecast: [],
  advice: '',
  layout,
});

export function samplesOf({ layout, index }: Pick<ReturnedShard, 'layout' | 'index'>): number {
  const [from, to] = layout.shards[index] ?? [0, 0];
  return to - from;
}
