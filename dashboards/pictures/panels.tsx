// Panels: those of Grafana's UI library, and, plainly said to be that, approximations of those that it does not have.
import { getFieldDisplayName, getFieldDisplayValues, sortDataFrame, type DataFrame } from '@grafana/data';
import { BigValue, TimeSeries, VizRepeater, type UPlotConfigBuilder } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { useLayoutEffect } from 'react';
import { config, lines, theme, timeRange, type Board, type Panel } from './data';

export interface Size { width: number; height: number }
export interface Drawn extends Size { panel: Panel; board: Board; frames: DataFrame[] }

export function Empty({ panel, width, height }: Drawn) {
  return (
    <div style={{ width, height, display: 'grid', placeItems: 'center', color: theme.colors.text.secondary }}>
      {panel.fieldConfig.defaults.noValue ?? 'No data'}
    </div>
  );
}

// Exemplars, which Grafana's panel draws with a plugin of its own.
function Exemplars({ panel, builder }: { panel: Panel; builder: UPlotConfigBuilder }) {
  useLayoutEffect(() => {
    builder.addHook('draw', (plot: any) => {
      const { ctx, bbox } = plot;
      const { scale } = plot.series[1];
      const half = 3 * devicePixelRatio;
      ctx.save();
      ctx.fillStyle = theme.visualization.getColorByName('blue');
      for (const { seconds, value } of panel.exemplars) {
        const x = plot.valToPos(seconds * 1000, 'x', true);
        const y = Math.max(plot.valToPos(value, scale, true), bbox.top);
        if (x >= bbox.left && x <= bbox.left + bbox.width) {
          ctx.beginPath();
          [[0, -half], [half, 0], [0, half], [-half, 0]].forEach(([dx, dy]) => ctx.lineTo(x + dx, y + dy));
          ctx.fill();
        }
      }
      ctx.restore();
    });
  }, [builder]);
  return null;
}

function Lines(drawn: Drawn) {
  const { panel, board, width, height } = drawn;
  const frames = lines(panel, board);
  return (
    <TimeSeries frames={frames} width={width} height={height} timeRange={timeRange(board)} timeZone="utc"
      legend={panel.options.legend}>
      {(builder) => <Exemplars panel={panel} builder={builder} />}
    </TimeSeries>
  );
}

function Stat({ panel, board, width, height }: Drawn) {
  const getValues = () =>
    getFieldDisplayValues({
      data: lines(panel, { ...board, range: { from: board.range.to, to: board.range.to } }),
      fieldConfig: { defaults: config(panel), overrides: [] },
      reduceOptions: panel.options.reduceOptions,
      replaceVariables: (text) => text,
      theme, timeZone: 'utc',
    });
  return (
    <VizRepeater getValues={getValues} source={panel} width={width} height={height} renderCounter={0}
      orientation={panel.options.orientation}
      renderValue={({ value, width, height, count }) => (
        <BigValue value={value.display} width={width} height={height} count={count} theme={theme}
          colorMode={panel.options.colorMode} graphMode={panel.options.graphMode} justifyMode={panel.options.justifyMode}
          textMode={panel.options.textMode} />
      )}
    />
  );
}

function Rows({ panel, frames, width, height }: Drawn) {
  const [frame] = frames;
  const { displayName, desc } = panel.options.sortBy[0];
  const index = frame.fields.findIndex((field) => getFieldDisplayName(field, frame) === displayName);
  const sorted = index < 0 ? frame : sortDataFrame(frame, index, desc);
  return (
    <TableNG data={sorted} width={width} height={height} cellHeight={panel.options.cellHeight}
      noHeader={!panel.options.showHeader} enableVirtualization={false} noValue={panel.fieldConfig.defaults.noValue} />
  );
}

function Note({ children }: { children: string }) {
  return (
    <div style={{ position: 'absolute', right: 8, bottom: 4, fontSize: 11, color: theme.colors.text.disabled }}>
      {children}
    </div>
  );
}

const column = (frame: DataFrame, name: string): any[] => frame.fields.find((field) => field.name === name)?.values ?? [];

