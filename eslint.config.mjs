import eslint from '@eslint/js';
import jsdoc from 'eslint-plugin-jsdoc';
import tseslint from 'typescript-eslint';

const PRODUCT = ['schemas', 'bus', 'telemetry', 'agent', 'coordinator', 'provisioning'];

// Programs: they may end the process, as nobody calls them.
const PROGRAMS = [
  '**/main.ts',
  '**/main.mjs',
  // These end a program that was told to end and does not.
  'bus/lifetime.ts',
  'coordinator/cli/session.ts',
  'provisioning/functions/build.ts',
  'provisioning/functions/node/*.mjs',
  'test/support/run.ts',
];

// What talks to a person at a terminal.
const SPEAKERS = [
  'coordinator/cli/**',
  'provisioning/bootstrap/**',
  'provisioning/functions/**',
  'test/bench/**',
  'test/support/**',
];

// Globals of Node, for files whose names no type checker looks up.
const NODE_GLOBALS = Object.fromEntries(
  ['AbortController', 'AbortSignal', 'Buffer', 'URL', 'console', 'fetch', 'performance', 'process']
    .concat(['clearInterval', 'clearTimeout', 'setImmediate', 'setInterval', 'setTimeout'])
    .map((name) => [name, 'readonly']),
);

const SIZE_RULES = {
  'max-lines': ['error', { max: 400, skipBlankLines: false, skipComments: false }],
  'max-lines-per-function': ['error', { max: 70, skipBlankLines: false, skipComments: false }],
  'max-params': ['error', 4],
};

const NO_DEFAULT_EXPORT = {
  selector: 'ExportDefaultDeclaration',
  message: 'Export by name; only configuration files have a default export.',
};
const NO_PROCESS_EXIT = {
  selector: "CallExpression[callee.object.name='process'][callee.property.name='exit']",
  message: 'Only programs end the process; throw, or set process.exitCode.',
};

export default tseslint.config(
  { ignores: ['node_modules/', '.lockstep/', '.tools/', '**/*.d.ts'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  eslint.configs.recommended,
  {
    rules: {
      ...SIZE_RULES,
      'no-console': 'error',
      'no-restricted-syntax': ['error', NO_DEFAULT_EXPORT, NO_PROCESS_EXIT],
      eqeqeq: 'error',
    },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      'max-params': 'off',
      '@typescript-eslint/max-params': ['error', { max: 4 }],
      '@typescript-eslint/consistent-type-imports': [
        'error',
        { fixStyle: 'separate-type-imports', disallowTypeAnnotations: false },
      ],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // A loop without an end is written `for (;;)`; callbacks that do nothing are null objects.
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
    },
  },
  {
    files: PRODUCT.map((folder) => `${folder}/**/*.ts`),
    plugins: { jsdoc },
    rules: {
      'jsdoc/require-jsdoc': [
        'error',
        {
          publicOnly: true,
          require: { ClassDeclaration: true, FunctionDeclaration: true },
          // Methods of an object that implements a port are documented at the port.
          contexts: ['TSInterfaceDeclaration', 'VariableDeclarator > ArrowFunctionExpression'],
        },
      ],
    },
  },
  { files: ['**/*.mjs'], languageOptions: { globals: NODE_GLOBALS } },
  { files: SPEAKERS, rules: { 'no-console': 'off' } },
  {
    files: PROGRAMS,
    rules: { 'no-restricted-syntax': ['error', NO_DEFAULT_EXPORT] },
  },
  {
    files: ['*.config.mjs', 'dependency-cruiser.mjs'],
    rules: { 'no-restricted-syntax': 'off', 'max-lines-per-function': 'off' },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      'max-lines-per-function': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/explicit-module-boundary-types': 'off',
    },
  },
);
