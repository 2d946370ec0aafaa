// One board as a page: its panels where the grid has them, beneath its variables and the time.
import 'uplot/dist/uPlot.min.css';
import { dateTimeFormat, ThemeContext, type DataFrame } from '@grafana/data';
import { GlobalStyles, PanelChrome, PortalContainer } from '@grafana/ui';
import { createRoot } from 'react-dom/client';
import { tables, theme, type Board, type Panel } from './data';
import { Empty, PANELS } from './panels';

declare global { interface Window { BOARD: Board } }

const [COLUMNS, CELL, GAP, HEAD] = [24, 30, 8, 84]; // as in Grafana, and the room for the heading

function Place({ panel, board, frames }: { panel: Panel; board: Board; frames: DataFrame[] }) {
  const { x, y, w, h } = panel.gridPos;
  const unit = (window.innerWidth - GAP) / COLUMNS;
  const [width, height] = [w * unit - GAP, h * (CELL + GAP) - GAP];
  const style = { position: 'absolute', left: x * unit + GAP, top: y * (CELL + GAP) + HEAD, width, height } as const;
  if (panel.type === 'row') {
    return <div style={{ ...style, ...theme.typography.h5, lineHeight: `${height}px` }}>⌄ {panel.title}</div>;
  }
  const isEmpty = panel.type === 'logs' ? panel.records.length === 0 : panel.series.length === 0;
  // A stat writes its empty state itself.
  const Draw = isEmpty && panel.type !== 'stat' ? Empty : PANELS[panel.type];
  return (
    <div style={style}>
      <PanelChrome title={panel.title} description={panel.description} width={width} height={height}>
        {(width, height) => <Draw {...{ panel, board, frames, width, height }} />}
      </PanelChrome>
    </div>
  );
}

function Heading({ board }: { board: Board }) {
  const chip = { background: theme.colors.background.secondary, padding: '3px 8px', borderRadius: 2, marginRight: 8 };
  const time = (seconds: number, format: string) => dateTimeFormat(seconds * 1000, { format, timeZone: 'utc' });
  return (
    <div style={{ position: 'absolute', inset: `8px ${GAP}px auto`, fontSize: 12 }}>
      <div style={{ ...theme.typography.h4, marginBottom: 8 }}>{board.title}</div>
      {board.variables.map((name) => <span key={name} style={chip}>{name}</span>)}
      <span style={{ float: 'right', color: theme.colors.text.secondary }}>
        {time(board.range.from, 'YYYY-MM-DD HH:mm:ss')} to {time(board.range.to, 'HH:mm:ss')} UTC ·
        {" rendered with Grafana's UI library, from queries to a real Prometheus"}
      </span>
    </div>
  );
}

async function draw(board: Board) {
  const frames = new Map<number, DataFrame[]>();
  for (const panel of board.panels) {
    if (['table', 'nodeGraph'].includes(panel.type) && panel.series.length > 0) {
      frames.set(panel.id, await tables(panel));
    }
  }
  document.body.style.background = theme.colors.background.canvas;
  createRoot(document.getElementById('root')!).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <PortalContainer />
      <Heading board={board} />
      {board.panels.map((panel) => <Place key={panel.id} panel={panel} board={board} frames={frames.get(panel.id) ?? []} />)}
    </ThemeContext.Provider>
  );
}

draw(window.BOARD);
