export type { MadeBlock, OpenRun, ReadyRound, ReturnedShard, ShardVerdict } from './calls.ts';
export { startTrainer, type Trainer, type TrainerListener, type TrainerOptions } from './trainer.ts';
