import { HEALTH_METRICS } from '../../schemas/health-metrics.ts';
import { EVENT_NAMES, SPAN_NAMES } from '../../schemas/span-names.ts';
import type { SpanDefinition } from '../../schemas/span-names.ts';
import { CONTEXT_ATTRIBUTES, SERIES_ATTRIBUTES } from '../../schemas/telemetry-attributes.ts';
import { SAMPLED_METRICS, SOURCES } from '../../schemas/telemetry-names.ts';
import type { MetricDefinition } from '../../schemas/telemetry-names.ts';
import { prometheusLabel, prometheusName } from './prometheus-name.ts';

/** What a kind of metric is in OTLP. */
const OTLP_TYPES = {
  counter: 'counter',
  level: 'up-down counter',
  gauge: 'gauge',
} as const satisfies Record<MetricDefinition['kind'], string>;

/** The tables of docs/telemetry.md by the name in their marks. */
const TABLES: Readonly<Record<string, () => string[][]>> = {
  sources: () => [
    ['source', 'what it reads'],
    ...Object.entries(SOURCES).map(([name, description]) => [code(name), description]),
  ],
  'sampled-metrics': () => metricTable(SAMPLED_METRICS),
  'health-metrics': () => metricTable(HEALTH_METRICS),
  'series-attributes': () => attributeTable(SERIES_ATTRIBUTES),
  'context-attributes': () => attributeTable(CONTEXT_ATTRIBUTES),
  spans: () => [
    ['span', 'service', 'kind', 'within', 'what it is'],
    ...Object.entries<SpanDefinition>(SPAN_NAMES).map(
      ([name, { service, kind, within, description }]) => [
        code(name),
        service,
        kind.toUpperCase(),
        within === undefined ? '' : code(within),
        description,
      ],
    ),
  ],
  events: () => [
    ['event', 'what it is'],
    ...Object.entries(EVENT_NAMES).map(([name, description]) => [code(name), description]),
  ],
};

/**
 * A text with its tables made anew: each stands between `<!-- NAME: begin -->` and
 * `<!-- NAME: end -->`.
 *
 * @throws Error if the marks of a table are not there.
 */
export function withTables(text: string): string {
  return Object.entries(TABLES).reduce((before, [name, rows]) => {
    const [begin, end] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`];
    const [from, to] = [before.indexOf(begin), before.indexOf(end)];
    if (from === -1 || to < from) throw new Error(`no marks for the table ${name}`);
    return `${before.slice(0, from)}${begin}\n\n${table(rows())}\n\n${before.slice(to)}`;
  }, text);
}

function metricTable(metrics: Readonly<Record<string, MetricDefinition>>): string[][] {
  return [
    ['metric', 'in Prometheus', 'type', 'unit', 'attributes', 'source', 'what it is'],
    ...Object.entries(metrics).map(([name, definition]) => [
      code(name),
      code(prometheusName(name, definition)),
      OTLP_TYPES[definition.kind],
      code(definition.unit),
      definition.attributes.map(code).join(', '),
      definition.source,
      definition.description,
    ]),
  ];
}

function attributeTable(attributes: Readonly<Record<string, string>>): string[][] {
  return [
    ['attribute', 'label in Prometheus', 'what it is'],
    ...Object.entries(attributes).map(([name, description]) => [
      code(name),
      code(prometheusLabel(name)),
      description,
    ]),
  ];
}

function table([head = [], ...rows]: readonly string[][]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function code(text: string): string {
  return `\`${text}\``;
}
