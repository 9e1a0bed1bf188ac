import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { z } from 'zod';
import { CHECKOUT } from './nats-server.ts';

const Tool = z.object({ path: z.string().min(1), version: z.string().min(1) }).nullable();
const TestServers = z.object({
  victoriaMetrics: Tool,
  vmagent: Tool,
  prometheus: Tool,
  promtool: Tool,
  nodeExporter: Tool,
  opentelemetryProto: Tool,
});

/** A program that the set-up fetches for the tests, or the folder that .proto files are below. */
export type TestServerName = keyof z.output<typeof TestServers>;

/** Path of such a program or folder. Undefined if the set-up for the tests could not get it. */
export function findTestServer(name: TestServerName): string | undefined {
  try {
    const path = join(CHECKOUT, '.tools', 'test-tools.json');
    return TestServers.parse(JSON.parse(readFileSync(path, 'utf8')))[name]?.path;
  } catch {
    // No set-up for the tests was made yet.
    return undefined;
  }
}

/** The paths of all these; undefined if one is missing, which the test then says as its reason. */
export function testServersFor<Name extends TestServerName>(
  t: ExecutionContext,
  ...names: readonly Name[]
): Record<Name, string> | undefined {
  const found = names.map((name) => [name, findTestServer(name)] as const);
  const absent = found.flatMap(([name, path]) => (path === undefined ? [name] : []));
  if (absent.length === 0) return Object.fromEntries(found) as Record<Name, string>;
  t.log(`skipped: no ${absent.join(', ')}; to add: npm run setup -- --for-tests`);
  t.pass();
  return undefined;
}
