// The kinds of panels. Lines and numbers are Grafana's own components; tables, bands of states and spreads of
// durations are drawn here as simply as possible.
import {
  type DataFrame, dateTime, type Field, FieldType, formattedValueToString, type GrafanaTheme2, outerJoinDataFrames,
} from '@grafana/data';
import {BigValue, BigValueColorMode, BigValueGraphMode, TimeSeries, TooltipDisplayMode} from '@grafana/ui';
import {type Panel} from './frames';

type Props = {panel: Panel; data: DataFrame[]; width: number; height: number; theme: GrafanaTheme2};

export function Body(props: Props) {
  const {panel, data, height, theme} = props;
  const drawn = panel.type === 'table' ? data.length > 0 : data.some((frame) => frame.fields.some((f) => f.type === FieldType.number && f.values.some((v) => v !== null)));
  if (!drawn && panel.type !== 'stat') {
    return (
      <div style={{height, display: 'grid', placeItems: 'center', color: theme.colors.text.secondary}}>
        {panel.fieldConfig.defaults.noValue}
      </div>
    );
  }
  switch (panel.type) {
    case 'timeseries': return <Lines {...props} />;
    case 'stat': return <Numbers {...props} />;
    case 'table': return <Rows {...props} />;
    case 'state-timeline': return <Bands {...props} />;
    default: return <Spread {...props} />;
  }
}

function Lines({panel, data, width, height}: Props) {
  const times = data.flatMap((frame) => frame.fields[0].values as number[]);
  const {legend} = panel.options;
  const range = {from: dateTime(Math.min(...times)), to: dateTime(Math.max(...times))};
  return (
    <TimeSeries
      frames={data} width={width} height={height} timeZone="utc" structureRev={1}
      timeRange={{...range, raw: range}}
      legend={{...legend, showLegend: true}} options={{tooltip: {mode: TooltipDisplayMode.Multi}} as any}
    />
  );
}

function Numbers({panel, data, width, height, theme}: Props) {
  const all = data.length ? data : [undefined];
  return (
    <div style={{display: 'flex', height}}>
      {all.map((frame, i) => {
        const field = frame?.fields[1];
        const last = field?.values.filter((v) => v !== null).at(-1);
        const empty = {text: panel.fieldConfig.defaults.noValue, numeric: NaN, color: theme.colors.text.primary};
        const value = field && last !== undefined ? {...field.display!(last), title: all.length > 1 ? field.name : undefined} : empty;
        const line = frame && last !== undefined ? {y: field, x: frame.fields[0]} : undefined;
        return (
          <BigValue
            key={i} value={value} width={width / all.length} height={height} theme={theme} sparkline={line as any}
            colorMode={BigValueColorMode.Value} graphMode={BigValueGraphMode.Area}
          />
        );
      })}
    </div>
  );
}

function Rows({data, height, theme}: Props) {
  const {fields, length} = data[0];
  const cell = {padding: '6px 10px', textAlign: 'left', whiteSpace: 'nowrap', borderBottom: `1px solid ${theme.colors.border.weak}`} as const;
  const drawn = (field: Field, i: number) => {
    const value = field.values[i];
    if (value === null) return '';
    const shown = field.display!(value);
    const kind = (field.config.custom as any)?.cellOptions?.type;
    const text = formattedValueToString(shown);
    if (kind !== 'gauge') return <span style={{color: kind === 'color-text' ? shown.color : undefined}}>{text}</span>;
    const bar = {background: shown.color, width: `${Math.min(1, Math.max(0, value)) * 70}%`, height: 12, display: 'inline-block', marginRight: 8};
    return <><span style={bar} />{text}</>;
  };
  return (
    <div style={{height, overflow: 'hidden'}}>
      <table style={{width: '100%', fontSize: 13, borderCollapse: 'collapse'}}>
        <thead><tr>{fields.map((f) => <th key={f.name} style={{...cell, color: theme.colors.text.link}}>{f.name}</th>)}</tr></thead>
        <tbody>{Array.from({length}, (_, i) => <tr key={i}>{fields.map((f) => <td key={f.name} style={cell}>{drawn(f, i)}</td>)}</tr>)}</tbody>
      </table>
    </div>
  );
}

function Bands({data, width, height}: Props) {
  const [label, row] = [220, Math.min(28, height / data.length)];
  const times = data.flatMap((frame) => frame.fields[0].values as number[]);
  const [from, to] = [Math.min(...times), Math.max(...times)];
  const x = (at: number) => label + ((at - from) / (to - from || 1)) * (width - label);
  const step = (to - from) / Math.max(1, ...data.map((f) => f.length - 1));
  return (
    <svg width={width} height={height}>
      {data.map((frame, i) => [
        <text key={`t${i}`} x={label - 8} y={i * row + row / 2 + 4} fill="#ccccdc" fontSize={11} textAnchor="end">{frame.fields[1].name.slice(0, 36)}</text>,
        ...frame.fields[1].values.map((value, j) => (
          <rect
            key={`${i}/${j}`} x={x(frame.fields[0].values[j])} y={i * row + 2} height={row - 4} width={((width - label) * step) / (to - from || 1) + 1}
            fill={value === null ? 'none' : frame.fields[1].display!(value).color}
          />
        )),
      ])}
    </svg>
  );
}

function Spread({data, width, height, panel}: Props) {
  // buckets count what is below them as well
  const sorted = [...data].sort((a, b) => +a.fields[1].name - +b.fields[1].name).filter((f) => f.fields[1].name !== '+Inf');
  const joined = outerJoinDataFrames({frames: sorted})!;
  const [times, ...buckets] = joined.fields as Field[];
  const cells = buckets.map((b, i) => b.values.map((v, t) => Math.max(0, (v ?? 0) - (i ? buckets[i - 1].values[t] ?? 0 : 0))));
  const most = Math.max(1e-9, ...cells.flat());
  const [left, w, h] = [52, (width - 52) / times.values.length, height / cells.length];
  const unit = panel.options.yAxis?.unit ?? 's';
  return (
    <svg width={width} height={height}>
      {cells.map((row, i) => row.map((v, t) => (
        <rect key={`${i}/${t}`} x={left + t * w} y={height - (i + 1) * h} width={w - 1} height={h - 1} fill="#5794f2" opacity={v ? 0.15 + 0.85 * Math.sqrt(v / most) : 0.03} />
      )))}
      {sorted.map((f, i) => i % Math.ceil(sorted.length / 8) === 0 && (
        <text key={i} x={left - 6} y={height - (i + 0.3) * h} fontSize={11} fill="#ccccdc" textAnchor="end">{f.fields[1].name} {unit}</text>
      ))}
    </svg>
  );
}

