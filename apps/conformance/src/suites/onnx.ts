// ONNX's own backend test cases: an imported model must give the expected outputs.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { noGrad, Tensor } from '@bp/core'
import { decodeValueProto, type ElementType, importOnnx, type ModelValue, type OnnxValue, StringTensor, type TypedValue } from '@bp/onnx'
import { cast } from '@bp/ops'
import { compare, Mismatch, type Tolerance, Unsupported } from '../compare.ts'
import type { Case, Suite } from './suite.ts'

/** Every folder under the path that holds a `model.onnx` and test data. */
export const onnx: Suite = path => {
  const models = readdirSync(path, { recursive: true, encoding: 'utf8' }).filter(file => basename(file) === 'model.onnx').map(file => join(path, dirname(file))).sort()
  return models.filter(folder => dataSets(folder).length > 0).map((folder): Case => ({ name: basename(folder), run: () => ({ maxError: runFolder(folder) }) }))
}

const dataSets = (folder: string): string[] => readdirSync(folder).filter(name => name.startsWith('test_data_set_')).sort().map(name => join(folder, name))

/** Cases that no implementation can be judged by, by their names, and why. */
const unjudged: readonly (readonly [name: RegExp, reason: string])[] = [
  [/^test_(bernoulli|multinomial|random(normal|uniform))/, 'what the standard says of these random numbers is their distribution, not their values'],
  [/^test_training_dropout(?!.*zero_ratio)/, 'what the standard says of dropping by a seed is how often, not where'],
  [/^test_image_decoder/, 'decoders of images may round differently, and the standard names none'],
]

function runFolder(folder: string): number {
  const model = load(folder)
  return Math.max(...dataSets(folder).map(set => {
    const inputs = Object.fromEntries(model.inputs.flatMap((input, i) => {
      const file = join(set, `input_${i}.pb`)
      return existsSync(file) ? [[input.name, read(file, input).value] as const] : []
    }))
    const outputs = noGrad(() => model.runValues(inputs))
    return Math.max(0, ...model.outputs.map((output, i) => {
      const want = read(join(set, `output_${i}.pb`), output)
      // that a result is of the type that the file declares has been checked by the model
      if (want.type !== null && want.type !== output.type) throw new Mismatch(`${output.name} is ${output.type}, expected ${want.type}`)
      return compareValues(output.name, outputs[output.name] ?? null, want.value, output.type)
    }))
  }))
}

/** The model of a folder. One that loads is not judged where the standard does not say what it gives. */
function load(folder: string): ReturnType<typeof importOnnx> {
  const reason = unjudged.find(([name]) => name.test(basename(folder)))?.[1]
  if (reason !== undefined) throw new Unsupported(`cannot be judged: ${reason}`)
  return importOnnx(readFileSync(join(folder, 'model.onnx')), { externalData: file => readFileSync(join(folder, file)) })
}

const read = (file: string, { kind }: ModelValue): TypedValue => decodeValueProto(readFileSync(file), kind === 'tensor' || kind === 'sequence' ? kind : 'optional')

function compareValues(name: string, got: OnnxValue, want: OnnxValue, type: ElementType): number {
  if (got instanceof Tensor && want instanceof Tensor) return compare(name, readable(got), readable(want), toleranceOf(want, type))
  if (got instanceof StringTensor && want instanceof StringTensor) {
    if (String(got.shape) !== String(want.shape)) throw new Mismatch(`${name} has shape [${got.shape.join(',')}], expected [${want.shape.join(',')}]`)
    const wrong = want.data.findIndex((text, i) => text !== got.data[i])
    if (wrong >= 0) throw new Mismatch(`${name}[${wrong}] is ${JSON.stringify(got.data[wrong])}, expected ${JSON.stringify(want.data[wrong])}`)
    return 0
  }
  if (isList(got) && isList(want)) {
    if (got.length !== want.length) throw new Mismatch(`${name} has ${got.length} entries, expected ${want.length}`)
    return Math.max(0, ...want.map((item, i) => compareValues(`${name}[${i}]`, got[i]!, item, type)))
  }
  if (got === null && want === null) return 0
  throw new Mismatch(`${name} is ${nameOf(got)}, expected ${nameOf(want)}`)
}

const isList = (value: OnnxValue): value is readonly OnnxValue[] => Array.isArray(value)

const nameOf = (value: OnnxValue): string => value === null ? 'empty' : isList(value) ? 'a sequence' : value instanceof StringTensor ? 'strings' : `a tensor of ${value.dtype}`

/** float16 as numbers rather than as its bits. */
const readable = (x: Tensor): Tensor => x.dtype === 'float16' ? cast(x, 'float32') : x

/** Two units in the last place of short floats, for results computed and rounded in another order; the tolerances of ONNX's own runner for the rest. */
function toleranceOf(want: Tensor, type: ElementType): Tolerance {
  const ulp = type === 'bfloat16' ? 2 ** -7 : type === 'float16' ? 2 ** -10 : 0
  return { rtol: Math.max(1e-3, 2 * ulp), atol: 1e-5 * Math.max(1, largest(readable(want))) }
}

/** The largest finite magnitude. */
function largest(x: Tensor): number {
  let most = 0
  for (const value of x.dataSync() as Iterable<number | bigint>) {
    const size = Math.abs(Number(value))
    if (Number.isFinite(size) && size > most) most = size
  }
  return most
}
