import test from 'ava';
import { z } from 'zod';
import { LockstepError } from '../../schemas/errors.ts';
import {
  PROTOCOL_VERSION,
  decodeMessage,
  encodeMessage,
  protocolField,
} from '../../schemas/protocol.ts';
import { Nanoseconds } from '../../schemas/units.ts';

const Message = z.object({ ...protocolField, name: z.string(), atNs: Nanoseconds });

test('encodeMessage adds the protocol version and writes nanoseconds as text', (t) => {
  t.deepEqual(encodeMessage(Message, { name: 'a', atNs: 2n ** 60n }), {
    protocol: PROTOCOL_VERSION,
    name: 'a',
    atNs: '1152921504606846976',
  });
});

test('decodeMessage is the inverse of encodeMessage', (t) => {
  const message = { name: 'a', atNs: -5n };
  const wire: unknown = JSON.parse(JSON.stringify(encodeMessage(Message, message)));
  t.deepEqual(decodeMessage(Message, wire, 'peer'), { protocol: PROTOCOL_VERSION, ...message });
});

test('decodeMessage drops fields that this release does not know', (t) => {
  const wire = { protocol: 1, name: 'a', atNs: '1', later: true };
  t.deepEqual(decodeMessage(Message, wire, 'peer'), { protocol: 1, name: 'a', atNs: 1n });
});

test('decodeMessage refuses an unknown version by name, whatever else the message has', (t) => {
  const error = t.throws(() => decodeMessage(Message, { protocol: 99 }, 'device pi-3'), {
    instanceOf: LockstepError,
  });
  t.is(error.code, 'PROTOCOL_UNSUPPORTED');
  t.regex(error.message, /^device pi-3 speaks protocol version 99; this release reads 1$/);
  t.truthy(error.hint);
});

const refuses = test.macro({
  exec(t, wire: unknown, reason: RegExp) {
    const error = t.throws(() => decodeMessage(Message, wire, 'peer'), {
      instanceOf: LockstepError,
    });
    t.is(error.code, 'MESSAGE_INVALID');
    t.regex(error.message, reason);
  },
  title: (providedTitle) => `decodeMessage refuses ${providedTitle ?? ''}`,
});

test('a message without a version', refuses, { name: 'a', atNs: '1' }, /protocol/);
test('a version that is text', refuses, { protocol: '1', name: 'a', atNs: '1' }, /protocol/);
test('a missing field', refuses, { protocol: 1, atNs: '1' }, /name/);
test('nanoseconds as a number', refuses, { protocol: 1, name: 'a', atNs: 1 }, /atNs/);
test('nothing', refuses, null, /invalid message from peer/);
test('a list', refuses, [], /invalid message from peer/);
