// Models read from disk, and what lies beside them: only from below their folder.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Tensor, tensor, use } from '@bp/core'
import { cpu } from '@bp/backend-cpu'
import proto from 'onnx-proto'
import { afterAll, expect, test } from 'vitest'
import { graphOf, modelBytes, node, value } from '../../test/model.ts'
import { importOnnxFile } from '../node.ts'

use(cpu())

const folder = mkdtempSync(join(tmpdir(), 'bp-onnx-'))
afterAll(() => { rmSync(folder, { recursive: true }) })

const numbers = new Uint8Array(Float32Array.of(3, 4).buffer)
const place = (...path: string[]): string => join(folder, ...path)
const messageOf = (f: () => unknown): string => {
  try { f() } catch (error) { return String(error).replaceAll(folder, '…') }
  return expect.fail('nothing was thrown')
}

/** A model whose weights lie at a path from its folder. */
function model(name: string, location: string): string {
  const graph = graphOf([node('Add', ['x', 'w'], ['y'])], [value('x', [2])], [value('y', [2])], [{ name: 'w', dims: [2], dataType: 1, dataLocation: proto.onnx.TensorProto.DataLocation.EXTERNAL, externalData: [{ key: 'location', value: location }] }])
  writeFileSync(place('model', name), modelBytes(graph))
  return place('model', name)
}

mkdirSync(place('model', 'weights'), { recursive: true })
writeFileSync(place('model', 'weights', 'w.bin'), numbers)
writeFileSync(place('secret.bin'), numbers)
symlinkSync(place('secret.bin'), place('model', 'out.bin'))
symlinkSync(folder, place('model', 'up'))
symlinkSync(place('model', 'weights', 'w.bin'), place('model', 'in.bin'))

test('weights are read from below the folder, through links that stay there, by path or URL', () => {
  for (const location of ['weights/w.bin', 'in.bin']) expect((importOnnxFile(model('a.onnx', location)).forward(tensor([1, 1])) as Tensor).toArray()).toEqual([4, 5])
  expect((importOnnxFile(pathToFileURL(place('model', 'a.onnx'))).forward(tensor([1, 1])) as Tensor).toArray()).toEqual([4, 5])
})

test('links that lead out, folders and files that are missing are refused', () => {
  expect(messageOf(() => importOnnxFile(model('b.onnx', 'out.bin')))).toMatchInlineSnapshot(`"BpError: out.bin: it is a link that leads out of the model's folder, which is not followed. Put the data itself there, or pass { externalData }"`)
  expect(messageOf(() => importOnnxFile(model('b.onnx', 'up/secret.bin')))).toContain('up/secret.bin: it is a link that leads out of the model\'s folder')
  expect(messageOf(() => importOnnxFile(model('b.onnx', '../secret.bin')))).toContain('outside the model\'s folder')
  expect(messageOf(() => importOnnxFile(model('b.onnx', 'weights')))).toMatchInlineSnapshot(`"BpError: …/model/weights: it is no regular file"`)
  expect(messageOf(() => importOnnxFile(model('b.onnx', 'none.bin')))).toContain('none.bin: ENOENT')
  expect(messageOf(() => importOnnxFile(place('none.onnx')))).toMatchInlineSnapshot(`"BpError: …/none.onnx: ENOENT: no such file or directory, stat '…/none.onnx'"`)
})

test('a user may say where the data is', () => {
  expect((importOnnxFile(model('c.onnx', 'none.bin'), { externalData: () => numbers }).forward(tensor([0, 0])) as Tensor).toArray()).toEqual([3, 4])
})
