// The tests of `npm test`.
export default {
  extensions: ['ts'],
  files: ['test/**/*.test.ts'],
  timeout: '120s',
  workerThreads: false,
  concurrency: 2,
};
