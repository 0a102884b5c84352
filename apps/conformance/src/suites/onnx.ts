// ONNX's own backend test cases: an imported model must give the expected outputs.

import { noGrad, Tensor } from '@bp/core'
import { decodeValueProto, type ElementType, importOnnx, type ModelValue, type OnnxValue, StringTensor, type TypedValue } from '@bp/onnx'
import { cast } from '@bp/ops'
import { compare, larger, Mismatch, single, type Tolerance, Unsupported } from '../compare.ts'
import { fileOf, type Setting, type Subject, type Suite } from './suite.ts'

/** Cases that no implementation can be judged by, by their names, and why. */
const unjudged: readonly (readonly [name: RegExp, reason: string])[] = [
  [/^test_(bernoulli|multinomial|random(normal|uniform))/, 'what the standard says of these random numbers is their distribution, not their values'],
  [/^test_training_dropout(?!.*zero_ratio)/, 'what the standard says of dropping by a seed is how often, not where'],
  [/^test_image_decoder/, 'decoders of images may round differently, and the standard names none'],
]

/** A case of `model.onnx`, folders `test_data_set_N`, and the files that the model refers to. */
export const onnx: Suite = (subject, setting) => {
  const model = load(subject)
  const sets = [...new Set(Object.keys(subject.files).flatMap(file => /^test_data_set_[^/]*(?=\/)/.exec(file) ?? []))].sort()
  const errors = sets.map(set => {
    const inputs = Object.fromEntries(model.inputs.flatMap((input, i) => {
      const file = `${set}/input_${i}.pb`
      return Object.hasOwn(subject.files, file) ? [[input.name, read(subject, file, input).value] as const] : []
    }))
    const outputs = noGrad(() => model.runValues(inputs))
    return Math.max(0, ...model.outputs.map((output, i) => {
      const want = read(subject, `${set}/output_${i}.pb`, output)
      // that a result is of the type that the file declares has been checked by the model
      if (want.type !== null && want.type !== output.type) throw new Mismatch(`${output.name} is ${output.type}, expected ${want.type}`)
      return compareValues(output.name, outputs[output.name] ?? null, want.value, toleranceOf(output.type ?? output.dtype, setting))
    }))
  })
  return { maxError: Math.max(...errors) }
}

/** The model of a case. One that loads is not judged where the standard does not say what it gives. */
function load(subject: Subject): ReturnType<typeof importOnnx> {
  const reason = unjudged.find(([name]) => name.test(subject.name))?.[1]
  if (reason !== undefined) throw new Unsupported(`cannot be judged: ${reason}`)
  return importOnnx(fileOf(subject, 'model.onnx'), { externalData: file => fileOf(subject, file.replace(/^\.\//, '')) })
}

const read = (subject: Subject, file: string, { kind }: ModelValue): TypedValue => decodeValueProto(fileOf(subject, file), kind === 'tensor' || kind === 'sequence' ? kind : 'optional')

function compareValues(name: string, got: OnnxValue, want: OnnxValue, tolerance: Tolerance): number {
  if (got instanceof Tensor && want instanceof Tensor) return compare(name, readable(got), readable(want), tolerance)
  if (got instanceof StringTensor && want instanceof StringTensor) {
    if (String(got.shape) !== String(want.shape)) throw new Mismatch(`${name} has shape [${got.shape.join(',')}], expected [${want.shape.join(',')}]`)
    const wrong = want.data.findIndex((text, i) => text !== got.data[i])
    if (wrong >= 0) throw new Mismatch(`${name}[${wrong}] is ${JSON.stringify(got.data[wrong])}, expected ${JSON.stringify(want.data[wrong])}`)
    return 0
  }
  if (isList(got) && isList(want)) {
    if (got.length !== want.length) throw new Mismatch(`${name} has ${got.length} entries, expected ${want.length}`)
    return Math.max(0, ...want.map((item, i) => compareValues(`${name}[${i}]`, got[i]!, item, tolerance)))
  }
  if (got === null && want === null) return 0
  throw new Mismatch(`${name} is ${nameOf(got)}, expected ${nameOf(want)}`)
}

const isList = (value: OnnxValue): value is readonly OnnxValue[] => Array.isArray(value)

const nameOf = (value: OnnxValue): string => value === null ? 'empty' : isList(value) ? 'a sequence' : value instanceof StringTensor ? 'strings' : `a tensor of ${value.dtype}`

/** float16 as numbers rather than as its bits. */
const readable = (x: Tensor): Tensor => x.dtype === 'float16' ? cast(x, 'float32') : x

/** Two units in the last place of short floats, for results computed and rounded in another order; the tolerances of ONNX's own runner for the rest. */
function toleranceOf(type: ElementType, setting: Setting): Tolerance {
  const ulp = type === 'bfloat16' ? 2 ** -7 : type === 'float16' ? 2 ** -10 : 0
  const own = { rtol: Math.max(1e-3, 2 * ulp), atol: 0, share: 1e-5 }
  return setting.single ? larger(own, single) : own
}
