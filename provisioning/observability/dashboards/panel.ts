/** How a panel shows its queries. */
export type PanelKind = 'bargauge' | 'stat' | 'state-timeline' | 'table' | 'timeseries' | 'traces';

/** One PromQL query, or a TraceQL query in a panel of traces. */
export interface Query {
  readonly expr: string;
  /** Legend, with labels in double braces. */
  readonly legend?: string;
}

/** What one panel is. */
export interface PanelSpec {
  readonly title: string;
  readonly description: string;
  readonly kind: PanelKind;
  /** Unit as Grafana names it: s, bytes, hertz, celsius, joule, watt, short, percentunit. */
  readonly unit: string;
  readonly queries: readonly Query[];
  /** Of 24 columns. Default 12. */
  readonly width?: 4 | 6 | 8 | 12 | 24;
  /** True if the series or rows are of one trial each and lead to its trace. */
  readonly leadsToTrace?: boolean;
}

/** Panels under one heading. */
export interface Row {
  readonly title: string;
  readonly panels: readonly PanelSpec[];
}

const COLUMNS = 24;
const HEIGHT = 8;
const PROMETHEUS = { type: 'prometheus', uid: '${prometheus}' };
const TEMPO = { type: 'tempo', uid: '${tempo}' };

/** Kinds that show the present, or one figure for the whole time, and not a course. */
const INSTANT: readonly PanelKind[] = ['bargauge', 'stat', 'table'];

/** Lays rows out from top to bottom, and their panels from left to right. */
export function layOut(rows: readonly Row[]): object[] {
  const panels: object[] = [];
  let y = 0;
  for (const row of rows) {
    const heading = { type: 'row', title: row.title, collapsed: false, panels: [] };
    panels.push({ id: panels.length + 1, ...heading, gridPos: { h: 1, w: COLUMNS, x: 0, y } });
    y += 1;
    let x = 0;
    for (const spec of row.panels) {
      const w = spec.width ?? 12;
      if (x + w > COLUMNS) {
        x = 0;
        y += HEIGHT;
      }
      const gridPos = { h: HEIGHT, w, x, y };
      panels.push({ id: panels.length + 1, ...panel(spec), gridPos });
      x += w;
    }
    y += HEIGHT;
  }
  return panels;
}

function panel(spec: PanelSpec): object {
  const { title, description, kind, unit, queries, leadsToTrace = false } = spec;
  const isOfTraces = kind === 'traces';
  const links = leadsToTrace ? [traceLink(kind === 'table')] : [];
  return {
    title,
    description,
    type: isOfTraces ? 'table' : kind,
    datasource: isOfTraces ? TEMPO : PROMETHEUS,
    targets: queries.map((query, index) => {
      const refId = String.fromCharCode(65 + index);
      return isOfTraces ? traceTarget(query, refId) : target(query, refId, kind);
    }),
    fieldConfig: {
      defaults: isOfTraces ? {} : { unit, links, custom: kind === 'timeseries' ? LINES : {} },
      overrides: [],
    },
    options: OPTIONS[kind],
    ...(kind === 'table' ? { transformations: TABLE_TRANSFORMATIONS } : {}),
  };
}

// Trials are short and far apart, so points are not joined over gaps.
const LINES = { drawStyle: 'line', lineWidth: 1, showPoints: 'auto', spanNulls: false };

const REDUCE = { calcs: ['lastNotNull'], fields: '', values: false };
const OPTIONS: Readonly<Record<PanelKind, object>> = {
  bargauge: { orientation: 'horizontal', displayMode: 'basic', reduceOptions: REDUCE },
  stat: {
    colorMode: 'value',
    graphMode: 'none',
    textMode: 'value_and_name',
    reduceOptions: REDUCE,
  },
  'state-timeline': { showValue: 'never', mergeValues: true, rowHeight: 0.8 },
  table: { showHeader: true },
  timeseries: {
    legend: { displayMode: 'list', placement: 'bottom', showLegend: true },
    tooltip: { mode: 'multi', sort: 'desc' },
  },
  traces: { showHeader: true },
};

/** One row per series with its labels as columns, without the time of the query. */
const TABLE_TRANSFORMATIONS = [
  { id: 'merge', options: {} },
  { id: 'organize', options: { excludeByName: { Time: true, __name__: true } } },
];

function target({ expr, legend = '' }: Query, refId: string, kind: PanelKind): object {
  const isInstant = INSTANT.includes(kind);
  return {
    refId,
    datasource: PROMETHEUS,
    editorMode: 'code',
    expr,
    legendFormat: legend,
    instant: isInstant,
    range: !isInstant,
    ...(kind === 'table' ? { format: 'table' } : {}),
  };
}

function traceTarget({ expr }: Query, refId: string): object {
  return {
    refId,
    datasource: TEMPO,
    queryType: 'traceql',
    query: expr,
    tableType: 'traces',
    limit: 100,
  };
}

/** Opens the trace of the trial that a point or a row is of. */
function traceLink(isTable: boolean): object {
  const trial = isTable
    ? '${__data.fields.lockstep_trial_id}'
    : '${__field.labels.lockstep_trial_id}';
  const query = {
    refId: 'A',
    datasource: TEMPO,
    queryType: 'traceql',
    query: `{ span.lockstep.trial.id = "${trial}" }`,
  };
  const range = { from: '${__from}', to: '${__to}' };
  const panes = { trial: { datasource: TEMPO.uid, queries: [query], range } };
  // Variables are filled in by Grafana, so their own signs stay as they are.
  const encoded = encodeURIComponent(JSON.stringify(panes)).replaceAll(
    /%24%7B([A-Za-z_.]+)%7D/g,
    '${$1}',
  );
  return {
    title: 'Trace of the trial',
    url: `/explore?schemaVersion=1&panes=${encoded}`,
    targetBlank: true,
  };
}
