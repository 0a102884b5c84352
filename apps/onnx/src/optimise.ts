// bp-onnx optimise: a model with less to compute, checked against what it was.

import { writeFileSync } from 'node:fs'
import { noGrad } from '@bp/core'
import { importOnnx, optimiseOnnx } from '@bp/onnx'
import { bytes, columns } from './columns.ts'
import { type Command, UsageError } from './command.ts'
import { distance } from './diff.ts'
import { feedOptions, feedsOf, readModel } from './model.ts'

/** Rewritten sums round otherwise; what differs by more than this is not the same model. */
const tolerance = 1e-3

export const optimise: Command = {
  usage: 'MODEL --output FILE [options]', about: 'Folds constants, drops nodes without effect and fuses patterns, and checks that the outputs stay the same.',
  options: { output: ['FILE', 'where the model is written'], ...feedOptions },
  flags: { trainable: 'leave parameters as they are, for a model that is still to be trained' },
  run: (args, say) => {
    const to = args.last('output')
    if (to === undefined) throw new UsageError('say where the model is written: --output FILE')
    const { bytes: from, externalData } = readModel(args.files[0])
    const { bytes: made, rewrites } = optimiseOnnx(from, { externalData, trainable: args.on('trainable') })
    const [before, after] = [importOnnx(from, { externalData }), importOnnx(made)]
    say(columns([['rewriting', 'places'], ...[...rewrites].map(([name, places]) => [name, String(places)])], [1]))
    say(`${before.nodes.length} nodes to ${after.nodes.length}, ${bytes(from.length)} to ${bytes(made.length)}`)
    const feeds = feedsOf(before, args)
    const [ys, zs] = noGrad(() => [before.runValues(feeds), after.runValues(feeds)])
    const far = Math.max(0, ...Object.entries(ys).map(([name, y]) => distance(y, zs[name]!).relative))
    if (!(far <= tolerance)) {
      say(`the outputs differ by ${far.toPrecision(3)} of the largest magnitude; nothing was written. Please report this model`)
      return 1
    }
    writeFileSync(to, made)
    say(`largest difference of an output: ${far.toPrecision(3)} of its largest magnitude\nwritten to ${to}`)
    return 0
  },
}
