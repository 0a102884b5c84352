// @bp/data/node: what reads files and starts worker threads in Node.

export {}
