export { type Compute } from './compute.ts';
export { type ComputeOptions } from './compute-options.ts';
export { type Done, type Job } from './compute-protocol.ts';
export { startCompute } from './start-compute.ts';
