// What every layer and loss is held to: PyTorch's numbers op by op, and one training step after the other the same when compiled.

import { compile, type DType, mul, noGrad, Tensor, tensor } from '@bp/core'
import { SGD, type AnyModule, type Module } from '@bp/nn'
import { detach, logSoftmax, sum } from '@bp/ops'
import { expect } from 'vitest'

/** Options that give a layer its dtype. */
export interface Typed {
  readonly dtype: DType
}

/** An input of a row: a shape of floating-point numbers that have a gradient, or what makes the k-th input. */
type Input = readonly number[] | ((k: number, options: Typed) => Made)

interface Made {
  readonly x: Tensor
  /** Whether it has a gradient. */
  readonly learned: boolean
  /** What becomes of it on its way to the layer. */
  readonly through?: (x: Tensor) => Tensor
}

/**
 * A layer with inputs, and what PyTorch 2.15 gives for it in float64: the shape of its result y, the numbers Σ y·sin(1, 2, …) = L,
 * Σ g·cos(1, 2, …) of the gradients g of L by each input that has one and by each parameter, and of each buffer; the names of its state.
 */
export type Row = readonly [name: string, make: (options: Typed) => AnyModule, inputs: readonly Input[], shape: readonly number[], numbers: readonly number[], state: string]

const wave = (shape: readonly number[], f: (i: number) => number, options: Typed): Tensor => tensor(Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => f(i)), { shape, ...options })
const values = (k: number) => (i: number): number => Math.cos(1.3 * i + k)

/** Whole numbers: indices, lengths. */
export const ints = (data: readonly number[], shape: readonly number[] = [data.length]): Input => () => ({ x: tensor(data, { shape, dtype: 'int32' }), learned: false })
/** Whole numbers of a floating-point type. */
export const counts = (data: readonly number[], shape: readonly number[]): Input => (_k, options) => ({ x: tensor(data, { shape, ...options }), learned: false })
/** Numbers between 0 and 1. */
export const shares = (...shape: number[]): Input => (k, options) => ({ x: wave(shape, i => 0.5 + 0.45 * values(k)(i), options), learned: true })
/** −1 and 1. */
export const signs = (...shape: number[]): Input => (k, options) => ({ x: wave(shape, i => Math.sign(values(k)(i)), options), learned: false })
/** Logits that go in as log-probabilities. */
export const logits = (...shape: number[]): Input => (k, options) => ({ x: wave(shape, values(k), options), learned: true, through: x => logSoftmax(x) })

/** The row's module with parameters that PyTorch has had too. */
function setUp([, make]: Row, options: Typed): AnyModule {
  const model = make(options)
  model.parameters().forEach((parameter, k) => { parameter.assign(wave(parameter.shape, i => Math.cos(0.7 * i + k), options)) })
  return model
}

const waysIn = (inputs: readonly Input[]): Omit<Made, 'x'>[] => inputs.map((input, k) => typeof input === 'function' ? input(k, { dtype: 'float64' }) : { learned: true })

/** The result of a module, or its `output`. */
function resultOf(model: AnyModule, xs: Tensor[]): Tensor {
  const result = (model as unknown as Module<Tensor[], Tensor | { readonly output: Tensor }>).forward(...xs)
  return result instanceof Tensor ? result : result.output
}

/** Forward and backward, and a step of the optimiser: the result, L, the gradients of the inputs. */
function learn(model: AnyModule, inputs: readonly Input[], xs: readonly Tensor[], optimiser: SGD | null): { readonly y: Tensor; readonly loss: Tensor; readonly grads: Tensor[] } {
  model.zeroGrad()
  const made = waysIn(inputs)
  const leaves = xs.map((x, k) => {
    const leaf = detach(x)
    if (made[k]!.learned) leaf.requiresGrad = true
    return leaf
  })
  const given = leaves.map((leaf, k) => made[k]!.through?.(leaf) ?? leaf)
  const y = resultOf(model, given)
  const loss = sum(mul(y, wave(y.shape, i => Math.sin(i + 1), { dtype: y.dtype })))
  loss.backward()
  optimiser?.step()
  return { y, loss, grads: leaves.flatMap((leaf, k) => made[k]!.learned ? leaf.grad! : []) }
}

const inputsOf = ([, , inputs]: Row, options: Typed): Tensor[] => inputs.map((input, k) => typeof input === 'function' ? input(k, options).x : wave(input, i => 2 * values(k)(i), options))

const numbersOf = (x: Tensor): number[] => Array.from<number | bigint, number>(x.dataSync(), Number)
const checksum = (x: Tensor): number => numbersOf(x).reduce((s, v, i) => s + v * Math.cos(i + 1), 0)

function expectClose(what: string, got: readonly number[], want: readonly number[], tolerance: number): void {
  expect(got.length, what).toBe(want.length)
  const scale = Math.max(1, ...want.map(Math.abs).filter(Number.isFinite))
  got.forEach((value, i) => { if (!Object.is(value, want[i])) expect(Math.abs(value - want[i]!), `${what}: ${value} and not ${want[i]}`).toBeLessThan(tolerance * scale) })
}

/** Holds a row to PyTorch's numbers. */
export function checkAgainstPyTorch(row: Row): void {
  const [name, , inputs, shape, numbers, state] = row
  const options: Typed = { dtype: 'float64' }
  const model = setUp(row, options)
  const buffers = name.includes('Loss') ? [] : model.namedBuffers().filter(([, buffer]) => buffer.dtype === 'float64')
  const { y, loss, grads } = learn(model, inputs, inputsOf(row, options), null)
  expect(y.shape).toEqual(shape)
  expect([...model.stateDict().keys()].join(' ')).toBe(state)
  expectClose(name, [loss.item(), ...grads.map(checksum), ...model.parameters().map(p => checksum(p.grad!)), ...buffers.map(([, buffer]) => checksum(buffer))], numbers, 1e-6)
}

/** Trains a row for two steps op by op, and for two in a compiled step, and compares everything. */
export function checkCompiled(row: Row): void {
  const [name, , inputs] = row
  const options: Typed = { dtype: 'float32' }
  const xs = inputsOf(row, options)
  const [plain, program] = [false, true].map(compiled => {
    const model = setUp(row, options)
    const optimiser = model.parameters().length > 0 ? new SGD(model.parameters(), { lr: 0.1 }) : null
    const step = (...args: Tensor[]): Tensor[] => {
      const { y, loss, grads } = learn(model, inputs, args, optimiser)
      return [y, loss, ...grads]
    }
    const run = compiled ? compile(step) : step
    return { results: [run(...xs), run(...xs)].flat().map(numbersOf), state: [...model.stateDict().values()].map(numbersOf), evaluated: numbersOf(evaluate(model, inputs, xs, compiled)) }
  })
  plain!.results.forEach((want, i) => { expectClose(`${name}, result ${i}`, program!.results[i]!, want, 2e-5) })
  plain!.state.forEach((want, i) => { expectClose(`${name}, variable ${i}`, program!.state[i]!, want, 2e-5) })
  expectClose(`${name}, evaluated`, program!.evaluated, plain!.evaluated, 2e-5)
}

/** The result in evaluation mode. */
function evaluate(model: AnyModule, inputs: readonly Input[], xs: readonly Tensor[], compiled: boolean): Tensor {
  model.eval()
  const forward = (...args: Tensor[]): Tensor => noGrad(() => resultOf(model, args.map((x, k) => waysIn(inputs)[k]!.through?.(x) ?? x)))
  return (compiled ? compile(forward) : forward)(...xs)
}
