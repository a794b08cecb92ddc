/** Grouped bars as an SVG that is legible on light and on dark pages: no background, middle tones only. */

export interface BarSeries {
  readonly name: string;
  /** One value per group; null leaves a gap. */
  readonly values: readonly (number | null)[];
}

export interface BarChart {
  readonly title: string;
  readonly subtitle: string;
  readonly valueAxis: string;
  readonly groups: readonly string[];
  readonly series: readonly BarSeries[];
  /** A dashed line across the chart at a value of special meaning. */
  readonly reference?: { readonly value: number; readonly name: string };
  readonly format: (value: number) => string;
}

const WIDTH = 760;
const HEIGHT = 380;
/** The plotted area, px. */
const AREA = { left: 72, right: WIDTH - 16, top: 96, bottom: HEIGHT - 40 } as const;
const TEXT = '#7a828e';
const GRID = '#7a828e40';
/** In pairs: related series share a hue. */
const COLORS = ['#8fb3e8', '#3f7fd9', '#f0b072', '#db7413', '#8cc9a1', '#2f9e5b'] as const;
/** Share of a group's width that is left free between groups. */
const GAP = 0.24;

export function barChart(chart: BarChart): string {
  const ticks = ticksUpTo(highest(chart));
  const scale = scaleTo(ticks.at(-1) ?? 1);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img"`,
    `  font-family="system-ui, -apple-system, 'Segoe UI', sans-serif" font-size="12" fill="${TEXT}">`,
    `<title>${escaped(chart.title)}</title>`,
    `<desc>${escaped(description(chart))}</desc>`,
    ...heading(chart),
    ...legend(chart.series),
    ...valueAxis(chart, { ticks, scale }),
    ...chart.groups.flatMap((_, group) => bars(chart, { group, scale })),
    ...reference(chart, scale),
    '</svg>',
    '',
  ].join('\n');
}

type Scale = (value: number) => number;

const scaleTo =
  (top: number): Scale =>
  (value) =>
    AREA.bottom - (value / top) * (AREA.bottom - AREA.top);

function highest({ series, reference: line }: BarChart): number {
  return Math.max(line?.value ?? 0, ...series.flatMap(({ values }) => values.map((value) => value ?? 0)));
}

/** 0, step, 2 step, ... past the highest value; steps are 1, 2 or 5 times a power of ten. */
export function ticksUpTo(highestValue: number): number[] {
  const top = highestValue > 0 ? highestValue : 1;
  const rough = top / 5;
  const magnitude = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5].find((factor) => factor * magnitude >= rough) ?? 10) * magnitude;
  const count = Math.floor(top / step) + 1;
  return Array.from({ length: count + 1 }, (_, at) => Number((at * step).toPrecision(6)));
}

const heading = ({ title, subtitle }: BarChart): string[] => [
  text({ x: 16, y: 26, size: 16, weight: 600 }, title),
  text({ x: 16, y: 46 }, subtitle),
];

function legend(series: readonly BarSeries[]): string[] {
  let x = 16;
  return series.flatMap(({ name }, at) => {
    const left = x;
    x += 30 + name.length * 6.6;
    return [rectangle({ x: left, y: 62, width: 12, height: 12 }, colorOf(at)), text({ x: left + 17, y: 72.5 }, name)];
  });
}

function valueAxis(
  { valueAxis: name, format }: BarChart,
  { ticks, scale }: { ticks: readonly number[]; scale: Scale },
): string[] {
  const lines = ticks.flatMap((tick) => [
    `<path d="M${AREA.left} ${px(scale(tick))}H${AREA.right}" stroke="${GRID}" fill="none"/>`,
    text({ x: AREA.left - 8, y: scale(tick) + 4, anchor: 'end' }, format(tick)),
  ]);
  const middle = px((AREA.top + AREA.bottom) / 2);
  return [
    ...lines,
    `<text transform="translate(22 ${middle}) rotate(-90)" text-anchor="middle">${escaped(name)}</text>`,
  ];
}

function bars(chart: BarChart, { group, scale }: { group: number; scale: Scale }): string[] {
  const { groups, series, format } = chart;
  const span = (AREA.right - AREA.left) / groups.length;
  const width = (span * (1 - GAP)) / series.length;
  const left = AREA.left + span * (group + GAP / 2);
  const drawn = series.flatMap(({ values }, at) => {
    const value = values[group] ?? null;
    if (value === null) return [];
    const [x, y] = [left + at * width, scale(value)];
    const bar = rectangle({ x: x + 1, y, width: width - 2, height: AREA.bottom - y }, colorOf(at));
    return [bar, text({ x: x + width / 2, y: y - 5, anchor: 'middle', size: 11 }, format(value))];
  });
  return [
    ...drawn,
    text({ x: left + (span * (1 - GAP)) / 2, y: AREA.bottom + 22, anchor: 'middle' }, groups[group] ?? ''),
  ];
}

function reference({ reference: line }: BarChart, scale: Scale): string[] {
  if (line === undefined) return [];
  const y = scale(line.value);
  return [
    `<path d="M${AREA.left} ${px(y)}H${AREA.right}" stroke="${TEXT}" stroke-dasharray="5 4" fill="none"/>`,
    text({ x: AREA.left + 4, y: y - 5, size: 11 }, line.name),
  ];
}

/** The figures as text, for readers who cannot see the bars. */
function description({ groups, series, format }: BarChart): string {
  const said = groups.map((group, at) => {
    const values = series.map(
      ({ name, values: all }) => `${name} ${all[at] == null ? 'not measured' : format(all[at])}`,
    );
    return `${group}: ${values.join(', ')}`;
  });
  return said.join('; ');
}

interface TextPlace {
  readonly x: number;
  readonly y: number;
  readonly anchor?: 'middle' | 'end';
  readonly size?: number;
  readonly weight?: number;
}

function text({ x, y, anchor, size, weight }: TextPlace, content: string): string {
  const attributes = [
    ...(anchor === undefined ? [] : [` text-anchor="${anchor}"`]),
    ...(size === undefined ? [] : [` font-size="${size}"`]),
    ...(weight === undefined ? [] : [` font-weight="${weight}"`]),
  ];
  return `<text x="${px(x)}" y="${px(y)}"${attributes.join('')}>${escaped(content)}</text>`;
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const rectangle = ({ x, y, width, height }: Box, color: string): string =>
  `<rect x="${px(x)}" y="${px(y)}" width="${px(width)}" height="${px(height)}" rx="1.5" fill="${color}"/>`;

const colorOf = (series: number): string => COLORS[series % COLORS.length] ?? TEXT;

/** Rounded to a tenth of a pixel, so that invisible differences do not change the file. */
const px = (length: number): string => String(Math.round(length * 10) / 10);

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escaped = (content: string): string =>
  content.replaceAll(/[&<>"]/g, (character) => ENTITIES[character] ?? character);
