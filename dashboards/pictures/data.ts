// What Prometheus answered as Grafana's data frames; must not know how they are drawn.
import {
  createDataFrame, createTheme, dateTime, FieldColorModeId, FieldType, getDisplayProcessor, getFieldDisplayName, standardTransformers,
  standardTransformersRegistry, ThresholdsMode, transformDataFrame, type DataFrame, type FieldConfig, type TimeRange,
} from '@grafana/data';
import { firstValueFrom } from 'rxjs';

export interface Series {
  refId: string;
  name: string;
  labels: Record<string, string>;
  times: number[];
  values: string[];
}
export interface Point { seconds: number; value: number }
export interface Line { time: string; severity: string; text: string }
export interface Panel {
  id: number;
  type: string;
  title: string;
  description?: string;
  gridPos: { x: number; y: number; w: number; h: number };
  fieldConfig: { defaults: FieldConfig; overrides: Array<{ matcher: { options: string }; properties: Array<{ value: number }> }> };
  options: any;
  transformations?: Array<{ id: string; options: any }>;
  links?: unknown[];
  series: Series[];
  exemplars: Point[];
  records: Line[];
}
export interface Board {
  title: string;
  description: string;
  variables: string[];
  range: { from: number; to: number };
  interval: number;
  panels: Panel[];
}

export const theme = createTheme({ colors: { mode: 'dark' } });
const TRANSFORMATIONS = ['mergeTransformer', 'organizeFieldsTransformer'] as const;
standardTransformersRegistry.setInit(() =>
  TRANSFORMATIONS.map((name) => {
    const transformation = standardTransformers[name] as any;
    return { id: transformation.id, name, transformation: async () => transformation, editor: null } as any;
  })
);

// What Grafana fills in where a board says nothing: the defaults of the panels' plugins, which are not on npm.
const THRESHOLDS = {
  mode: ThresholdsMode.Absolute,
  steps: [{ value: -Infinity, color: 'green' }, { value: 80, color: 'red' }],
};
const LINES = {
  drawStyle: 'line', lineInterpolation: 'linear', pointSize: 5, axisPlacement: 'auto', axisLabel: '',
  gradientMode: 'none', barAlignment: 0, scaleDistribution: { type: 'linear' }, axisGridShow: true,
  stacking: { mode: 'none', group: 'A' }, thresholdsStyle: { mode: 'off' }, hideFrom: {},
};

export function timeRange(board: Board): TimeRange {
  const [from, to] = [dateTime(board.range.from * 1000), dateTime(board.range.to * 1000)];
  return { from, to, raw: { from, to } };
}

export function config(panel: Panel): FieldConfig {
  const { defaults } = panel.fieldConfig;
  const given = defaults.thresholds ?? THRESHOLDS;
  const steps = given.steps.map((step) => ({ ...step, value: step.value ?? -Infinity }));
  const isLines = panel.type === 'timeseries';
  return {
    color: { mode: isLines ? FieldColorModeId.PaletteClassic : FieldColorModeId.Thresholds },
    ...defaults,
    thresholds: { ...given, steps },
    custom: isLines ? { ...LINES, ...defaults.custom } : defaults.custom,
  };
}

function dressed(panel: Panel, frames: DataFrame[]): DataFrame[] {
  let index = 0;
  for (const frame of frames) {
    for (const field of frame.fields) {
      const isNumber = field.type === FieldType.number;
      const { unit, ...rest } = config(panel);
      field.config = { ...rest, ...(isNumber ? { unit } : {}), ...field.config };
      if (isNumber) {
        field.state = { ...field.state, seriesIndex: index++ };
      }
      // Ours are all of one kind: the width of a column, by its name.
      const width = panel.fieldConfig.overrides.find((one) => one.matcher.options === getFieldDisplayName(field))?.properties[0].value;
      field.config.custom = { ...field.config.custom, ...(width ? { width } : {}) };
      field.display = getDisplayProcessor({ field, theme, timeZone: 'utc' });
    }
  }
  return frames;
}

// As Grafana's panel does before it draws.
const finite = (value: string): number | null => (Number.isFinite(Number(value)) ? Number(value) : null);

// A frame for each series; where a step has no sample, the line has a gap.
export function lines(panel: Panel, board: Board): DataFrame[] {
  const { from, to } = board.range;
  const steps = Array.from({ length: Math.round((to - from) / board.interval) + 1 }, (_, i) => from + i * board.interval);
  return dressed(panel, panel.series.map((one) => {
    const known = new Map(one.times.map((time, i) => [Math.round(time * 1000), finite(one.values[i])]));
    const values = steps.map((step) => known.get(Math.round(step * 1000)) ?? null);
    return createDataFrame({
      refId: one.refId,
      fields: [
        { name: 'Time', type: FieldType.time, values: steps.map((step) => step * 1000), config: { interval: board.interval * 1000 } },
        { name: 'Value', type: FieldType.number, labels: one.labels, values, config: { displayNameFromDS: one.name } },
      ],
    });
  }));
}

// A frame for each query: a column for each label, and one for the value.
export async function tables(panel: Panel): Promise<DataFrame[]> {
  const queries = [...new Set(panel.series.map((one) => one.refId))];
  const frames = queries.map((refId) => {
    const rows = panel.series.filter((one) => one.refId === refId);
    const labels = [...new Set(rows.flatMap((one) => Object.keys(one.labels)))].sort();
    return createDataFrame({
      refId,
      fields: [
        { name: 'Time', type: FieldType.time, values: rows.map((one) => one.times[0] * 1000) },
        ...labels.map((label) => ({ name: label, type: FieldType.string, values: rows.map((one) => one.labels[label] ?? '') })),
        {
          name: queries.length > 1 || panel.transformations?.some((one) => one.id === 'merge') ? `Value #${refId}` : 'Value',
          type: FieldType.number,
          values: rows.map((one) => Number(one.values[0])),
        },
      ],
    });
  });
  const done = await firstValueFrom(transformDataFrame(panel.transformations ?? [], frames));
  return dressed(panel, done);
}
