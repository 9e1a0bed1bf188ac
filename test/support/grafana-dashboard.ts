import { z } from 'zod';

const Target = z.object({
  refId: z.string(),
  datasource: z.object({ type: z.enum(['prometheus', 'tempo']), uid: z.string() }),
  expr: z.string().optional(),
  query: z.string().optional(),
  legendFormat: z.string().optional(),
  instant: z.boolean().optional(),
});

const Panel = z.object({
  id: z.int(),
  type: z.string(),
  title: z.string(),
  description: z.string().optional(),
  gridPos: z.object({ h: z.int(), w: z.int(), x: z.int(), y: z.int() }),
  targets: z.array(Target).optional(),
  fieldConfig: z
    .object({
      defaults: z.object({
        unit: z.string().optional(),
        links: z.array(z.object({ url: z.string() })).optional(),
      }),
    })
    .optional(),
});

const Variable = z.object({
  name: z.string(),
  type: z.enum(['datasource', 'query', 'custom']),
  query: z.union([z.string(), z.object({ query: z.string() })]),
  allValue: z.string().optional(),
});

/** The parts of a dashboard that say what is asked of which database. */
export const GrafanaDashboard = z.object({
  uid: z.string(),
  title: z.string(),
  schemaVersion: z.int(),
  templating: z.object({ list: z.array(Variable) }),
  panels: z.array(Panel),
});
export type GrafanaDashboard = z.output<typeof GrafanaDashboard>;

/** One PromQL query of a panel as it is sent, with the variables filled in. */
export interface PanelQuery {
  /** `dashboard: panel`. */
  readonly where: string;
  readonly query: string;
  readonly isInstant: boolean;
  /** Labels that the legend names. */
  readonly legendLabels: readonly string[];
}

/** All PromQL queries of a dashboard, with the given values of its variables. */
export function panelQueries(
  { title, panels }: GrafanaDashboard,
  values: Readonly<Record<string, string>>,
): PanelQuery[] {
  return panels.flatMap((panel) =>
    (panel.targets ?? []).flatMap(({ expr, instant = false, legendFormat = '' }) =>
      expr === undefined
        ? []
        : [
            {
              where: `${title}: ${panel.title}`,
              query: fillIn(expr, values),
              isInstant: instant,
              legendLabels: [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(
                ([, name = '']) => name,
              ),
            },
          ],
    ),
  );
}

/** What the variables of a dashboard ask: whose label they offer the values of. */
export function variableQueries(
  { title, templating }: GrafanaDashboard,
  values: Readonly<Record<string, string>>,
): { readonly where: string; readonly selector: string; readonly label: string }[] {
  return templating.list.flatMap(({ name, type, query }) => {
    if (type !== 'query' || typeof query === 'string') return [];
    const match = /^label_values\((.+), (\w+)\)$/.exec(fillIn(query.query, values));
    const [, selector = '', label = ''] = match ?? [];
    return [{ where: `${title}: $${name}`, selector, label }];
  });
}

function fillIn(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$(\w+)/g, (whole, name: string) => values[name] ?? whole);
}
