import type { DashboardSpec } from './dashboard.ts';
import { DEVICE } from './device.ts';
import { FLEET } from './fleet.ts';
import { RUN } from './run.ts';
import { SANDBOXES } from './sandboxes.ts';

/** The dashboards by the name of their file in `grafana/`. */
export const DASHBOARDS: Readonly<Record<string, DashboardSpec>> = {
  fleet: FLEET,
  run: RUN,
  device: DEVICE,
  sandboxes: SANDBOXES,
};
