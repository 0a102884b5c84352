// @bp/data/node: what reads files and starts worker threads in Node.

export { readCsv, readIdx, readImage, readNpy, readNpz, readSafetensors, streamCsv, writeNpy, writeNpz, type FilePath } from './node/files.ts'
export { ImageFolder, type ImageFolderOptions } from './node/imageFolder.ts'
export { startWorkers, type WorkersOptions } from './node/workers.ts'
