import { MusterError } from '../../errors.ts';
import type { ForecastPoint } from '../../protocol/status.ts';
import { formatDuration } from '../../quantities.ts';
import type { NodeFacts, TaskPlan } from '../task-type.ts';
import { chooseCut, fixedGrid, forecastMatrixMult, stripesMaxFor, type ChosenCut } from './forecast.ts';
import { productOf, type Product } from './grid.ts';
import type { MatrixMultSpec } from './spec.ts';
import { flopsPerMs, rowGroups, tilesOf, type Tile } from './tiles.ts';

/** Tiles by index: [row stripe from, row stripe to, column stripe). At most one per block of C, 16,384 in all. */
export interface MatrixMultLayout {
  readonly tiles: readonly Tile[];
}

/** Fewer nodes are advised only if they are predicted to take less than this share of the time. */
const ADVICE_RATIO = 0.9;

/**
 * Cuts C for the nodes in proportion to their measured speeds, then every node's rectangle into tiles. The homes are a
 * suggestion: any node of the plan can compute any tile.
 */
export function planMatrixMult(spec: MatrixMultSpec, nodes: readonly NodeFacts[]): TaskPlan {
  if (nodes.length === 0)
    throw new MusterError('NOT_ENOUGH_NODES', 'a product needs a node', { why: 'no node is ready' });
  const product = productOf(spec);
  const chosen = chooseCut(product, nodes);
  const forecast = forecastMatrixMult(spec, nodes);
  const { homes, tiles } = homesAndTiles(product, chosen, nodes);
  const layout: MatrixMultLayout = { tiles };
  const advice = adviceFor(product, { chosen, forecast, given: nodes.length });
  return { subtasks: tiles.length, batch: 1, homes, nodes: chosen.cut.length, forecast, advice, layout };
}

function homesAndTiles(
  product: Product,
  { cut }: ChosenCut,
  nodes: readonly NodeFacts[],
): { homes: number[]; tiles: Tile[] } {
  const stripesMax = stripesMaxFor(product, cut, nodes);
  const homes: number[] = [];
  const tiles: Tile[] = [];
  for (const part of cut) {
    const facts = nodes[part.node];
    if (facts === undefined) continue;
    const cutTiles = tilesOf(part, rowGroups(product, part, { speed: flopsPerMs(product, facts), stripesMax }));
    for (const tile of cutTiles) {
      tiles.push(tile);
      homes.push(part.node);
    }
  }
  return { homes, tiles };
}

interface Outcome {
  readonly chosen: ChosenCut;
  readonly forecast: readonly ForecastPoint[];
  /** Nodes that the planner was given. */
  readonly given: number;
}

/** Advice on the plan for the user; empty if there is none. */
function adviceFor(product: Product, outcome: Outcome): string {
  const sentences = [gridAdvice(product, outcome), idleAdvice(product, outcome), fewerAdvice(outcome)];
  return sentences.filter((sentence) => sentence !== '').join('; ');
}

function gridAdvice(product: Product, { given }: Outcome): string {
  const { grid } = product.spec;
  const fixed = fixedGrid(product, grid);
  if (fixed === null) return '';
  const needed = fixed.rows * fixed.columns;
  if (needed > given) return `grid ${grid} needs ${needed} nodes and ${given} are there: cut for ${given}`;
  const used = `${fixed.rows}x${fixed.columns}`;
  return used === grid ? '' : `grid ${grid} is finer than the product's stripes: cut ${used}`;
}

function idleAdvice(product: Product, { chosen, given }: Outcome): string {
  const used = chosen.cut.length;
  if (used === given) return '';
  const fixed = fixedGrid(product, product.spec.grid);
  if (fixed !== null && used === fixed.rows * fixed.columns) return `the grid uses ${used} of ${given} nodes`;
  return `without tiles: ${given - used} of ${given} nodes (too slow beside the others, or too few tiles to go round)`;
}

function fewerAdvice({ forecast, given }: Outcome): string {
  const all = forecast.at(-1);
  const best = forecast.toSorted((x, y) => x.ms - y.ms || x.nodes - y.nodes)[0];
  if (all === undefined || best === undefined || best.ms >= all.ms * ADVICE_RATIO) return '';
  const nodes = best.nodes === 1 ? '1 node' : `${best.nodes} nodes`;
  const times = `forecast ${formatDuration(best.ms)} on ${nodes}, ${formatDuration(all.ms)} on ${given}`;
  return `fewer nodes would be faster: ${times}: try --nodes ${best.nodes}`;
}
