import { ensureBuilt } from './ensure-built.mjs';

ensureBuilt();
// In this process: what it starts must be stopped when it is interrupted.
await import('../benchmarks/dist/main.js');