// Ids in the order in which a walk along the edges comes to them, so that neighbours stand side by side.
function walked(ids: string[], sources: string[], targets: string[]): string[] {
  const found = new Set<string>();
  const walk = (id: string) => {
    if (!found.has(id)) {
      found.add(id);
      targets.filter((_, i) => sources[i] === id).sort().forEach(walk);
    }
  };
  [...ids.filter((id) => !targets.includes(id)).sort(), ...ids].forEach(walk);
  return [...found];
}

// A graph on a circle; in Grafana it is laid out by forces, and can be moved.
function Graph({ frames, width, height }: Drawn) {
  const nodes = frames.find((frame) => frame.refId === 'nodes')!;
  const edges = frames.find((frame) => frame.refId === 'edges')!;
  const ids: string[] = column(nodes, 'id');
  const [sources, targets] = [column(edges, 'source'), column(edges, 'target')];
  const order = walked(ids, sources, targets);
  const [taken, given] = [column(nodes, 'mainstat'), column(edges, 'mainstat')];
  const at = (id: string) => {
    const angle = (order.indexOf(id) / ids.length) * 2 * Math.PI - Math.PI / 2;
    return [width / 2 + Math.cos(angle) * (width / 2 - 60), height / 2 + Math.sin(angle) * (height / 2 - 42)];
  };
  return (
    <svg width={width} height={height} fill={theme.colors.text.primary} fontSize={12} textAnchor="middle">
      <marker id="tip" viewBox="0 0 8 8" refX={7} refY={4} markerWidth={7} markerHeight={7} orient="auto">
        <path d="M0,0 L8,4 L0,8 Z" fill={theme.colors.text.secondary} />
      </marker>
      {sources.map((source, i) => {
        const [[x1, y1], [x2, y2]] = [at(source), at(targets[i])];
        const [dx, dy, far] = [x2 - x1, y2 - y1, Math.hypot(x2 - x1, y2 - y1)];
        // Bent to one side, so that there and back are two lines.
        const [mx, my] = [(x1 + x2) / 2 - (dy / far) * 18, (y1 + y2) / 2 + (dx / far) * 18];
        const cut = 26 / far;
        return (
          <g key={i}>
            <path d={`M${x1 + dx * cut},${y1 + dy * cut} Q${mx},${my} ${x2 - dx * cut},${y2 - dy * cut}`}
              fill="none" stroke={theme.colors.text.secondary} markerEnd="url(#tip)" />
            <text x={(x1 + x2) / 4 + mx / 2} y={(y1 + y2) / 4 + my / 2 + 4} paintOrder="stroke" strokeWidth={4}
              stroke={theme.colors.background.primary}>{given[i]}</text>
          </g>
        );
      })}
      {ids.map((id, i) => {
        const [x, y] = at(id);
        return (
          <g key={id}>
            <circle cx={x} cy={y} r={18} fill={theme.colors.background.secondary} strokeWidth={2}
              stroke={theme.visualization.getColorByName('green')} />
            <text x={x} y={y + 4}>{taken[i]}</text>
            <text x={x} y={y < height / 2 ? y - 25 : y + 34}>{column(nodes, 'title')[i]}</text>
          </g>
        );
      })}
    </svg>
  );
}

const SEVERITIES: Record<string, string> = { ERROR: 'red', WARN: 'orange', INFO: 'green' };

function Logs({ panel, width, height }: Drawn) {
  return (
    <div style={{ width, height, overflow: 'hidden', fontFamily: theme.typography.fontFamilyMonospace, fontSize: 12 }}>
      {panel.records.map((record, i) => (
        <div key={i} style={{ display: 'flex', gap: 8, lineHeight: '20px', whiteSpace: 'nowrap' }}>
          <span style={{ width: 3, flex: 'none', background: theme.visualization.getColorByName(SEVERITIES[record.severity] ?? 'gray') }} />
          <span style={{ color: theme.colors.text.secondary }}>{record.time}</span>
          <span>{record.text}</span>
        </div>
      ))}
    </div>
  );
}

const approximate = (Draw: (drawn: Drawn) => any, what: string) => (drawn: Drawn) => (
  <><Draw {...drawn} /><Note>{`drawn for this picture: Grafana's ${what} panel is not in its UI library`}</Note></>
);

export const PANELS: Record<string, (drawn: Drawn) => any> = {
  timeseries: Lines,
  stat: Stat,
  table: Rows,
  nodeGraph: approximate(Graph, 'node graph'),
  logs: approximate(Logs, 'logs'),
};
