// What a file says besides its graph: operator sets, metadata, operators of other domains.

import { type Tensor, tensor, use } from '@bp/core'
import { bind, defineComposite, defineOp } from '@bp/core/extend'
import { cpu } from '@bp/backend-cpu'
import { GroupNorm, InstanceNorm2d, LayerNorm, Linear, Sequential } from '@bp/nn'
import * as ops from '@bp/ops'
import proto, { type onnx } from 'onnx-proto'
import * as runtime from 'onnxruntime-node'
import { describe, expect, test } from 'vitest'
import { exportOnnx, type ExportOptions, Float, importOnnx } from '../index.ts'

use(cpu())

const decode = (bytes: Uint8Array): onnx.ModelProto => proto.onnx.ModelProto.decode(bytes)
const operatorsOf = (bytes: Uint8Array): (string | null | undefined)[] => (decode(bytes).graph?.node ?? []).map(({ opType }) => opType).filter(name => name !== 'Constant')
const x = { name: 'x', shape: [2, 3] }

async function runs(bytes: Uint8Array, input: Tensor): Promise<number[]> {
  const session = await runtime.InferenceSession.create(bytes)
  const got = await session.run({ x: new runtime.Tensor('float32', input.dataSync() as Float32Array, [...input.shape]) })
  return Array.from(got[session.outputNames[0]!]!.data as Float32Array)
}

const input = tensor([[0.5, -1, 2], [1, 0.25, -0.5]])
const close = (got: readonly number[], want: Tensor): void => {
  const expected = Array.from(want.dataSync() as Float32Array)
  expect(got).toHaveLength(expected.length)
  got.forEach((value, i) => { expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-5) })
}

describe('operator sets', () => {
  const program = (z: Tensor): Tensor => ops.gelu(ops.mish(ops.layerNorm(ops.add(z, ops.amax(z, 1, true)), 1)))

  test.each(Array.from({ length: 11 }, (_, i) => 13 + i))('%i is run by ONNX Runtime', async opset => {
    const bytes = exportOnnx(program, [x], { opset })
    const { irVersion, opsetImport } = decode(bytes)
    expect([Number(irVersion), Number(opsetImport[0]!.version)]).toEqual([opset >= 23 ? 11 : opset >= 21 ? 10 : opset >= 19 ? 9 : 8, opset])
    expect(['LayerNormalization', 'Mish', 'Gelu'].filter(name => operatorsOf(bytes).includes(name))).toEqual([...opset >= 17 ? ['LayerNormalization'] : [], ...opset >= 18 ? ['Mish'] : [], ...opset >= 20 ? ['Gelu'] : []])
    close(await runs(bytes, input), program(input))
  })

  test('instances and groups of channels are normalised by one operator', () => {
    const image = [{ name: 'x', shape: ['batch', 4, 'height', 'width'] }]
    expect(operatorsOf(exportOnnx(new Sequential(new InstanceNorm2d(4, { affine: true })), image))).toEqual(['InstanceNormalization'])
    expect(operatorsOf(exportOnnx(new Sequential(new GroupNorm(2, 4)), image, { opset: 21 }))).toEqual(['GroupNormalization'])
  })

  test('others are refused', () => {
    expect(() => exportOnnx(program, [x], { opset: 12 })).toThrowErrorMatchingInlineSnapshot(`[BpError: exportOnnx: opset must be 13 to 23, got 12]`)
    expect(() => exportOnnx(program, [x], { opset: 24 })).toThrow('opset must be 13 to 23, got 24')
  })

  test('composites are written as what they are made of, where asked', async () => {
    const whole = (z: Tensor): Tensor => ops.softmax(ops.gelu(z))
    expect(operatorsOf(exportOnnx(whole, [x], { opset: 20 }))).toEqual(['Gelu', 'Softmax'])
    const bytes = exportOnnx(whole, [x], { opset: 20, composites: 'decomposed' })
    expect(operatorsOf(bytes)).not.toContain('Gelu')
    expect(operatorsOf(bytes)).not.toContain('Softmax')
    close(await runs(bytes, input), whole(input))
    expect(operatorsOf(exportOnnx(new LayerNorm(3), [x], { composites: 'decomposed' }))).not.toContain('LayerNormalization')
  })
})

