import {
  encodedBytes,
  isMusterError,
  keepsResidual,
  taskTypeNamed,
  type BlockId,
  type TaskPlan,
  type TrainLayout,
  type TrainSpec,
  type TrainWork,
} from '@muster/shared';
import { disagreement, type AuditPlan, type Returned } from './audit.ts';
import type { ReturnedShard } from './calls.ts';
import type { Recompute } from './recomputation.ts';
import { decodeShard, type ShardFile } from './shard-file.ts';

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
  /** Null when it cannot even be read. */
  readonly returned: Returned | null;
  readonly isFinite: boolean;
  /** Null when it was not computed again. */
  readonly auditMs: number | null;
}

const NOTHING = new Float32Array();

/** Judges what nodes return for the shards of one run. */
export class ShardCheck {
  readonly #spec: TrainSpec;
  readonly #ports: ShardCheckPorts;
  /** False where nodes may hold what compression left out of shards before the run was opened. */
  readonly #isFresh: boolean;

  constructor(spec: TrainSpec, isFresh: boolean, ports: ShardCheckPorts) {
    this.#spec = spec;
    this.#isFresh = isFresh;
    this.#ports = ports;
  }

  /** Rejects with BLOCK_MISSING when a file is not there. */
  async check(shard: ReturnedShard, inputs: CheckInputs): Promise<CheckedShard> {
    const { audits } = this.#ports;
    const read = this.#read(shard, inputs.into);
    const { returned, isFinite } = read;
    const isDue = returned !== null && audits.isDue(shard.node, isFinite);
    const audit = isDue ? await this.#audit(shard, returned, inputs.weights) : { why: read.why, auditMs: null };
    audits.seen(shard.node);
    if (audit.why !== '') audits.caught(shard.node);
    return { returned, isFinite, ...audit };
  }

  #read(shard: ReturnedShard, into: Float32Array | null): Omit<CheckedShard, 'auditMs'> {
    const { compression } = this.#spec.options;
    const samples = samplesOf(shard);
    try {
      const payloadBytes = into === null ? 0 : encodedBytes(compression, into.length);
      const result = this.#ports.shardFile.read(shard.path, { samples, payloadBytes });
      const isFinite = into === null ? Number.isFinite(result.loss) : decodeShard(result, compression, into);
      const { loss, correct } = result;
      return { why: '', isFinite, returned: { samples, loss, correct, vector: into ?? NOTHING } };
    } catch (error) {
      if (!isMusterError(error) || error.code === 'BLOCK_MISSING') throw error;
      return { why: `${error.message}: ${error.why}`, isFinite: false, returned: null };
    }
  }

  async #audit(
    shard: ReturnedShard,
    returned: Returned,
    weights: Float32Array,
  ): Promise<{ why: string; auditMs: number }> {
    const startedMs = performance.now();
    const { options } = this.#spec;
    const expected = await this.#ports.recompute(workOf(this.#spec, shard), weights);
    const isExact = this.#isFresh && this.#ports.audits.isFirstOf(shard.node);
    const why = disagreement(returned, expected, {
      codec: options.compression,
      mayCarryResidual: keepsResidual(options) && !isExact,
      local: options.localSteps > 1,
    });
    return { why, auditMs: performance.now() - startedMs };
  }
}

const noBlock = (): BlockId => '' as BlockId;

/** What the node was asked for. */
function workOf(spec: TrainSpec, { layout, index }: ReturnedShard): TrainWork {
  return taskTypeNamed('train').work(spec, planOf(layout), { indices: [index], blocks: noBlock }) as TrainWork;
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
