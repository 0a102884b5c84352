// The commands on models in files: what they print, what they write, and how they end.

import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { noGrad, tensor, use } from '@bp/core'
import { cpu } from '@bp/backend-cpu'
import { decodeNpy, encodeNpy, ndarray } from '@bp/data'
import { BatchNorm2d, Conv2d, Flatten, Linear, ReLU, Sequential } from '@bp/nn'
import { exportOnnx, importOnnx } from '@bp/onnx'
import { beforeAll, describe, expect, test } from 'vitest'
import { cli } from './cli.ts'

use(cpu())

const folder = mkdtempSync(join(tmpdir(), 'bp-onnx-'))
const path = (name: string): string => join(folder, name)

const net = new Sequential(new Conv2d(1, 2, 3), new BatchNorm2d(2), new ReLU(), new Flatten(), new Linear(8, 3))

/** What a command says, complains of, and ends with. */
function run(...argv: string[]): { readonly out: string; readonly err: string; readonly code: number } {
  const [out, err]: [string[], string[]] = [[], []]
  const code = cli(argv, text => { out.push(text) }, text => { err.push(text) })
  return { out: out.join('\n').replaceAll(folder, '…'), err: err.join('\n').replaceAll(folder, '…'), code }
}

beforeAll(() => {
  writeFileSync(path('net.onnx'), exportOnnx(net, [{ name: 'x', shape: ['batch', 1, 4, 4] }], { outputs: ['logits'] }))
  writeFileSync(path('damaged.onnx'), readFileSync(path('net.onnx')).subarray(0, 100))
})

test('inspect prints every node with its shape, and an overview', () => {
  expect(run('inspect', path('net.onnx'), '--dims', 'batch=2')).toMatchInlineSnapshot(`
    {
      "code": 0,
      "err": "",
      "out": "   node                 operator            results           parameters  operations  memory
    0  /Conv                Conv                float32[2,2,2,2]          20         304    64 B
    1  /BatchNormalization  BatchNormalization  float32[2,2,2,2]           4          55    64 B
    2  /Relu                Relu                float32[2,2,2,2]                      16    64 B
    3  /Reshape             Reshape             float32[2,8]                                64 B
    4  logits               Gemm                float32[2,3]              27         102    24 B

    producer    bp
    inputs      x float32[batch,1,4,4]
    outputs     logits float32[batch,3]
    parameters  51 in 6 tensors
    nodes       5: 1 Conv, 1 BatchNormalization, 1 Relu, 1 Reshape, 1 Gemm
    operations  477
    results     280 B if all were kept
    open sizes  counted at batch = 2; choose others with --dims",
    }
  `)
})

test('inspect draws the graph', () => {
  expect(run('inspect', path('net.onnx'), '--brief', '--svg', path('net.svg'))).toMatchObject({ code: 0, err: '' })
  const svg = readFileSync(path('net.svg'), 'utf8')
  for (const word of ['<svg', '>x<', '>Conv<', '>Gemm<', '>logits<', '27 parameters', '[batch,2,2,2]']) expect(svg).toContain(word)
  expect(svg.match(/<rect/g)).toHaveLength(8)
})

describe('run', () => {
  test('feeds a file and writes the outputs', () => {
    const x = Float32Array.from({ length: 32 }, (_, i) => i / 32)
    writeFileSync(path('x.npy'), encodeNpy(ndarray(x, [2, 1, 4, 4])))
    const { out, code } = run('run', path('net.onnx'), '--input', `x=${path('x.npy')}`, '--output', path('out'))
    expect(code).toBe(0)
    expect(out).toMatch(/^output +shape +least +largest +mean\nlogits +float32\[2,3\] /)
    const want = noGrad(() => net.eval().forward(tensor(x, { shape: [2, 1, 4, 4] })))
    const got = decodeNpy(readFileSync(path('out/logits.npy')))
    expect(got.shape).toEqual([2, 3])
    want.dataSync().forEach((y: number | bigint, i: number) => { expect(Number(got.data[i])).toBeCloseTo(Number(y), 5) })
  })

  test('makes random inputs by a seed', () => {
    const numbers = (...more: string[]): string => run('run', path('net.onnx'), ...more).out.split('\n')[1]!
    expect(numbers()).toBe(numbers('--seed', '0'))
    expect(numbers('--seed', '1')).not.toBe(numbers())
  })
})

