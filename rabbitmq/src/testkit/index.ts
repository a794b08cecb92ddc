export { hasOpenssl, makeCertificates, type Certificate, type Certificates } from './certificates.ts';
export { findRabbitServer } from './find-rabbitmq.ts';
export { type MemoryBackboneOptions } from './memory-backbone.ts';
export { MemoryBroker } from './memory-broker.ts';
export { RabbitNode, type RabbitNodeOptions } from './rabbit-node.ts';
