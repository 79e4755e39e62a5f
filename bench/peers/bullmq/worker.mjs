// The worker's process: `worker.mjs QUEUE PORT CONCURRENCY COUNT`. It sends one message when it is connected and one, its report,
// when each of COUNT jobs was handled, with the time at which the worker began. Completed jobs are removed.
import { Worker } from 'bullmq';
import IORedis from 'ioredis';
import { now } from './clock.mjs';

const [name, ...numbers] = process.argv.slice(2);
const [port, concurrency, count] = numbers.map(Number);
const late = new Float64Array(count).fill(NaN);
let handled = 0;
let repeated = 0;

async function handle({ data: { n, due } }) {
  const at = now();
  if (!Number.isNaN(late[n])) {
    repeated += 1;
    return;
  }
  late[n] = at - due;
  handled += 1;
  if (handled === count) setImmediate(report, at);
}

process.on('disconnect', () => process.exit(1)); // the process that measures has ended
const began = now();
const worker = new Worker(name, handle, {
  connection: new IORedis({ host: '127.0.0.1', port, maxRetriesPerRequest: null }),
  concurrency,
  removeOnComplete: { count: 0 },
});
worker.on('error', error => console.error(`worker: ${error.message}`));
await worker.waitUntilReady();
process.send({ ready: true });

async function report(last) {
  await worker.close(); // completes the jobs that it holds
  const sorted = late.sort();
  const quantile = q => sorted[Math.min(count - 1, Math.floor(count * q))];
  process.send({ began, last, repeated, late: [quantile(0.5), quantile(0.99), quantile(0.999)] }, () => process.exit(0));
}
