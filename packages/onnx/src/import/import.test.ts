// Imported models against files exported by PyTorch: outputs, gradients of inputs and parameters, and whole training runs.

import { readdirSync, readFileSync } from 'node:fs'
import { grad, gradients, type Tensor, tensor, use, zeros, zerosLike } from '@bp/core'
import { trace } from '@bp/core/extend'
import { cpu } from '@bp/backend-cpu'
import { Adam, bceWithLogits, crossEntropy, decodeSafetensors, functionalCall, SGD } from '@bp/nn'
import { mul, sin, sum } from '@bp/ops'
import proto from 'onnx-proto'
import { describe, expect, test } from 'vitest'
import { exportOnnx, importOnnx, UnsupportedOperatorError } from '../index.ts'
import { constantNode, graphOf, initialiser, modelBytes, node, value } from '../../test/model.ts'
import { int64s } from './value.ts'

use(cpu())

const kinds = proto.onnx.AttributeProto.AttributeType
const fixtures = new URL('../../test/fixtures/', import.meta.url)

interface Case {
  readonly rtol: number
  readonly atol: number
  readonly inputs: string[]
  readonly outputs: string[]
  readonly grads: string[]
  readonly parameters: string[]
  readonly steps: number
  readonly loss: { readonly name: string }
  readonly optimizer: { readonly name: string; readonly lr: number; readonly momentum?: number }
}

function load(path: string): { config: Case; data: (name: string) => Tensor; model: ReturnType<typeof importOnnx> } {
  const read = (file: string): Uint8Array => readFileSync(new URL(`${path}/${file}`, fixtures))
  const { tensors } = decodeSafetensors(read('data.safetensors'))
  const data = (name: string): Tensor => tensors.get(name) ?? expect.fail(`no ${name}`)
  return { config: JSON.parse(new TextDecoder().decode(read('case.json'))) as Case, data, model: importOnnx(read('model.onnx')) }
}

function expectClose(name: string, got: Tensor | null | undefined, want: Tensor, { rtol, atol }: Case): void {
  expect(`${name} ${got?.dtype} ${String(got?.shape)}`).toBe(`${name} ${want.dtype} ${String(want.shape)}`)
  const a = got!.dataSync()
  const b = want.dataSync()
  for (let i = 0; i < b.length; i++) expect(Math.abs(Number(a[i]) - Number(b[i])), `${name}[${i}]`).toBeLessThanOrEqual(atol + rtol * Math.abs(Number(b[i])))
}

describe('forward and vector-Jacobian products equal PyTorch', () => {
  test.each(readdirSync(new URL('vjp/', fixtures)))('%s', name => {
    const { config, data, model } = load(`vjp/${name}`)
    const feeds = Object.fromEntries(config.inputs.map(input => [input, data(`input/${input}`)]))
    for (const input of config.inputs) if (config.grads.includes(input)) feeds[input]!.requiresGrad = true
    const outputs = model.run(feeds)
    for (const output of config.outputs) expectClose(output, outputs[output], data(`output/${output}`), config)
    const parameters = new Map<string, Tensor>(model.namedParameters())
    const wrt = config.grads.map(grad => feeds[grad] ?? parameters.get(grad) ?? expect.fail(`no parameter ${grad}`))
    const got = gradients(config.outputs.map(output => outputs[output]!), wrt, { gradOutputs: config.outputs.map(output => data(`cotangent/${output}`)) })
    config.grads.forEach((grad, i) => { expectClose(grad, got[i], data(`grad/${grad}`), config) })
  })
})

describe('training an imported model equals PyTorch', () => {
  test.each(readdirSync(new URL('train/', fixtures)))('%s', name => {
    const { config, data, model } = load(`train/${name}`)
    const { lr, momentum = 0 } = config.optimizer
    const optimiser = config.optimizer.name === 'adam' ? new Adam(model.parameters(), { lr }) : new SGD(model.parameters(), { lr, momentum })
    const lossOf = config.loss.name === 'bce_with_logits' ? bceWithLogits : crossEntropy
    const losses = Array.from({ length: config.steps }, (_, step) => {
      model.zeroGrad()
      const loss = lossOf(model.forward(data(`batch/${step}/x`)) as Tensor, data(`batch/${step}/y`))
      loss.backward()
      optimiser.step()
      return loss.item()
    })
    expectClose('loss', tensor(losses), data('loss'), config)
    for (const [parameter, variable] of model.namedParameters()) expectClose(parameter, variable, data(`final/${parameter}`), config)
    expect(model.namedParameters().map(([parameter]) => parameter).sort()).toEqual([...config.parameters].sort())
  })
})

