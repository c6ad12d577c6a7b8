// The page: a dashboard's JSON, drawn with the components that Grafana itself is made of, from answers of a
// Prometheus that were saved beside it. window.preview holds both.
import {createTheme, type DataFrame, ThemeContext} from '@grafana/data';
import {GlobalStyles, PanelChrome} from '@grafana/ui';
import {createRoot} from 'react-dom/client';
import {type Answers, frames, type Panel} from './frames';
import {Body} from './panels';

const {board, answers, chosen} = (window as any).preview as {board: any; answers: Answers; chosen: Record<string, string>};
// what Grafana does not show either
const hidden = new Set(board.templating.list.filter((v: any) => v.hide === 2 || v.hide === 'hideVariable').map((v: any) => v.name));
const theme = createTheme({colors: {mode: 'dark'}});
const [column, line, gap] = [1600 / 24, 30, 8];

function Place({panel}: {panel: Panel}) {
  const {x, y, w, h} = panel.gridPos;
  const [width, height] = [w * column - gap, h * (line + gap) - gap];
  const at = {position: 'absolute', left: x * column + gap, top: y * (line + gap) + 56, width, height} as const;
  if (panel.type === 'row') {
    return <div style={{...at, fontSize: 16, fontWeight: 500, paddingTop: 8}}>{panel.title}</div>;
  }
  const data: DataFrame[] = frames(panel, answers, theme);
  return (
    <div style={at}>
      <PanelChrome title={panel.title} description={panel.description} width={width} height={height}>
        {(innerWidth, innerHeight) => <Body panel={panel} data={data} width={innerWidth} height={innerHeight} theme={theme} />}
      </PanelChrome>
    </div>
  );
}

function Page() {
  const bottom = Math.max(...board.panels.map((p: Panel) => p.gridPos.y + p.gridPos.h)) * (line + gap) + 80;
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <div id="page" style={{position: 'relative', width: 1600 + gap, height: bottom, background: theme.colors.background.canvas}}>
        <div style={{padding: '16px 12px', display: 'flex', gap: 16, alignItems: 'baseline'}}>
          <span style={{fontSize: 20, fontWeight: 500}}>{board.title}</span>
          {Object.entries(chosen).filter(([name]) => !hidden.has(name)).map(([name, value]) => (
            <span key={name} style={{color: theme.colors.text.secondary}}>{name}: {value === '.+' ? 'All' : value}</span>
          ))}
        </div>
        {board.panels.map((panel: Panel) => <Place key={panel.id} panel={panel} />)}
      </div>
    </ThemeContext.Provider>
  );
}

createRoot(document.getElementById('root')!).render(<Page />);
