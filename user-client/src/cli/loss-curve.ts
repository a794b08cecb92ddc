const BLOCKS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/** Beyond this every second point is dropped, so that a long run keeps its whole curve. */
const POINTS_MAX = 512;

/** The loss over the steps of a run, for as long as this process has watched it. */
export class LossCurve {
  #points: { readonly step: number; readonly loss: number }[] = [];

  /** Replaces points from this step on: a step may be reported twice or repeated by a restarted head. */
  add(step: number, loss: number): void {
    while ((this.#points.at(-1)?.step ?? -1) >= step) this.#points.pop();
    this.#points.push({ step, loss });
    if (this.#points.length > POINTS_MAX) this.#points = this.#points.filter((_, at) => at % 2 === 0);
  }

  /** At most `cells` wide; the highest block is the highest loss. '' before there are two points. */
  sparkline(cells: number): string {
    const losses = this.#points.map(({ loss }) => loss).filter(Number.isFinite);
    if (losses.length < 2) return '';
    const means = inCells(losses, Math.min(cells, losses.length));
    const [low, high] = [Math.min(...means), Math.max(...means)];
    const top = BLOCKS.length - 1;
    return means.map((mean) => BLOCKS[high > low ? Math.round(((mean - low) / (high - low)) * top) : 0]).join('');
  }
}

/** Means over `cells` parts of equal length. */
function inCells(values: readonly number[], cells: number): number[] {
  return Array.from({ length: cells }, (_, cell) => {
    const part = values.slice(
      Math.floor((cell * values.length) / cells),
      Math.floor(((cell + 1) * values.length) / cells),
    );
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
}
