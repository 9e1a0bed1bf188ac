/**
 * The script that Lockstep measures in workerd: GET /hello, /fib?n= and /alloc?mib=. A worker's
 * clock stands still while it computes, so it does not say how long its work took.
 */
const { Response } = globalThis;

const FIB_PRESET = 1_000_000_000n;
const FIB_MOST = 10_000_000_000n;
const ALLOC_PRESET_MIB = 50n;
// An isolate is ended at 128 MiB.
const ALLOC_MOST_MIB = 100n;
const PAGE_BYTES = 4096;

const endpoints = {
  '/hello': () => 'Hello from worker!\n',
  '/fib': (query) => `${fibonacci(readNumber(query, 'n', FIB_PRESET, FIB_MOST))}\n`,
  '/alloc': (query) => `${touch(readNumber(query, 'mib', ALLOC_PRESET_MIB, ALLOC_MOST_MIB))}\n`,
};

console.log('lockstep:main');

const worker = {
  fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (request.method !== 'GET' || !Object.hasOwn(endpoints, pathname)) {
      return new Response(null, { status: 404 });
    }
    try {
      return new Response(endpoints[pathname](searchParams));
    } catch (error) {
      const status = error instanceof RangeError ? 400 : 500;
      return new Response(`${error.message}\n`, { status });
    }
  },
};
// The runtime asks for a default export.
export { worker as default };

/** A whole number from 1 to most; absent, it is the preset. */
function readNumber(query, name, preset, most) {
  for (const other of query.keys()) {
    if (other !== name) throw new RangeError(`parameter ${other} is unknown`);
  }
  const text = query.get(name);
  if (text === null) return preset;
  const number = /^\d{1,12}$/.test(text) ? BigInt(text) : 0n;
  if (number < 1n || number > most) {
    throw new RangeError(`${name} is ${text}, and not a whole number from 1 to ${most}`);
  }
  return number;
}

/**
 * The nth Fibonacci number modulo 2^64, by n-1 additions of two halves: numbers are exact to 2^53.
 */
function fibonacci(n) {
  let beforeHigh = 0;
  let beforeLow = 0;
  let high = 0;
  let low = 1;
  for (let left = Number(n) - 1; left > 0; left -= 1) {
    const sum = beforeLow + low;
    const nextHigh = (beforeHigh + high + (sum > 0xffff_ffff ? 1 : 0)) >>> 0;
    beforeHigh = high;
    beforeLow = low;
    high = nextHigh;
    low = sum >>> 0;
  }
  return (BigInt(high) << 32n) | BigInt(low);
}

/** Takes memory, writes one byte of each 4096 and gives it back to the collector. */
function touch(mib) {
  const memory = new Uint8Array(Number(mib) * 1024 * 1024);
  let pages = 0;
  for (let at = 0; at < memory.length; at += PAGE_BYTES) {
    memory[at] = 1;
    pages += 1;
  }
  return pages;
}
