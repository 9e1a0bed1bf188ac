import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { makeDashboard } from './dashboards/dashboard.ts';
import { DASHBOARDS } from './dashboards/registry.ts';
import { withTables } from './name-tables.ts';

const CHECKOUT = join(import.meta.dirname, '..', '..');

/**
 * The files that are made of the names of telemetry, by path within the checkout, with what they
 * should hold: the dashboards, and docs/telemetry.md with its tables.
 */
export async function generateFiles(): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  for (const [name, spec] of Object.entries(DASHBOARDS)) {
    const path = `provisioning/observability/grafana/${name}.json`;
    files.set(path, await formatted(path, JSON.stringify(makeDashboard(spec))));
  }
  const path = 'docs/telemetry.md';
  const text = await readFile(join(CHECKOUT, path), 'utf8');
  return files.set(path, await formatted(path, withTables(text)));
}

async function formatted(path: string, text: string): Promise<string> {
  const filepath = join(CHECKOUT, path);
  return format(text, { ...(await resolveConfig(filepath)), filepath });
}
