// From answers of Prometheus to what Grafana's components draw: frames of fields with their names, units and
// colours, as the panel's JSON says.
import {
  type DataFrame, type Field, FieldType, getDisplayProcessor, type GrafanaTheme2,
} from '@grafana/data';

export type Series = {metric: Record<string, string>; value?: [number, string]; values?: Array<[number, string]>};
// By "panel/query": what the API gave.
export type Answers = Record<string, Series[]>;
export type Panel = {
  id: number; type: string; title: string; description: string; targets: any[]; transformations?: any[];
  gridPos: {x: number; y: number; w: number; h: number}; fieldConfig: {defaults: any; overrides: any[]}; options: any;
};

const usual = {
  drawStyle: 'line', lineInterpolation: 'linear', lineWidth: 1, fillOpacity: 0, showPoints: 'never', axisPlacement: 'auto',
  spanNulls: false, scaleDistribution: {type: 'linear'}, hideFrom: {legend: false, tooltip: false, viz: false},
  stacking: {mode: 'none', group: 'A'}, thresholdsStyle: {mode: 'off'}, gradientMode: 'none', axisColorMode: 'text',
};

function name(legend: string, labels: Record<string, string>, alone: string): string {
  const text = (legend ?? '').replace(/\{\{\s*([^}\s]+)\s*\}\}/g, (_, label) => labels[label] ?? '');
  return text || alone;
}

// Sets a.b.c of an object.
function put(into: any, path: string, value: unknown) {
  const keys = path.split('.');
  const last = keys.pop()!;
  for (const key of keys) into = into[key] ??= {};
  into[last] = value;
}

// The field's configuration: what the panel says of all, then of those with its name.
export function configure(field: Field, panel: Panel, index: number, theme: GrafanaTheme2): Field {
  const config: any = structuredClone(panel.fieldConfig.defaults);
  config.custom = {...usual, ...config.custom};
  for (const {matcher, properties} of panel.fieldConfig.overrides) {
    const named = matcher.id === 'byName' && matcher.options === field.name;
    const like = matcher.id === 'byRegexp' && new RegExp(matcher.options.replace(/^\/|\/$/g, '')).test(field.name);
    if (named || like) for (const {id, value} of properties) put(config, id, value);
  }
  for (const step of config.thresholds?.steps ?? []) step.value ??= -Infinity;
  const numbers = field.values.filter((v: any) => Number.isFinite(v)) as number[];
  const range = {min: config.min ?? Math.min(...numbers), max: config.max ?? Math.max(...numbers)};
  const out: Field = {...field, config, state: {seriesIndex: index, displayName: field.name, range: {...range, delta: range.max - range.min}}};
  out.display = getDisplayProcessor({field: out, theme});
  out.getLinks = () => [];
  return out;
}

export function frames(panel: Panel, answers: Answers, theme: GrafanaTheme2): DataFrame[] {
  if (panel.type === 'table') return table(panel, answers, theme);
  const out: DataFrame[] = [];
  for (const target of panel.targets) {
    for (const series of answers[`${panel.id}/${target.refId}`] ?? []) {
      const points = series.values ?? [];
      const title = name(target.legendFormat, series.metric, panel.title);
      const value: Field = {
        name: title, type: FieldType.number, config: {},
        values: points.map(([, text]) => (Number.isFinite(+text) ? +text : null)),
      };
      const time: Field = {name: 'Time', type: FieldType.time, config: {}, values: points.map(([at]) => at * 1000)};
      out.push({refId: target.refId, length: points.length, fields: [time, configure(value, panel, out.length, theme)]});
    }
  }
  return out;
}

// Rows by labels, a column for each query: what the transformations "merge" and "organize" make of it.
function table(panel: Panel, answers: Answers, theme: GrafanaTheme2): DataFrame[] {
  const rows = new Map<string, Record<string, any>>();
  for (const target of panel.targets) {
    const column = panel.targets.length > 1 ? `Value #${target.refId}` : 'Value';
    for (const series of answers[`${panel.id}/${target.refId}`] ?? []) {
      const key = JSON.stringify(series.metric);
      const row = rows.get(key) ?? {...series.metric};
      row[column] = series.value ? +series.value[1] : null;
      rows.set(key, row);
    }
  }
  const {excludeByName, renameByName, indexByName} = panel.transformations!.find((t) => t.id === 'organize').options;
  const columns = [...new Set([...rows.values()].flatMap(Object.keys))].filter((c) => !excludeByName[c]);
  columns.sort((a, b) => (indexByName[a] ?? 99) - (indexByName[b] ?? 99));
  const sorted = [...rows.values()];
  const by = panel.options.sortBy?.[0]?.displayName;
  const field = columns.find((c) => (renameByName[c] ?? c) === by);
  if (field) sorted.sort((a, b) => (b[field] ?? 0) - (a[field] ?? 0));
  const fields = columns.map((column, i) => {
    const number = column.startsWith('Value');
    const values = sorted.map((row) => row[column] ?? (number ? null : ''));
    return configure({name: renameByName[column] ?? column, type: number ? FieldType.number : FieldType.string, config: {}, values}, panel, i, theme);
  });
  return sorted.length ? [{name: panel.title, length: sorted.length, fields}] : [];
}
