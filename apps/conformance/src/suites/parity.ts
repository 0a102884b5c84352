// PyTorch's own numbers: gradients of imported models, and whole training runs.

import { compile, gradients, type Tensor, type Tree, zerosLike } from '@bp/core'
import { clipGradNorm, decodeSafetensors, type Parameter } from '@bp/nn'
import { importOnnx, type OnnxModule } from '@bp/onnx'
import { detach, div } from '@bp/ops'
import { compare, compareNumbers, larger, Mismatch, single, type Tolerance } from '../compare.ts'
import { fileOf, type Outcome, type Suite, textOf } from './suite.ts'
import { beforeVersion2, type LossSpec, lossOf, type OptimizerSpec, optimizerOf } from './torch.ts'

interface CaseFile extends Tolerance {
  readonly kind: 'vjp' | 'train'
  readonly trainingMode: boolean
  readonly grads?: readonly string[]
  readonly steps?: number
  readonly loss?: LossSpec
  readonly optimizer?: OptimizerSpec
  readonly clipGradNorm?: number | null
  readonly accumulate?: number
}

interface Loaded {
  readonly spec: CaseFile
  readonly tolerance: Tolerance
  /** Below this share of the model's largest gradient, a gradient is rounding and nothing else: on the CPU, and where sums round more. */
  readonly roundingShare: number
  readonly model: OnnxModule
  /** A tensor of the data file by name. */
  readonly data: (name: string) => Tensor
  readonly names: readonly string[]
  /** The function, or its compiled form where that is what is tested. */
  readonly maybeCompile: <A extends readonly Tree[], R extends Tree>(f: (...args: A) => R) => (...args: A) => R
}

/** A case of `case.json`, `data.safetensors` and `model.onnx`. */
export const parity: Suite = (subject, { compiled, single: loosely }) => {
  const spec = JSON.parse(textOf(subject, 'case.json')) as CaseFile
  const { tensors } = decodeSafetensors(fileOf(subject, 'data.safetensors'))
  const model = importOnnx(fileOf(subject, 'model.onnx')).train(spec.trainingMode)
  const data = (name: string): Tensor => {
    const value = tensors.get(name)
    if (!value) throw new Mismatch(`the data file has no ${name}`)
    return value
  }
  const loaded: Loaded = { spec, tolerance: loosely ? larger(spec, single) : spec, roundingShare: loosely ? 1e-5 : 1e-6, model, data, names: [...tensors.keys()], maybeCompile: compiled ? compile : f => f }
  return spec.kind === 'vjp' ? { maxError: runVjp(loaded) } : runTraining(loaded)
}

/** The data file's names under a prefix, without it. */
const under = (names: readonly string[], prefix: string): string[] => names.filter(name => name.startsWith(prefix)).map(name => name.slice(prefix.length))

function runVjp({ spec, tolerance, model, data, names, maybeCompile }: Loaded): number {
  const grads = spec.grads ?? []
  const inputs = Object.fromEntries(under(names, 'input/').map(name => [name, data(`input/${name}`)]))
  const parameters = new Map(model.namedParameters())
  const pulled = under(names, 'cotangent/')
  // the function makes leaves of its inputs itself, so that it can be compiled as it is
  const run = maybeCompile((given: Record<string, Tensor>, cts: Tensor[]) => {
    const xs = Object.fromEntries(Object.entries(given).map(([name, x]) => [name, detach(x)]))
    for (const name of grads) if (xs[name]) xs[name].requiresGrad = true
    const outputs = model.run(xs)
    const by = grads.map(name => xs[name] ?? parameters.get(name) ?? missing(name))
    // PyTorch gives zeros where the dependence is through a step, whose derivative is zero
    const reached = pulled.flatMap((name, i) => outputs[name]!.requiresGrad ? [[outputs[name]!, cts[i]!] as const] : [])
    const found = reached.length > 0 ? gradients(reached.map(([y]) => y), by, { gradOutputs: reached.map(([, ct]) => ct) }) : []
    return { outputs, got: by.map((x, i) => found[i] ?? zerosLike(x)) }
  })
  const { outputs, got } = run(inputs, pulled.map(name => data(`cotangent/${name}`)))
  const wanted = under(names, 'output/')
  const errors = wanted.map(name => compare(`output/${name}`, outputs[name]!, data(`output/${name}`), tolerance))
  grads.forEach((name, i) => { errors.push(compare(`grad/${name}`, got[i]!, data(`grad/${name}`), tolerance)) })
  return Math.max(...errors)
}

function missing(name: string): never {
  throw new Mismatch(`the imported model has no input or parameter named ${name}`)
}

