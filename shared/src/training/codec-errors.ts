import { MusterError } from '../errors.ts';

export const wrongPayload = (why: string): MusterError =>
  new MusterError('PROTOCOL', 'a compressed gradient is not valid', { why });

export const notFinite = (): MusterError =>
  new MusterError('BAD_DATA', 'the training diverged: a gradient is not finite', {
    why: 'it holds NaN, infinity or numbers near the end of float32',
    fix: 'set a lower learningRate, some warmupSteps or a clipNorm',
  });
