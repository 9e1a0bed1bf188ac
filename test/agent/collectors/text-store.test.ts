import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { ByteScan } from '../../../agent/collectors/byte-scan.ts';
import {
  TEXT_BYTES_MAX,
  TEXTS_PER_READING_MAX,
  TextStore,
} from '../../../agent/collectors/text-store.ts';

function put(store: TextStore, text: string | undefined): void {
  if (text !== undefined) store.bytes.write(text, store.end, 'latin1');
  store.add(text?.length);
}

function scanned(store: TextStore): string | undefined {
  const scan = new ByteScan();
  if (!store.scanNext(scan)) return undefined;
  return store.bytes.toString('latin1', scan.position, scan.end);
}

test('TextStore gives texts back in their order, empty ones and those that were not there', (t) => {
  const Text = fc.option(fc.stringMatching(/^[a-z \n]{0,30}$/), { nil: undefined });
  fc.assert(
    fc.property(fc.array(Text, { maxLength: 20 }), fc.nat(20), (texts, kept) => {
      const store = new TextStore(1000, 20);
      for (const text of texts) put(store, text);
      // What is forgotten leaves its place to what comes then.
      const rest = texts.slice(0, kept);
      store.keep(Math.min(kept, texts.length));
      for (const text of ['x', undefined, '']) put(store, text);
      const expected = [...rest, 'x', undefined, ''];
      assert.equal(store.count, expected.length);
      for (const place of expected.keys()) {
        store.seek(place);
        assert.deepEqual(
          expected.slice(place).map(() => scanned(store)),
          expected.slice(place),
        );
      }
    }),
  );
  t.pass();
});

test('TextStore has room for a reading of the longest texts until it is full', (t) => {
  const store = new TextStore(1000, 3);
  for (let text = 0; text < 4; text += 1) {
    t.false(store.isFull);
    store.add(250);
  }
  t.true(store.isFull);
  store.keep(3);
  store.add(undefined);
  t.true(store.isFull, 'one that was not there takes a place too');
  store.keep(3);
  t.false(store.isFull);
  t.true(store.bytes.length - store.end >= TEXTS_PER_READING_MAX * TEXT_BYTES_MAX);
  t.true(store.byteLength > store.bytes.length);
});
