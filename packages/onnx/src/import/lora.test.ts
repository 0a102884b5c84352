// Low-rank updates of imported models: trained alone, saved alone, merged, exported; and parts that are frozen.

import { compile, full, noGrad, tensor, type Tensor, use } from '@bp/core'
import { cpu } from '@bp/backend-cpu'
import { Adam, Conv2d, Flatten, Linear, loraStateDict, LSTM, manualSeed, Module, mseLoss, ReLU, Sequential, SGD } from '@bp/nn'
import { sum } from '@bp/ops'
import { expect, test } from 'vitest'
import { addOnnxLoRA, exportOnnx, importOnnx, mergeOnnxLoRA, type OnnxModule } from '../index.ts'

use(cpu())
manualSeed(8)

const imported = (): OnnxModule => importOnnx(exportOnnx(new Sequential(new Conv2d(1, 4, 3), new ReLU(), new Flatten(), new Linear(16, 8), new ReLU(), new Linear(8, 2)), [{ name: 'x', shape: [2, 1, 4, 4] }]))
const x = tensor(Array.from({ length: 32 }, (_, i) => Math.sin(i)), { shape: [2, 1, 4, 4] })
const y = tensor([[1, 0], [0, 1]])

test('updates are trained beside frozen weights, op by op and compiled, saved alone, merged and exported', () => {
  const model = imported()
  const before = String(model.forward(x))
  const frozen = new Map(model.namedParameters().map(([name, p]) => [name, String(p)]))
  const trained = addOnnxLoRA(model, { rank: 2, alpha: 4 })
  expect([...loraStateDict(model).keys()]).toEqual(['3.weight.lora_A', '3.weight.lora_B', '5.weight.lora_A', '5.weight.lora_B'])
  expect(model.parameters().filter(p => p.requiresGrad)).toEqual(trained)
  expect(String(model.forward(x))).toBe(before)
  const optimiser = new Adam(trained, { lr: 0.02 })
  const step = (): Tensor => {
    optimiser.zeroGrad()
    const loss = mseLoss(model.forward(x) as Tensor, y)
    loss.backward()
    optimiser.step()
    return loss
  }
  const first = step().item()
  const fast = compile(step)
  let last = first
  for (let i = 0; i < 60; i++) last = fast().item()
  expect(last).toBeLessThan(first / 5)
  expect(new Map(model.namedParameters().filter(([name]) => frozen.has(name)).map(([name, p]) => [name, String(p)]))).toEqual(frozen)

  const tuned = model.forward(x) as Tensor
  const other = imported()
  addOnnxLoRA(other, { rank: 2, alpha: 4 })
  other.loadStateDict(model.stateDict())
  expect(String(other.forward(x))).toBe(String(tuned))
  const unmerged = importOnnx(exportOnnx(model, [{ name: 'x', shape: [2, 1, 4, 4] }]))
  expect(unmerged.namedParameters().map(([name]) => name)).toContain('3.weight.lora_A')
  mergeOnnxLoRA(model)
  const merged = importOnnx(exportOnnx(model, [{ name: 'x', shape: [2, 1, 4, 4] }]))
  expect(merged.namedParameters().map(([name]) => name).sort()).toEqual([...frozen.keys()].sort())
  for (const m of [model, unmerged, merged]) (m.forward(x) as Tensor).dataSync().forEach((n, i) => { expect(n).toBeCloseTo(Number(tuned.dataSync()[i]), 5) })
  expect(model.parameters().every(p => p.requiresGrad)).toBe(true)
})

test('convolutions and recurrent weights are adapted as matrices', () => {
  const conv = imported()
  expect(addOnnxLoRA(conv, { rank: 3 }, name => name === '0.weight').map(p => p.shape)).toEqual([[3, 9], [4, 3]])
  class Last extends Module {
    readonly lstm = new LSTM(3, 4, { batchFirst: true })
    forward(s: Tensor): Tensor {
      return this.lstm.forward(s)[0]
    }
  }
  const lstm = importOnnx(exportOnnx(new Last(), [{ name: 's', shape: [1, 2, 3] }]))
  const wide = lstm.namedParameters().filter(([, p]) => p.rank >= 2)
  const trained = addOnnxLoRA(lstm, { rank: 2 }, () => true)
  expect(trained).toHaveLength(2 * wide.length)
  const s = tensor([[[1, 2, 3], [3, 2, 1]]])
  const before = (lstm.forward(s) as Tensor).toArray()
  for (const p of trained) noGrad(() => { p.assign(full(p.shape, 0.1)) })
  expect((lstm.forward(s) as Tensor).toArray()).not.toEqual(before)
  sum(lstm.forward(s) as Tensor).backward()
  expect(trained.every(p => p.grad!.dataSync().some(g => g !== 0))).toBe(true)
})

test('choices that make no sense are named', () => {
  const model = imported()
  expect(() => addOnnxLoRA(model, {}, () => false)).toThrowErrorMatchingInlineSnapshot(`[BpError: addOnnxLoRA: no weight was chosen of 0.weight f32[4,1,3,3], 3.weight f32[8,16], 5.weight f32[2,8]. Give targets by name]`)
  expect(() => addOnnxLoRA(model, { dropout: 0.1 })).toThrowErrorMatchingInlineSnapshot(`[BpError: addOnnxLoRA: an update that is added to a weight has no input to drop. Leave dropout out]`)
  addOnnxLoRA(model)
  expect(() => addOnnxLoRA(model)).toThrowErrorMatchingInlineSnapshot(`[BpError: addOnnxLoRA: the model has low-rank updates already. Take them into its weights with mergeOnnxLoRA first]`)
})

test('some parameters are frozen by name, the rest learn', () => {
  const model = imported()
  for (const [name, p] of model.namedParameters()) if (!name.startsWith('5.')) p.requiresGrad = false
  const before = new Map([...model.stateDict()].map(([name, p]) => [name, String(p)]))
  const optimiser = new SGD(model.parameters(), { lr: 0.1 })
  mseLoss(model.forward(x) as Tensor, y).backward()
  optimiser.step()
  expect([...model.stateDict()].filter(([name, p]) => String(p) !== before.get(name)).map(([name]) => name).sort()).toEqual(['5.bias', '5.weight'])
  model.requiresGrad(false)
  expect((model.forward(x) as Tensor).requiresGrad).toBe(false)
})
