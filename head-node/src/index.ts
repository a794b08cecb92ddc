export { startHeadNode, type HeadNode } from './head-node.ts';
export { resolveHeadNodeOptions, type HeadNodeOptions, type ResolvedHeadNodeOptions } from './options.ts';
