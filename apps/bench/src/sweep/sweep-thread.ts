import '../host-engine.js';
import { parentPort } from 'node:worker_threads';
import { runTask, type Task } from './task.js';

/** A thread of a sweep: runs one task after the other. */
parentPort?.on('message', async (task: Task) => parentPort?.postMessage(await runTask(task)));
