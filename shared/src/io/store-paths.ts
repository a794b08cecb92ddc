/**
 * On-disk layout of a store, known to every peer that shares it: complete blocks under their ids, and `incoming`, where files are written
 * before they are renamed into place, so that no reader sees half of one.
 */
import { join } from 'node:path';
import type { BlockId } from '../ids.ts';

/** 256 folders, so that none grows to a size that slows its file system. */
export const blockPath = (directory: string, id: BlockId): string => join(directory, 'blocks', id.slice(0, 2), id);

export const incomingPath = (directory: string, name: string): string => join(directory, 'incoming', name);
