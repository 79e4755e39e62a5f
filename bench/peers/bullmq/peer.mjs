// BullMQ as a delay queue: delayed jobs, handled by a worker in a process of its own as the documentation advises.
//
// PORT is that of an empty Redis of the measurement, ENTRIES the number of jobs. PACED jobs are due 500 a second; 0 leaves that
// part out. The last line printed is the report, as JSON.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Queue } from 'bullmq';
import IORedis from 'ioredis';
import { now } from './clock.mjs';

const PORT = Number(process.env.PORT);
const ENTRIES = Number(process.env.ENTRIES);
const PACED = Number(process.env.PACED);
const PACE = 500;
/** Jobs of one addBulk; adds, and calls of addBulk, that wait for their answer at the same time. */
const BULK = 1000;
const WINDOW = 100;
const BULK_WINDOW = 4;
/** Jobs that the worker handles at the same time. */
const CONCURRENCY = 100;
const HOUR_MS = 3_600_000;

const redis = new IORedis({ host: '127.0.0.1', port: PORT, maxRetriesPerRequest: null });
let queues = 0;

function job(n, due) {
  const at = Date.now();
  return { name: 'close', data: { n, due }, opts: { delay: Math.max(0, due - at), timestamp: at } };
}

async function addBulk(queue, count, due) {
  let next = 0;
  const client = async () => {
    while (next < count) {
      const start = next;
      const length = Math.min(BULK, count - start);
      next += length;
      await queue.addBulk(Array.from({ length }, (_, n) => job(start + n, due(start + n))));
    }
  };
  await Promise.all(Array.from({ length: BULK_WINDOW }, client));
}

async function addSingly(queue, count, due) {
  let next = 0;
  const client = async () => {
    while (next < count) {
      const { name, data, opts } = job(next, due(next));
      next += 1;
      await queue.add(name, data, opts);
    }
  };
  await Promise.all(Array.from({ length: WINDOW }, client));
}

async function usedMemory() {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))[1]);
}

async function inQueue(measure) {
  queues += 1;
  const name = `close${queues}`;
  const queue = new Queue(name, { connection: redis });
  await queue.waitUntilReady();
  const result = await measure(queue, name);
  await queue.close();
  return result;
}

/** Adds jobs that are due in an hour: per second, bytes for each. */
function schedule(add) {
  return inQueue(async queue => {
    const before = await usedMemory();
    const began = now();
    await add(queue, ENTRIES, () => Date.now() + HOUR_MS);
    const rate = (ENTRIES / (now() - began)) * 1000;
    const bytes = ((await usedMemory()) - before) / ENTRIES;
    if ((await queue.getDelayedCount()) !== ENTRIES) throw new Error('jobs were not stored');
    return { rate, bytes };
  });
}

/** Starts a worker for `count` jobs. `finished` is its report when it has handled all of them. */
async function worker(name, count) {
  const program = fileURLToPath(new URL('./worker.mjs', import.meta.url));
  const child = fork(program, [name, PORT, CONCURRENCY, count].map(String));
  child.on('exit', code => code && process.exit(1));
  await once(child, 'message'); // it is connected
  return { finished: once(child, 'message').then(([report]) => report) };
}

async function inTime(queue, count, due, first) {
  await addBulk(queue, count, due);
  if (Date.now() > first) throw new Error('adding the jobs took longer than planned');
}

/** Jobs per second of a worker that finds all jobs due, without the start of its process. */
function drain(leadMs) {
  return inQueue(async (queue, name) => {
    const due = Date.now() + leadMs;
    await inTime(queue, ENTRIES, () => due, due);
    await sleep(due - Date.now() + 300);
    const { began, last, repeated } = await (await worker(name, ENTRIES)).finished;
    return { rate: (ENTRIES / (last - began)) * 1000, repeated };
  });
}

/** All jobs due at one time: ms until the last is handled. */
function burst(leadMs) {
  return inQueue(async (queue, name) => {
    const { finished } = await worker(name, ENTRIES);
    const due = Date.now() + leadMs;
    await inTime(queue, ENTRIES, () => due, due);
    const { last, repeated } = await finished;
    return { ms: last - due, repeated };
  });
}

/** Jobs due one after the other: lateness in ms. */
function lateness() {
  return inQueue(async (queue, name) => {
    const { finished } = await worker(name, PACED);
    const first = Date.now() + 4000;
    await inTime(queue, PACED, n => first + (n * 1000) / PACE, first);
    return finished;
  });
}

await schedule(addBulk); // warms up
const singles = await schedule(addSingly);
const bulk = await schedule(addBulk);
const leadMs = (ENTRIES / bulk.rate) * 2000 + 2000;
const drained = await drain(leadMs);
const atOnce = await burst(leadMs + 1000); // the worker runs beside it
const late = PACED > 0 ? await lateness() : { late: null, repeated: 0 };
console.log(JSON.stringify({
  singles: singles.rate,
  bulk: bulk.rate,
  bytes: bulk.bytes,
  drain: drained.rate,
  burst_ms: atOnce.ms,
  late_ms: late.late,
  repeated: drained.repeated + atOnce.repeated + late.repeated,
}));
process.exit(0);
