// @bp/train/node: checkpoints and logs as files in Node.

export { CheckpointFiles, type CheckpointFilesOptions } from './files/checkpointFiles.ts'
export { EventFile, LogFile } from './files/logFiles.ts'
export { writeWhole } from './files/writeWhole.ts'
