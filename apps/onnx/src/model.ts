// Reads models and what is fed to them: files, or random numbers of a seed.

import { readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Tensor, tensor } from '@bp/core'
import { isFloat } from '@bp/core/extend'
import { decodeNpy } from '@bp/data'
import { decodeValueProto, type ExternalData, importOnnx, type ModelValue, type OnnxModule, type OnnxValue } from '@bp/onnx'
import { externalFiles } from '@bp/onnx/node'
import { cast, Generator } from '@bp/ops'
import { type Arguments, numberOf, pairsOf, UsageError } from './command.ts'

/** A model file with a way to those beside it. */
export interface ModelFile {
  readonly bytes: Uint8Array
  readonly externalData: ExternalData
}

/** Reads a model file. */
export function readModel(path: string | undefined): ModelFile {
  if (path === undefined) throw new UsageError('name a model file')
  return { bytes: readFile(path), externalData: externalFiles(dirname(path)) }
}

function readFile(path: string): Uint8Array {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) throw new UsageError(`there is no file ${path}`)
  return readFileSync(path)
}

/** What a model is fed with, by name: a file for each input that one is given for, random numbers for the rest. */
export type Feeds = Readonly<Record<string, OnnxValue>>

/** The options that say what a model is fed with. */
export const feedOptions = {
  input: ['NAME=FILE', 'a .npy file, or a .pb file of ONNX, for an input; random numbers in [−1, 1) for those without (0 and 1 for whole numbers)'],
  dims: ['NAME=N', 'a size for an open axis; 1 unless given'],
  seed: ['N', 'the seed of the random numbers (0)'],
} as const

/** Reads or makes what a model is fed with. */
export function feedsOf(model: OnnxModule, args: Arguments): Feeds {
  const files = pairsOf(args, 'input')
  const unknown = [...files.keys()].find(name => !model.inputs.some(input => input.name === name))
  if (unknown !== undefined) throw new UsageError(`the model has no input ${unknown}; it has ${model.inputs.map(({ name }) => name).join(', ') || 'none'}`)
  const dims = dimsOf(args)
  const generator = new Generator(numberOf(args, 'seed', 0))
  return Object.fromEntries(model.inputs.map(input => [input.name, files.has(input.name) ? valueIn(files.get(input.name)!, input) : randomFor(input, dims, generator)]))
}

/** The sizes that open axes are given. */
export const dimsOf = (args: Arguments): Map<string, number> => new Map([...pairsOf(args, 'dims')].map(([name, size]) => {
  if (!/^\d+$/.test(size)) throw new UsageError(`--dims must be name=N, got '${name}=${size}'`)
  return [name, Number(size)]
}))

/** What a file holds for an input: an array of NumPy, or a tensor, sequence or optional of ONNX. */
function valueIn(path: string, { kind }: ModelValue): OnnxValue {
  const file = readFile(path)
  if (path.endsWith('.pb')) return decodeValueProto(file, kind === 'tensor' || kind === 'sequence' ? kind : 'optional').value
  const { data, shape, dtype } = decodeNpy(file)
  return tensor(data, { shape, dtype })
}

function randomFor({ name, kind, type, dtype, shape }: ModelValue, dims: ReadonlyMap<string, number>, generator: Generator): Tensor {
  if (kind !== 'tensor' || type === 'string' || shape === null) throw new UsageError(`the input ${name} is ${kind === 'tensor' ? 'a tensor' : `of kind ${kind}`}${type === 'string' ? ' of strings' : shape === null ? ' of any shape' : ''}: give a file, --input ${name}=FILE`)
  const sizes = shape.map(size => typeof size === 'number' ? size : dims.get(size) ?? 1)
  return isFloat(dtype) ? cast(generator.uniform(sizes, { low: -1, high: 1 }), dtype) : cast(generator.bernoulli(0.5, sizes), dtype)
}

/** Imports a model file. */
export const loadModel = (path: string | undefined): OnnxModule => {
  const { bytes, externalData } = readModel(path)
  return importOnnx(bytes, { externalData })
}
