// ONNX's own backend test cases: an imported model must give the expected outputs.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Tensor } from '@bp/core'
import { noGrad } from '@bp/core'
import { decodeTensorProto, importOnnx } from '@bp/onnx'
import { compare, Mismatch, Unsupported } from '../compare.ts'
import type { Case, Suite } from './suite.ts'

/** Every folder under the path that holds a `model.onnx` and test data. */
export const onnx: Suite = path => {
  const models = readdirSync(path, { recursive: true, encoding: 'utf8' }).filter(file => basename(file) === 'model.onnx').map(file => join(path, dirname(file))).sort()
  return models.filter(folder => dataSets(folder).length > 0).map((folder): Case => ({ name: basename(folder), run: () => ({ maxError: runFolder(folder) }) }))
}

const dataSets = (folder: string): string[] => readdirSync(folder).filter(name => name.startsWith('test_data_set_')).sort().map(name => join(folder, name))

function runFolder(folder: string): number {
  const model = importOnnx(readFileSync(join(folder, 'model.onnx')), {
    externalData: file => readFileSync(join(folder, file)),
  })
  return Math.max(...dataSets(folder).map(set => {
    const inputs = Object.fromEntries(model.inputs.flatMap(({ name }, i) => {
      const file = join(set, `input_${i}.pb`)
      return existsSync(file) ? [[name, decodeTensorProto(readFileSync(file))] as const] : []
    }))
    const run = (): Record<string, Tensor> => noGrad(() => model.run(inputs))
    const outputs = run()
    try {
      return Math.max(0, ...model.outputs.map(({ name }, i) => {
        const want = decodeTensorProto(readFileSync(join(set, `output_${i}.pb`)))
        const got = outputs[name]
        if (!got) throw new Mismatch(`the output ${name} is missing`)
        return compare(name, got, want, { rtol: 1e-3, atol: 1e-5 * Math.max(1, largest(want)) })
      }))
    } catch (error) {
      if (error instanceof Mismatch && isRandom(outputs, run)) throw new Unsupported('its numbers are random, so that they cannot be judged: no standard says what a seed gives', { cause: error })
      throw error
    }
  }))
}

/** Whether a model gives something else when it is run again, which in three runs a random one does. */
const isRandom = (outputs: Readonly<Record<string, Tensor>>, run: () => Record<string, Tensor>): boolean =>
  Array.from({ length: 3 }, run).some(again => Object.entries(again).some(([name, y]) => String(y.dataSync()) !== String(outputs[name]?.dataSync())))

/** The largest finite magnitude. */
function largest(x: Tensor): number {
  let most = 0
  for (const value of x.dataSync() as Iterable<number | bigint>) {
    const size = Math.abs(Number(value))
    if (Number.isFinite(size) && size > most) most = size
  }
  return most
}