describe('what becomes of the values in a file', () => {
  test('the program that wrote it is told', () => {
    expect(load('vjp/linear').model.producer).toEqual({ name: 'pytorch', version: '1.13.0' })
  })

  test('running statistics are buffers, and train() moves them while the file alone does not', () => {
    const { data, model } = load('vjp/batchnorm_train')
    expect(model.namedBuffers().map(([name]) => name)).toEqual(['running_mean', 'running_var'])
    const before = String(model.stateDict().get('running_mean'))
    model.forward(data('input/x0'))
    expect(String(model.stateDict().get('running_mean'))).toBe(before)
    model.train().forward(data('input/x0'))
    expect(String(model.stateDict().get('running_mean'))).not.toBe(before)
    const moved = String(model.stateDict().get('running_mean'))
    const y = String(model.eval().forward(data('input/x0')))
    expect(String(model.stateDict().get('running_mean'))).toBe(moved)
    expect(y).not.toBe(String(model.train().forward(data('input/x0'))))
  })

  test('float Constant nodes with axes are parameters; scalars and literals of PyTorch programs are not', () => {
    const bytes = modelBytes(graphOf([
      constantNode('w', [2], [1, 2]), constantNode('half', [], [0.5]), constantNode('/a/Constant_1_output_0', [2], [3, 4]),
      node('Mul', ['x', 'w'], ['a']), node('Mul', ['a', 'half'], ['b']), node('Add', ['b', '/a/Constant_1_output_0'], ['y']),
    ], [value('x', [2])], [value('y', [2])]))
    const model = importOnnx(bytes)
    expect(model.namedParameters().map(([name]) => name)).toEqual(['w'])
    expect(String(model.forward(tensor([2, 2])))).toBe('tensor([4, 6], float32)')
  })

  test('literals that PyTorch\'s newer exporter names itself are no parameters; weights that it has turned are', () => {
    const graph = graphOf([
      constantNode('tmp_3', [2], [1, 2]), node('Mul', ['x', 'val_1'], ['a']), node('Mul', ['a', 'val_2'], ['b']), node('Add', ['b', 'tmp_3'], ['c']), node('Add', ['c', 'scalar_tensor_default'], ['d']),
      node('Add', ['d', 'norm.weight'], ['y']),
    ], [value('x', [2])], [value('y', [2])], [initialiser('val_1', [1], [0.5]), initialiser('val_2', [2], [3, 4]), initialiser('scalar_tensor_default', [], [1]), initialiser('norm.weight', [2], [1, 1])])
    const names = (producer: string): string[] => [...importOnnx(modelBytes(graph, 17, producer)).namedParameters()].map(([name]) => name)
    expect(names('pytorch')).toEqual(['val_2', 'norm.weight'])
    expect(names('other')).toEqual(['val_1', 'val_2', 'scalar_tensor_default', 'norm.weight', 'tmp_3'])
    expect(String(importOnnx(modelBytes(graph, 17, 'pytorch')).forward(tensor([2, 4])))).toBe('tensor([6, 12], float32)')
  })

  test('a model runs with other tensors in place of its parameters, as a function to differentiate', () => {
    const { data, model } = load('vjp/linear')
    const [name, parameter] = model.namedParameters()[0]!
    const x = data('input/x0')
    const loss = (w: Tensor): Tensor => sum(functionalCall(model, { [name]: w }, x) as Tensor)
    sum(model.forward(x) as Tensor).backward()
    expect(String(grad(loss)(parameter))).toBe(String(parameter.grad))
    expect(loss(zerosLike(parameter)).item()).not.toBeCloseTo(loss(parameter).item(), 3)
  })

  test('whole numbers that exceed int64 once rounded are held at its ends, as the ends of slices in PyTorch\'s attention are', () => {
    expect(int64s([2 ** 63, -(2 ** 63), -1]).data).toEqual(BigInt64Array.of(2n ** 63n - 1n, -(2n ** 63n), -1n))
  })

  test('shape arithmetic stays out of a trace', () => {
    const { model } = load('vjp/unary_expand')
    const graph = trace(x => model.forward(x), model.inputs.map(({ shape, dtype }) => ({ shape: shape as number[], dtype })))
    expect(graph.nodes.map(({ row }) => row.name)).toEqual(['slice', 'broadcastTo', 'mul'])
  })

  test('an imported model is exported again with the same parameters and predictions', () => {
    const { data, model } = load('train/mlp_adam')
    const again = importOnnx(exportOnnx(model, model.inputs.map(({ name, shape, dtype }) => ({ name, shape: shape as number[], dtype }))))
    expect(again.namedParameters().map(([name]) => name).sort()).toEqual(model.namedParameters().map(([name]) => name).sort())
    const x = data('batch/0/x')
    expect(String(again.forward(x))).toBe(String(model.forward(x)))
  })
})

