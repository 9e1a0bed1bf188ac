import { join, resolve } from 'node:path';
import type { z } from 'zod';
import type { DevicesReply } from '../../../schemas/control.ts';
import {
  ensureTrust,
  issueCredentials,
  writeCredentials,
} from '../../../provisioning/nats/credentials.ts';
import type { ClientOptions } from '../client.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { withClient } from '../session.ts';
import type { Work } from '../session.ts';
import { textTable } from '../text-table.ts';

type KnownDevice = z.output<typeof DevicesReply>['devices'][number];

/** Lists the devices that the coordinator knows. */
export function devices(options: ClientOptions & { json?: boolean }): Work {
  return withClient(options, async (client, { output }) => {
    const answer = await client.ask('devices', {});
    if (options.json === true) {
      output.result(JSON.stringify(answer.devices, null, 2));
      return EXIT_CODES.ok;
    }
    output.result(
      textTable(['device', 'state', 'sandboxes', 'machine'], answer.devices.map(deviceRow)),
    );
    for (const { presence } of answer.devices) {
      const { pressure } = presence.facts;
      if (pressure?.available === false) {
        output.say(`${presence.deviceId}: no pressure figures (PSI): ${pressure.reason}`);
        if (pressure.remedy !== undefined) output.say(`  hint: ${pressure.remedy}`);
      }
      for (const sandbox of presence.sandboxes) {
        if (sandbox.available) continue;
        const { message, hint } = sandbox.failure;
        output.say(`${presence.deviceId}: no ${sandbox.name}: ${message}`);
        if (hint !== undefined) output.say(`  hint: ${hint}`);
      }
    }
    return EXIT_CODES.ok;
  });
}

/** Makes a credential for a device elsewhere. Works on the coordinator's machine only. */
export function addDevice(deviceId: string, options: { out?: string }): Work {
  return async ({ home, output }) => {
    const trust = await ensureTrust(join(home.natsFolder, 'trust'));
    const path = resolve(options.out ?? `${deviceId}.creds`);
    await writeCredentials(path, issueCredentials(trust, { role: 'device', user: deviceId }));
    output.say('keep this file secret: whoever has it is this device');
    output.result(path);
    return EXIT_CODES.ok;
  };
}

function deviceRow({ presence, online }: KnownDevice): string[] {
  const works = presence.sandboxes.filter((sandbox) => sandbox.available);
  return [
    presence.deviceId,
    online ? presence.state : 'offline',
    works.map(({ name }) => name).join(',') || '-',
    `${presence.facts.hostname}, ${presence.facts.cpuCount} cpus, ${presence.facts.kernel}`,
  ];
}
