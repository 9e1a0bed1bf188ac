// The layers of ARCHITECTURE.md as rules. test/tidy.test.ts proves that each of them can fail.

const NATS = 'node_modules/(nats|@nats-io)/';
const LAYERS = ['agent', 'bus', 'coordinator', 'provisioning', 'schemas', 'telemetry', 'test'];

const notTo = (layer, others) => ({
  name: `${layer}-stands-alone`,
  severity: 'error',
  comment: `${layer}/ may not import ${others.join(', ')}.`,
  from: { path: `^${layer}/` },
  to: { path: `^(${others.join('|')})/` },
});

export default {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      comment: 'Two files that import each other are one file, or miss a third.',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-unresolved',
      severity: 'error',
      comment: 'An import must lead to a file or an installed package.',
      from: {},
      to: { couldNotResolve: true },
    },
    notTo(
      'schemas',
      LAYERS.filter((layer) => layer !== 'schemas'),
    ),
    notTo(
      'bus',
      LAYERS.filter((layer) => !['bus', 'schemas'].includes(layer)),
    ),
    notTo('telemetry', ['agent', 'coordinator', 'provisioning', 'test']),
    notTo('agent', ['coordinator', 'provisioning', 'test']),
    notTo('coordinator', ['agent', 'test']),
    notTo('provisioning', ['agent', 'coordinator', 'telemetry', 'test']),
    {
      name: 'only-the-cli-composes',
      severity: 'error',
      comment: 'Of the coordinator only its command line may import provisioning.',
      from: { path: '^coordinator/', pathNot: '^coordinator/cli/' },
      to: { path: '^provisioning/' },
    },
    {
      name: 'measuring-knows-no-wire',
      severity: 'error',
      comment: 'What measures or computes must run without the bus and without telemetry.',
      from: {
        path:
          '^(agent/(sandboxes|collectors|procedures|runner|sampler)|' +
          'coordinator/(analysis|report|study)|telemetry/otlp)/',
      },
      to: { path: `^bus/|${NATS}|node_modules/@opentelemetry/` },
    },
    {
      name: 'only-the-bus-knows-nats',
      severity: 'error',
      comment: 'The NATS client is used in bus/; provisioning/nats may make keys.',
      from: { path: `^(${LAYERS.join('|')})/`, pathNot: '^(bus|provisioning/nats|test)/' },
      to: { path: NATS },
    },
    {
      name: 'store-knows-no-wire',
      severity: 'error',
      comment: 'Tables are made of run folders, without bus and command line.',
      from: { path: '^coordinator/(store|archive|import|recording)/' },
      to: { path: '^coordinator/(cli|dispatch|experiment|report|timekeeper)/' },
    },
    {
      name: 'only-the-store-knows-duckdb',
      severity: 'error',
      comment: 'DuckDB is used in coordinator/store/ only.',
      from: { path: `^(${LAYERS.join('|')})/`, pathNot: '^(coordinator/store|test)/' },
      to: { path: 'node_modules/@duckdb/' },
    },
    {
      name: 'provisioning-only-makes-keys',
      severity: 'error',
      comment: 'provisioning/nats may use @nats-io/nkeys and nothing else of the client.',
      from: { path: '^provisioning/nats/' },
      to: { path: NATS, pathNot: 'node_modules/@nats-io/nkeys/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // Before type stripping, so that imports of types count too.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types', 'default'],
    },
  },
};