describe('operators that are missing', () => {
  const bytes = modelBytes(graphOf([node('Frob', ['x'], ['a']), node('Quux', ['a'], ['b']), node('Relu', ['b'], ['y'])], [value('x', [2])], [value('y', [2])]))

  test('are all listed when the model is loaded', () => {
    const error = (() => { try { importOnnx(bytes) } catch (e) { return e } return null })() as UnsupportedOperatorError
    expect(error).toBeInstanceOf(UnsupportedOperatorError)
    expect(error.operators).toEqual(['Frob', 'Quux'])
    expect(error.code).toBe('data')
    expect(error.message).toMatchInlineSnapshot('"importOnnx: unsupported operators: Frob (node "a", opset 17), Quux (node "b", opset 17). Export the model without them, or pass implementations in importOnnx(bytes, { operators: { Frob: … } })"')
  })

  test('can be given by the user', () => {
    const model = importOnnx(bytes, { operators: { Frob: ([x]) => mul(x!, 2), Quux: ([x]) => mul(x!, -1) } })
    expect(String(model.forward(tensor([1, -1])))).toBe('tensor([0, 2], float32)')
  })

  test('are, where given in ops, differentiated, and exported again as what they do', () => {
    const swirl = { ...node('Swirl', ['x', '', 'w'], ['y']), domain: 'acme', attribute: [{ name: 'turns', type: kinds.FLOAT, f: 0.5 }] }
    const graph = graphOf([swirl], [value('x', [2])], [value('y', [2])], [initialiser('w', [2], [3, 4])])
    const bytes = Uint8Array.from(proto.onnx.ModelProto.encode({ irVersion: 8, opsetImport: [{ version: 17 }, { domain: 'acme', version: 3 }], graph }).finish())
    expect(() => importOnnx(bytes)).toThrowErrorMatchingInlineSnapshot(`[UnsupportedOperatorError: importOnnx: unsupported operators: acme:Swirl (node "y", opset 3). Export the model without them, or pass implementations in importOnnx(bytes, { operators: { "acme:Swirl": … } })]`)
    const model = importOnnx(bytes, { operators: { 'acme:Swirl': ([x, none, w], attributes, { opset }) => mul(mul(sin(x!), w!), none ? 0 : opset * attributes.float('turns', 1)) } })
    expect(grad((x: Tensor) => sum(model.forward(x) as Tensor))(tensor([0, 0])).toArray()).toEqual([4.5, 6])
    sum(model.forward(tensor([0, 0])) as Tensor).backward()
    expect(model.parameters()[0]!.grad!.toArray()).toEqual([0, 0])
    const again = importOnnx(exportOnnx(model, [{ name: 'x', shape: [2] }]))
    expect(again.namedParameters().map(([name]) => name)).toEqual(['w'])
    expect(String(again.forward(tensor([1, 2])))).toBe(String(model.forward(tensor([1, 2]))))
  })

  test('of many nodes are named by the first', () => {
    const many = Array.from({ length: 60 }, (_, i) => node('Frob', ['x'], [i === 59 ? 'y' : `a${i}`]))
    expect(() => importOnnx(modelBytes(graphOf(many, [value('x', [2])], [value('y', [2])])))).toThrow('Frob (node "a49", opset 17) and 10 more nodes. Export')
  })

  test('a mode that is missing is refused when it is run, never computed wrongly', () => {
    const pad = modelBytes(graphOf([{ ...node('Pad', ['x'], ['y']), attribute: [{ name: 'mode', type: kinds.STRING, s: new TextEncoder().encode('swirl') }, { name: 'pads', type: kinds.INTS, ints: [1, 1] }] }], [value('x', [2])], [value('y', [4])]), 10)
    expect(() => importOnnx(pad).forward(zeros([2]))).toThrow(UnsupportedOperatorError)
  })
})

test('inputs are checked by name, dtype, shape and common axes', () => {
  const model = importOnnx(modelBytes(graphOf([node('Add', ['a', 'b'], ['y'])], [value('a', ['n', 2]), value('b', ['n', 2])], [value('y', ['n', 2])])))
  expect(() => model.run({ a: zeros([1, 2]), c: zeros([1]) })).toThrowErrorMatchingInlineSnapshot('[BpError: OnnxModule: missing inputs: b; unknown inputs: c. The model takes a, b]')
  expect(() => model.forward(zeros([1, 3]), zeros([1, 2]))).toThrowErrorMatchingInlineSnapshot('[BpError: OnnxModule: input a must be float32[n,2], got f32[1,3]]')
  expect(() => model.forward(zeros([1, 2]), zeros([4, 2]))).toThrowErrorMatchingInlineSnapshot('[BpError: OnnxModule: the axis n is 1 in one input and 4 in b. They must be equal]')
  expect(() => model.forward(zeros([1, 2]))).toThrow('takes 2 input(s)')
})
