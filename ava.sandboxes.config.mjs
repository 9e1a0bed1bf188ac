// The slow suites: every kind of sandbox and every procedure for real. See CONTRIBUTING.md.
export default {
  extensions: ['ts'],
  files: ['test/**/*.sandbox.ts'],
  timeout: '300s',
  workerThreads: false,
  concurrency: 2,
};