describe('metadata', () => {
  const options: ExportOptions = { producer: 'acme', producerVersion: '1.2', domain: 'com.acme', modelVersion: 7, doc: 'A model.', graphDoc: 'Its graph.', metadata: { licence: 'MIT', labels: 'cat, dog' }, name: 'classifier', outputs: ['logits'] }

  test('is written, read, and written again', () => {
    const bytes = exportOnnx(new Sequential(new Linear(3, 2)), [{ name: 'pixels', shape: ['images', 3] }], options)
    const model = decode(bytes)
    expect([model.producerName, model.producerVersion, model.domain, Number(model.modelVersion), model.docString, model.graph!.docString, model.graph!.name]).toEqual(['acme', '1.2', 'com.acme', 7, 'A model.', 'Its graph.', 'classifier'])
    const back = importOnnx(bytes)
    expect(back.producer).toEqual({ name: 'acme', version: '1.2' })
    expect(back.metadata).toEqual({ irVersion: 8, opsets: { '': 17 }, name: 'classifier', domain: 'com.acme', modelVersion: 7, doc: 'A model.', graphDoc: 'Its graph.', metadata: { licence: 'MIT', labels: 'cat, dog' } })
    const again = importOnnx(exportOnnx(back))
    expect([again.metadata, again.inputs, again.outputs]).toEqual([back.metadata, [{ name: 'pixels', kind: 'tensor', type: 'float32', dtype: 'float32', shape: ['images', 3] }], [{ name: 'logits', kind: 'tensor', type: 'float32', dtype: 'float32', shape: ['images', 2] }]])
    expect(again.producer.name).toBe('bp')
    expect(importOnnx(exportOnnx(back, null, { doc: 'Fine-tuned.' })).metadata).toEqual({ ...back.metadata, doc: 'Fine-tuned.' })
  })

  test('a function has no inputs of its own', () => {
    expect(() => exportOnnx(z => ops.exp(z))).toThrowErrorMatchingInlineSnapshot(`[BpError: exportOnnx: needs the inputs: [{ name, shape, dtype }]. Only a module that was read from a file knows its own]`)
  })
})

describe('operators of other domains', () => {
  const swish = defineComposite({ name: 'acme/swish', arity: 1, decompose: ([z], { beta }: { readonly beta: number }) => ops.mul(z, ops.sigmoid(ops.mul(z, beta))) })
  const program = (z: Tensor): Tensor => ops.add(bind(swish, [z], { beta: 2 }), bind(swish, [ops.neg(z)], { beta: 2 }))
  const customOperators = { 'acme/swish': { domain: 'acme', operator: 'Swish', version: 3, attributes: ({ beta }: { readonly beta: number }) => ({ beta: new Float(beta) }) } }

  test('carry a body that any runtime runs, one for all calls that are alike', async () => {
    const bytes = exportOnnx(program, [x], { customOperators })
    const model = decode(bytes)
    expect(model.opsetImport.map(({ domain, version }) => [domain, Number(version)])).toEqual([['', 17], ['acme', 3]])
    expect(model.graph!.node!.filter(({ domain }) => domain === 'acme').map(({ opType, attribute }) => [opType, attribute!.map(({ name, f }) => [name, f])])).toEqual([['Swish', [['beta', 2]]], ['Swish', [['beta', 2]]]])
    expect(model.functions.map(({ name, domain, attribute }) => [name, domain, attribute])).toEqual([['Swish', 'acme', ['beta']]])
    close(await runs(bytes, input), program(input))
  })

  test('are read by an operator of the reader', () => {
    const model = importOnnx(exportOnnx(program, [x], { customOperators }), { operators: { 'acme:Swish': ([z], attributes) => ops.mul(z!, ops.sigmoid(ops.mul(z!, attributes.float('beta', 1)))) } })
    close(Array.from((model.forward(input) as Tensor).dataSync() as Float32Array), program(input))
  })

  test('with other bodies have other names', async () => {
    const two = (z: Tensor): Tensor => ops.add(bind(swish, [z], { beta: 2 }), bind(swish, [z], { beta: 3 }))
    const bytes = exportOnnx(two, [x], { customOperators })
    expect(decode(bytes).functions.map(({ name }) => name)).toEqual(['Swish', 'Swish_2'])
    close(await runs(bytes, input), two(input))
  })

  test('need none where the reader knows them', () => {
    const bytes = exportOnnx(program, [x], { customOperators: { 'acme/swish': { ...customOperators['acme/swish'], body: false } } })
    expect(decode(bytes).functions).toEqual([])
    expect(operatorsOf(bytes)).toContain('Swish')
  })

  test('without a decomposition, or in the domain of ONNX, are refused', () => {
    const swirl = defineOp({ name: 'acme/swirl', arity: 1, fuse: 'map', infer: ([z]) => z.aval, diff: { kind: 'zero' } })
    const swirled = (z: Tensor): Tensor => bind(swirl, [z], undefined)
    expect(() => exportOnnx(swirled, [x], { customOperators: { 'acme/swirl': { domain: 'acme', operator: 'Swirl' } } })).toThrowErrorMatchingInlineSnapshot(`[BpError: exportOnnx: acme/swirl (op 1 of 1) has no decomposition to write as the body of acme:Swirl. Give its row a decompose, or say body: false]`)
    expect(operatorsOf(exportOnnx(swirled, [x], { customOperators: { 'acme/swirl': { domain: 'acme', operator: 'Swirl', body: false } } }))).toEqual(['Swirl'])
    expect(() => exportOnnx(program, [x], { customOperators: { 'acme/swish': { domain: '', operator: 'Swish' } } })).toThrow("cannot be written into ONNX's own domain")
  })
})