function runTraining({ spec, tolerance, roundingShare, model, data, names, maybeCompile }: Loaded): Outcome {
  const accumulate = spec.accumulate ?? 1
  const earlier = model.producer.name === 'pytorch' && /^[01]\./.test(model.producer.version) ? beforeVersion2[spec.optimizer!.name.toLowerCase()] : undefined
  const optimiser = optimizerOf({ ...spec.optimizer!, ...earlier?.options }, model.parameters())
  const noise = new NoiseWatch(model.namedParameters(), spec.optimizer!)
  const losses: number[] = []
  const norms: number[] = []
  const batches = new Set(under(names, 'batch/').map(name => name.split('/')[0])).size
  const input = model.inputs[0]!.name
  const output = model.outputs[0]!.name
  const update = maybeCompile((xs: Tensor[], ys: Tensor[]) => {
    optimiser.zeroGrad()
    const found = xs.map((x, i) => {
      const loss = lossOf(spec.loss!, model.run({ [input]: x })[output]!, ys[i]!)
      const scaled = accumulate === 1 ? loss : div(loss, accumulate)
      scaled.backward()
      return detach(loss)
    })
    const norm = spec.clipGradNorm == null ? [] : [clipGradNorm(model.parameters(), spec.clipGradNorm)]
    const grads = Object.fromEntries(model.namedParameters().flatMap(([name, { grad }]) => grad ? [[name, grad]] : []))
    optimiser.step()
    return { losses: found, norm, grads }
  })
  for (let k = 0; k + accumulate <= batches; k += accumulate) {
    const micro = Array.from({ length: accumulate }, (_, i) => k + i)
    const { losses: found, norm, grads } = update(micro.map(i => data(`batch/${i}/x`)), micro.map(i => data(`batch/${i}/y`)))
    losses.push(...found.map(loss => loss.item()))
    norms.push(...norm.map(n => n.item()))
    noise.see(grads)
  }
  const errors = [compareNumbers('loss', losses, data('loss').dataSync(), tolerance)]
  if (names.includes('gradNorm')) errors.push(compareNumbers('gradNorm', norms, data('gradNorm').dataSync(), tolerance))
  const parameters = new Map<string, Parameter>(model.namedParameters())
  let loose = 0
  for (const name of under(names, 'final/')) {
    const got = (parameters.get(name) ?? missing(name)).dataSync() as Float32Array
    const want = data(`final/${name}`).dataSync() as Float32Array
    const rounding = noise.undetermined(name, roundingShare)
    if (rounding.length > 0) {
      checkDrift(name, got, data(`initial/${name}`).dataSync() as Float32Array, rounding, spec.optimizer!, losses.length / accumulate)
      for (const i of rounding) got[i] = want[i]!
      loose += rounding.length
    }
    errors.push(compareNumbers(`final/${name}`, got, want, tolerance))
  }
  const note = [...loose > 0 ? [`${loose} parameter elements have no gradient but rounding: only their drift was checked`] : [], ...earlier ? [earlier.note] : []].join('; ')
  return { maxError: Math.max(...errors), note }
}

/**
 * Finds elements of parameters whose gradient is zero but for rounding in every step: a bias in front of a batch
 * normalisation, the bias of attention's keys. Optimisers that divide by the gradient's own size step by the sign of that
 * rounding, so that where such an element ends is not determined, in PyTorch either.
 */
class NoiseWatch {
  private readonly most: ReadonlyMap<string, Float64Array>
  private readonly parameters: readonly (readonly [string, Parameter])[]

  constructor(parameters: readonly (readonly [string, Parameter])[], optimizer: OptimizerSpec) {
    this.parameters = optimizer.name === 'sgd' ? [] : parameters
    this.most = new Map(this.parameters.map(([name, parameter]) => [name, new Float64Array(parameter.size)]))
  }

  /** Notes the gradients of a step. */
  see(grads: Readonly<Record<string, Tensor>>): void {
    for (const [name] of this.parameters) {
      const most = this.most.get(name)!
      grads[name]?.dataSync().forEach((g: number | bigint, i: number) => { most[i] = Math.max(most[i]!, Math.abs(Number(g))) })
    }
  }

  /** The places of elements whose gradients are all below a share of the largest. */
  undetermined(name: string, roundingShare: number): number[] {
    const largest = [...this.most.values()].reduce((top, list) => list.reduce((a, b) => Math.max(a, b), top), 0)
    return [...this.most.get(name) ?? []].flatMap((most, i) => most > 0 && most <= roundingShare * largest ? i : [])
  }
}

/** The optimiser cannot have moved an undetermined element further than its rate, and its decay, times its steps. */
function checkDrift(name: string, got: Float32Array, initial: Float32Array, places: readonly number[], { lr, weight_decay: decay = 0 }: OptimizerSpec, steps: number): void {
  const moved = (list: Float32Array): number[] => places.map(i => list[i]!)
  const rate = (lr as number) * steps
  compareNumbers(`the drift of ${name}`, moved(got), moved(initial), { rtol: rate * (decay as number), atol: rate })
}
