export type { MadeBlock, OpenRun, ReturnedShard, ShardVerdict } from './calls.ts';
export { startTrainer, type Trainer, type TrainerListener, type TrainerOptions } from './trainer.ts';
