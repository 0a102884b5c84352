// bp-onnx diff: two models on the same inputs, and what they are made of.

import { noGrad, Tensor } from '@bp/core'
import { type OnnxModule, type OnnxValue, StringTensor } from '@bp/onnx'
import { columns } from './columns.ts'
import { type Command, numberOf, UsageError } from './command.ts'
import { feedOptions, feedsOf, loadModel } from './model.ts'
import { describe } from './run.ts'

/** How far two tensors of one shape are apart. */
export interface Distance {
  /** max |a − b|. */
  readonly absolute: number
  /** max |a − b| by the largest magnitude in a. */
  readonly relative: number
}

const equal: Distance = { absolute: 0, relative: 0 }
const far: Distance = { absolute: Infinity, relative: Infinity }

/** How far two values are apart; infinitely where kinds, types, shapes, strings, or places of NaN differ. */
export function distance(a: OnnxValue, b: OnnxValue): Distance {
  if (a instanceof Tensor && b instanceof Tensor) return apart(a, b)
  if (a instanceof StringTensor && b instanceof StringTensor) return a.shape.join() === b.shape.join() && a.data.every((text, i) => text === b.data[i]) ? equal : far
  if (!isList(a) || !isList(b)) return a === b ? equal : far
  if (a.length !== b.length) return far
  const all = a.map((item, i) => distance(item, b[i]!))
  return { absolute: Math.max(0, ...all.map(d => d.absolute)), relative: Math.max(0, ...all.map(d => d.relative)) }
}

const isList = (x: OnnxValue): x is readonly OnnxValue[] => Array.isArray(x)

function apart(a: Tensor, b: Tensor): Distance {
  if (a.dtype !== b.dtype || a.shape.join() !== b.shape.join()) return far
  const [x, y] = [a, b].map(t => Array.from<number | bigint, number>(t.dataSync(), Number)) as [number[], number[]]
  let absolute = 0
  let largest = 0
  x.forEach((value, i) => {
    const same = Object.is(value, y[i]) || value === y[i]
    const apart = same ? 0 : Math.abs(value - y[i]!)
    absolute = Math.max(absolute, Number.isNaN(apart) ? Infinity : apart)
    if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value))
  })
  return { absolute, relative: absolute === 0 ? 0 : absolute / (largest || 1) }
}

/** What two models are fed and give alike is compared by name, and by place where the names differ. */
function pairs(a: OnnxModule, b: OnnxModule): [string, string][] {
  const named = a.outputs.every(({ name }) => b.outputs.some(output => output.name === name))
  if (a.outputs.length !== b.outputs.length) throw new UsageError(`the models have ${a.outputs.length} and ${b.outputs.length} outputs`)
  return a.outputs.map(({ name }, i) => [name, named ? name : b.outputs[i]!.name])
}

export const diff: Command = {
  usage: 'MODEL OTHER [options]', about: 'Runs two models on the same inputs and tells how far their outputs are apart. Ends with 1 where that is more than the tolerance.',
  options: { ...feedOptions, tolerance: ['X', 'the largest difference by the largest magnitude of the output (1e-5)'] },
  run: (args, say) => {
    const [a, b] = [loadModel(args.files[0]), loadModel(args.files[1])]
    const tolerance = numberOf(args, 'tolerance', 1e-5)
    const feeds = feedsOf(a, args)
    if (a.inputs.length !== b.inputs.length) throw new UsageError(`the models have ${a.inputs.length} and ${b.inputs.length} inputs`)
    const others = Object.fromEntries(b.inputs.map(({ name }, i) => [name, feeds[name] ?? feeds[a.inputs[i]!.name]!]))
    const [ys, zs] = noGrad(() => [a.runValues(feeds), b.runValues(others)])
    const rows = pairs(a, b).map(([mine, other]) => ({ name: mine, y: ys[mine]!, z: zs[other]!, ...distance(ys[mine]!, zs[other]!) }))
    say(columns([['output', 'model', 'other', 'largest difference', 'relative'], ...rows.map(({ name, y, z, absolute, relative }) =>
      [name, describe(y), describe(z), absolute.toPrecision(3), relative.toPrecision(3)])], [3, 4]))
    const different = rows.filter(({ relative }) => !(relative <= tolerance))
    say(different.length === 0 ? `equal within ${tolerance}` : `different by more than ${tolerance}: ${different.map(({ name }) => name).join(', ')}`)
    return different.length === 0 ? 0 : 1
  },
}
