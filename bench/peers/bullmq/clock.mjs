import { performance } from 'node:perf_hooks';

/** Milliseconds since 1970, with fractions. */
export const now = () => performance.timeOrigin + performance.now();
