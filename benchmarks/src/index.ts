export { multiplyInProcess, OnnxProduct, type InProcessProduct } from './baselines/onnx-product.ts';
export { median, medianBy, percentile } from './stats.ts';
