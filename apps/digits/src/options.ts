// The command line of npm start: options and their defaults.

import { choice, flag, type OptionValues, positive, readOptions, text, whole } from '@bp/kit'

const specs = {
  epochs: whole(4, 'passes over the 8,500 training images'),
  batch: whole(32, 'images a step'),
  lr: positive(0.003, "Adam's first rate; it falls to 0"),
  seed: whole(1, 'of the first weights and the data order', 0),
  backend: choice(['cpu'], 'where to compute: cpu', 'B'),
  out: text('out/digits', 'where to write the model', 'DIR'),
  resume: flag('go on from the checkpoint in DIR'),
  eager: flag('train op by op instead of by a compiled step'),
  compare: flag('only time steps, compiled and op by op in turns'),
}

/** What a run is made of. */
export type Options = OptionValues<typeof specs>

/** Reads the command line; where it asks for help, the text of that. Throws a `UsageError` on anything it cannot mean. */
export function parseOptions(argv: readonly string[]): Options | string {
  const read = readOptions(argv, specs, 'Trains a convolutional network on 10,000 handwritten digits, exports it to ONNX, and reads it back.', 'npm start')
  return typeof read === 'string' ? `${read}\nCtrl-C stops after the present step and leaves a checkpoint; --resume goes on exactly from there.\n` : read
}
