/**
 * An endpoint that counts: it takes OTLP over HTTP, says its port, and answers any GET with the
 * points, the payloads and how many of those came before, byte for byte. It ends with its stdin.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { countItems } from '../../../telemetry/otlp/export-request.ts';

const seen = new Set<string>();
let [points, payloads, duplicates] = [0, 0, 0];

const server = createServer((request, response) => {
  void (async () => {
    if (request.method === 'GET') {
      response.end(JSON.stringify({ points, payloads, duplicates }));
      return;
    }
    const body = await buffer(request);
    const digest = createHash('sha256').update(body).digest('hex');
    if (seen.has(digest)) duplicates += 1;
    seen.add(digest);
    points += countItems('metrics', gunzipSync(body));
    payloads += 1;
    response.setHeader('content-type', 'application/x-protobuf').end();
  })();
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
console.log((server.address() as AddressInfo).port);
process.stdin.resume();
await once(process.stdin, 'end');
server.closeAllConnections();
server.close();
