// bp-onnx run: a model on files or random numbers.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { noGrad, Tensor } from '@bp/core'
import { encodeNpy, ndarray } from '@bp/data'
import { type OnnxValue, StringTensor } from '@bp/onnx'
import { columns, typed } from './columns.ts'
import type { Command } from './command.ts'
import { feedOptions, feedsOf, loadModel } from './model.ts'

/** Smallest, largest and mean element. */
function statistics(x: Tensor): string[] {
  const list = Array.from<number | bigint, number>(x.dataSync(), Number)
  if (list.length === 0) return ['', '', '']
  return [list.reduce((a, b) => Math.min(a, b)), list.reduce((a, b) => Math.max(a, b)), list.reduce((a, b) => a + b) / list.length].map(n => n.toPrecision(6))
}

/** What an output is, in a few words. */
export const describe = (x: OnnxValue): string => x === null ? 'nothing' : x instanceof Tensor ? typed(x.dtype, x.shape) : x instanceof StringTensor ? typed('string', x.shape) : `a list of ${(x).length}`

/** A name as the name of a file. */
const fileName = (name: string): string => `${name.replaceAll(/[^\w.-]+/g, '_')}.npy`

export const run: Command = {
  usage: 'MODEL [options]', about: 'Runs a model and prints what comes out.',
  options: { ...feedOptions, output: ['DIR', 'a folder for the outputs, as .npy'] },
  run: (args, say) => {
    const model = loadModel(args.files[0])
    const feeds = feedsOf(model, args)
    const start = performance.now()
    const outputs = noGrad(() => model.runValues(feeds))
    const milliseconds = performance.now() - start
    const rows = Object.entries(outputs).map(([name, x]) => [name, describe(x), ...x instanceof Tensor ? statistics(x) : ['', '', '']])
    say(columns([['output', 'shape', 'least', 'largest', 'mean'], ...rows], [2, 3, 4]))
    say(`${milliseconds.toFixed(1)} ms, the first run`)
    const folder = args.last('output')
    if (folder !== undefined) {
      mkdirSync(folder, { recursive: true })
      const tensors = Object.entries(outputs).flatMap(([name, x]) => x instanceof Tensor ? [[fileName(name), x] as const] : [])
      for (const [file, x] of tensors) writeFileSync(join(folder, file), encodeNpy(ndarray(x.dataSync(), x.shape, x.dtype)))
      say(`written to ${folder}: ${tensors.map(([file]) => file).join(', ') || 'nothing, for no output is a tensor of numbers'}`)
    }
    return 0
  },
}
