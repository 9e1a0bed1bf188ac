/** A thread that simulates the cells that it is sent, one after the other. */
import { parentPort } from 'node:worker_threads';
import { simulateCell } from './coverage-cells.ts';
import type { CoverageCell } from './coverage-cells.ts';

parentPort?.on('message', (task: { cell: CoverageCell; simulations: number }) => {
  parentPort?.postMessage(simulateCell(task.cell, task.simulations));
});
