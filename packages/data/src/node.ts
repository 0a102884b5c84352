// @bp/data/node: what reads files and starts worker threads in Node.

export { startWorkers, type WorkersOptions } from './node/workers.ts'
