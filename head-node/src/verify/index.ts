export type { OperandFiles, Tile, Verdict } from './calls.ts';
export { startVerifier, type Verifier, type VerifierOptions } from './verifier.ts';