describe('optimise and diff', () => {
  test('fold the normalisation into the convolution, and show that nothing has changed', () => {
    const { out, code } = run('optimise', path('net.onnx'), '--output', path('small.onnx'))
    expect([code, out.split('\n').slice(0, 2)]).toEqual([0, ['rewriting                   places', 'normalisation into weights       1']])
    expect(importOnnx(readFileSync(path('small.onnx'))).nodes.map(({ operator }) => operator)).toEqual(['Conv', 'Relu', 'Reshape', 'Gemm'])
    expect(run('diff', path('net.onnx'), path('small.onnx'), '--dims', 'batch=3')).toMatchObject({ code: 0, err: '' })
  })

  test('diff ends with 1 where outputs differ', () => {
    writeFileSync(path('other.onnx'), exportOnnx(new Sequential(new Conv2d(1, 2, 3), new Flatten(), new Linear(8, 3)), [{ name: 'x', shape: ['batch', 1, 4, 4] }], { outputs: ['logits'] }))
    const { out, code } = run('diff', path('net.onnx'), path('other.onnx'))
    expect([code, out.split('\n').at(-1)]).toEqual([1, 'different by more than 0.00001: logits'])
  })
})

describe('what goes wrong', () => {
  test.each<[string, string[], number, string]>([
    ['no command', [], 2, 'there is no command (nothing); there are inspect, run, diff, optimise\nbp-onnx --help lists the commands and their options.'],
    ['an unknown option', ['run', path('net.onnx'), '--colour'], 2, "Unknown option '--colour'"],
    ['no file', ['inspect'], 2, 'name a model file'],
    ['a file that is not there', ['inspect', path('none.onnx')], 2, 'there is no file …/none.onnx'],
    ['a damaged file', ['inspect', path('damaged.onnx')], 1, 'importOnnx: the file is not valid protobuf'],
    ['an input that the model has not', ['run', path('net.onnx'), '--input', 'z=x.npy'], 2, 'the model has no input z; it has x'],
    ['a size that is none', ['run', path('net.onnx'), '--dims', 'batch=two'], 2, "--dims must be name=N, got 'batch=two'"],
    ['an open size that the model has not', ['inspect', path('net.onnx'), '--dims', 'time=2'], 1, 'no input has an open size named time'],
    ['nowhere to write', ['optimise', path('net.onnx')], 2, 'say where the model is written: --output FILE'],
  ])('%s', (_name, argv, code, message) => {
    const { err, ...rest } = run(...argv)
    expect(rest).toEqual({ out: '', code })
    expect(err).toContain(message)
  })
})

test('a file that cannot be written is told in one line', () => {
  const { err, code } = run('inspect', path('net.onnx'), '--svg', path('none/net.svg'))
  expect(code).toBe(2)
  expect(err).toContain('ENOENT: no such file or directory')
  expect(err.trim()).not.toContain('\n')
})

test('help', () => {
  expect(run('--help').out).toMatchInlineSnapshot(`
    "Looks into ONNX models, runs them, compares them and makes them smaller.

      bp-onnx inspect MODEL [options]
          Prints the nodes of a model with shapes, parameters, operations and memory.
      bp-onnx run MODEL [options]
          Runs a model and prints what comes out.
      bp-onnx diff MODEL OTHER [options]
          Runs two models on the same inputs and tells how far their outputs are apart. Ends with 1 where that is more than the tolerance.
      bp-onnx optimise MODEL --output FILE [options]
          Folds constants, drops nodes without effect and fuses patterns, and checks that the outputs stay the same.

    bp-onnx COMMAND --help lists the options of each."
  `)
  expect(run('diff', '--help').out).toMatchInlineSnapshot(`
    "Runs two models on the same inputs and tells how far their outputs are apart. Ends with 1 where that is more than the tolerance.

      bp-onnx diff MODEL OTHER [options]

      --input NAME=FILE  a .npy file, or a .pb file of ONNX, for an input; random numbers in [−1, 1) for those without (0 and 1 for whole numbers)
      --dims NAME=N      a size for an open axis; 1 unless given
      --seed N           the seed of the random numbers (0)
      --tolerance X      the largest difference by the largest magnitude of the output (1e-5)
    "
  `)
})
