import { MAX_MESSAGE_BYTES } from '../../bus/wire-format.ts';
import { JETSTREAM_DISK_BYTES } from './credentials.ts';
import type { Trust } from './credentials.ts';

/** What a nats-server is to do, and where it keeps its things. */
export interface ServerConfigOptions {
  trust: Pick<Trust, 'operatorJwt' | 'systemAccount' | 'lockstepAccount'>;
  /** Address to listen on. */
  host: string;
  /** 0: any free port. */
  port: number;
  /** Folder of the streams. */
  storeFolder: string;
  /** Folder into which the server writes the file with its ports. */
  portsFolder: string;
  logFile: string;
}

const HEADER_ROOM_BYTES = 64 * 1024;
const LOG_FILE_BYTES = 10 * 1024 * 1024;
const JETSTREAM_MEMORY_BYTES = 64 * 1024 * 1024;
const CHUNK_WRITE_DEADLINE = '10s';

/** The text of the configuration file; pure. */
export function serverConfig(options: ServerConfigOptions): string {
  const { trust, host, port, storeFolder, portsFolder, logFile } = options;
  const { systemAccount, lockstepAccount } = trust;
  return `# Written at each start; changes here are lost.
server_name: "lockstep"
host: ${quote(host)}
port: ${port === 0 ? -1 : port}
max_payload: ${MAX_MESSAGE_BYTES + HEADER_ROOM_BYTES}
write_deadline: "${CHUNK_WRITE_DEADLINE}"
ports_file_dir: ${quote(portsFolder)}
log_file: ${quote(logFile)}
logfile_size_limit: ${LOG_FILE_BYTES}
logfile_max_num: 3

operator: ${quote(trust.operatorJwt)}
system_account: ${quote(systemAccount.publicKey)}
resolver: MEMORY
resolver_preload: {
  ${systemAccount.publicKey}: ${quote(systemAccount.jwt)}
  ${lockstepAccount.publicKey}: ${quote(lockstepAccount.jwt)}
}

jetstream: {
  store_dir: ${quote(storeFolder)}
  max_memory_store: ${JETSTREAM_MEMORY_BYTES}
  max_file_store: ${JETSTREAM_DISK_BYTES}
  # An acknowledged message is on the disk, not only in the page cache.
  sync_interval: always
}
`;
}

// The configuration's strings have the escapes of JSON.
function quote(text: string): string {
  return JSON.stringify(text);
}
