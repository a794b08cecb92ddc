export { findRabbitServer } from './find-rabbitmq.ts';
export { RabbitNode, type RabbitNodeOptions } from './rabbit-node.ts';
