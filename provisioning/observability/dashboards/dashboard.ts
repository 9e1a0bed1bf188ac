import { layOut } from './panel.ts';
import type { Row } from './panel.ts';

/** The last version of this form of dashboards; newer Grafanas read it. */
const SCHEMA_VERSION = 42;

/** A variable whose values are those of a label. */
export interface LabelVariable {
  readonly name: string;
  readonly label: string;
  /** A selector of series that have the label. */
  readonly of: string;
  /** The label, as Prometheus names it. */
  readonly values: string;
  /** True if one value is chosen at a time. Default: any number, all at first. */
  readonly isSingle?: boolean;
}

/** A variable whose values stand here, the first at first. */
export interface ListVariable {
  readonly name: string;
  readonly label: string;
  readonly values: readonly string[];
}

/** What a dashboard is. */
export interface DashboardSpec {
  /** Stays the same for ever: links lead to it. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly variables: readonly (LabelVariable | ListVariable)[];
  /** How far back it looks at first, such as now-6h. */
  readonly from: string;
  /** How often it asks anew, such as 30s. Empty: never. */
  readonly refresh: string;
  readonly rows: readonly Row[];
}

/** Makes the JSON of a dashboard, as Grafana imports and provisions it. */
export function makeDashboard(spec: DashboardSpec): object {
  const { uid, title, description, variables, from, refresh, rows } = spec;
  return {
    uid,
    title,
    description,
    tags: ['lockstep'],
    schemaVersion: SCHEMA_VERSION,
    editable: true,
    graphTooltip: 1,
    timezone: 'browser',
    time: { from, to: 'now' },
    refresh,
    links: [
      {
        title: 'Lockstep',
        type: 'dashboards',
        tags: ['lockstep'],
        asDropdown: true,
        includeVars: true,
        keepTime: true,
      },
    ],
    annotations: { list: [] },
    templating: {
      list: [
        dataSource('prometheus', 'Metrics', 'prometheus'),
        dataSource('tempo', 'Traces', 'tempo'),
        ...variables.map((one) => ('of' in one ? labelVariable(one) : listVariable(one))),
      ],
    },
    panels: layOut(rows),
  };
}

function dataSource(name: string, label: string, type: string): object {
  return { name, label, type: 'datasource', query: type, refresh: 1, hide: 0, multi: false };
}

function labelVariable({ name, label, of, values, isSingle = false }: LabelVariable): object {
  const query = `label_values(${of}, ${values})`;
  return {
    name,
    label,
    type: 'query',
    datasource: { type: 'prometheus', uid: '${prometheus}' },
    definition: query,
    query: { refId: `Variable-${name}`, query, qryType: 5 },
    // When the time changes: runs and trials come and go.
    refresh: 2,
    sort: 2,
    hide: 0,
    multi: !isSingle,
    includeAll: !isSingle,
    ...(isSingle ? {} : { allValue: '.*', current: { text: 'All', value: '$__all' } }),
  };
}

function listVariable({ name, label, values }: ListVariable): object {
  const [first = ''] = values;
  return {
    name,
    label,
    type: 'custom',
    query: values.join(','),
    hide: 0,
    multi: false,
    includeAll: false,
    current: { text: first, value: first },
    options: values.map((value) => ({ text: value, value, selected: value === first })),
  };
}
