/** What a worker is served with. */
export interface WorkerConfig {
  /** Name of the script's file, in the folder of the configuration. */
  readonly script: string;
  /** Address and port to listen on. */
  readonly listen: string;
}

/** Behaviour of the runtime is that of this day, whichever release runs it. */
const COMPATIBILITY_DATE = '2026-01-01';

/**
 * The configuration of workerd for one worker, in Cap'n Proto's text form. The worker may call
 * nothing. Source: workerd's own schema, src/workerd/server/workerd.capnp.
 *
 * @throws RangeError if a value could end the text that it stands in.
 */
export function workerdConfig({ script, listen }: WorkerConfig): string {
  for (const text of [script, listen]) {
    if (!/^[A-Za-z0-9._:[\]-]+$/.test(text)) throw new RangeError(`${text} can't be in a text`);
  }
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "function", worker = .function),
    (name = "nothing", network = (allow = [])),
  ],
  sockets = [(name = "http", address = "${listen}", http = (), service = "function")],
);

const function :Workerd.Worker = (
  modules = [(name = "${script}", esModule = embed "${script}")],
  compatibilityDate = "${COMPATIBILITY_DATE}",
  globalOutbound = "nothing",
);
`;
}
