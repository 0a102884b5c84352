// @bp/train/node: checkpoints and logs as files in Node.

export {}
