// The page in Chromium on llvmpipe: it learns what the CPU learns, stays responsive, holds its memory, and says what goes wrong.

import { readFileSync } from 'node:fs'
import { cpu } from '@bp/backend-cpu'
import { findChromium, noChromiumHint, whyNot } from '@bp/browser'
import { use } from '@bp/core'
import { split } from '@bp/digits/data'
import { readDigits } from '@bp/digits/files'
import { decodeSafetensors } from '@bp/nn'
import { importOnnx } from '@bp/onnx'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { open, range, start, Visit, type VisitOptions } from './drive.ts'
import { pack, unpack } from './packed.ts'
import { Trainer } from './trainer.ts'

use(cpu())
const digits = readDigits()

test('packed digits are the digits, to the bit', () => {
  const { pixels, labels } = unpack(pack(digits).buffer as ArrayBuffer)
  expect(labels).toEqual(digits.labels)
  expect(Buffer.compare(Buffer.from(pixels.buffer), Buffer.from(digits.pixels.buffer))).toBe(0)
})

const chromium = findChromium()
const reason = chromium === null ? `there is no Chromium here. ${noChromiumHint}` : await whyNot(chromium, 'llvmpipe')
if (reason !== null) console.warn(`! THE TESTS OF THE PAGE THAT TRAINS ON WEBGL ARE LEFT OUT: ${reason}`)

/** From this step on textures must neither grow nor shrink. */
const settled = 20

describe.runIf(reason === null)('the page', () => {
  let browser: Browser
  let site: Awaited<ReturnType<typeof open>>

  beforeAll(async () => { [browser, site] = await Promise.all([start(chromium!), open()]) }, 120_000)

  afterAll(async () => {
    await browser.close()
    site.close()
  })

  const visit = (options: VisitOptions = {}): Promise<Visit> => Visit.begin(browser, site.address, options)
  const press = (visited: Visit, id: string): Promise<void> => visited.page.locator(`#${id}`).click()

  test('trains in a worker without a long task in the page, with flat memory, and is drawn to, paused, resumed and saved', async () => {
    const visited = await visit()
    await visited.longTasks()
    await press(visited, 'run')
    await visited.steps(settled)
    await visited.page.waitForTimeout(2000)
    expect(await visited.longTasks()).toEqual([])

    await visited.steps(100)
    await press(visited, 'run')
    expect(await visited.state('Paused')).toBe('Paused')
    const paused = await visited.text('step')
    // a drawing is a batch of another size, whose textures join the pool
    const { pooled } = range((await visited.record()).held, settled)
    expect(pooled[1] - pooled[0]).toBeLessThanOrEqual(1)
    await visited.draw([0.52, 0.15], [0.5, 0.5], [0.48, 0.85])
    await expect.poll(() => visited.text('guess'), { timeout: 10_000 }).toBe('1')
    expect(await visited.text('step')).toBe(paused)

    await press(visited, 'run')
    await visited.steps(150)
    await press(visited, 'run')
    await visited.state('Paused')
    const { losses, accuracies, held } = await visited.record()
    expect(Math.max(...losses.slice(-20))).toBeLessThan(losses[0]! / 2)
    expect(accuracies.at(-1)![1]).toBeGreaterThan(0.9)
    const { textures, bytes } = range(held, settled)
    expect(textures[1] - textures[0]).toBeLessThanOrEqual(1)
    expect(bytes[1] - bytes[0]).toBeLessThanOrEqual(bytes[0] / textures[0])

    const download = async (id: string): Promise<Uint8Array> => {
      const begun = visited.page.waitForEvent('download')
      await press(visited, id)
      return readFileSync(await (await begun).path())
    }
    const onnx = await download('onnx'), safetensors = await download('safetensors')
    expect(importOnnx(onnx).parameters()).toHaveLength(6)
    expect(decodeSafetensors(safetensors).tensors.size).toBe(6)
    expect(visited.troubles).toEqual([])
    await visited.close()
  }, 120_000)

  test.each(['worker', 'page'] as const)('ten steps on WebGL in the %s have the losses of the CPU', async place => {
    const trainer = new Trainer({ epochs: 4, batch: 32, lr: 0.003, seed: 1 }, split(digits))
    const expected: number[] = []
    while (expected.length < 10) expected.push(await trainer.step())
    const visited = await visit({ place })
    await press(visited, 'run')
    await visited.steps(10)
    const { losses } = await visited.record()
    expected.forEach((loss, i) => { expect(Math.abs(losses[i]! - loss)).toBeLessThan(1e-3) })
    expect(visited.troubles).toEqual([])
    await visited.close()
  }, 120_000)

  test('trains on the CPU too, and begins anew when something else is chosen', async () => {
    const visited = await visit({ backend: 'cpu', epochs: 1 })
    await press(visited, 'run')
    expect(await visited.state('Done', 'Stopped')).toBe('Done')
    const { steps, losses, accuracies } = await visited.record()
    expect([steps, losses.length]).toEqual([266, 266])
    expect(accuracies.at(-1)![1]).toBeGreaterThan(0.93)
    expect(await visited.page.locator('.samples .wrong').count()).toBeLessThan(6)
    await visited.page.locator('.samples button').first().press('Enter')
    await expect.poll(() => visited.text('guess')).toMatch(/^\d$/)
    await press(visited, 'reset')
    await visited.state('Ready')
    expect(await visited.text('step')).toBe('0')
    expect(visited.troubles).toEqual([])
    await visited.close()
  }, 120_000)

  test('says in plain words that there is no WebGL', async () => {
    const visited = await visit({ place: 'page', before: 'OffscreenCanvas.prototype.getContext = HTMLCanvasElement.prototype.getContext = (get => function (kind, ...rest) { return kind === "2d" ? get.call(this, kind, ...rest) : null })(HTMLCanvasElement.prototype.getContext)' })
    expect(await visited.state('Stopped', 'Ready')).toBe('Stopped')
    expect(await visited.text('alert')).toMatch(/gives the page no WebGL 2.*Choose “CPU”/)
    await visited.close()
  })

  test('says in plain words that the graphics card was taken away, and begins again', async () => {
    const visited = await visit({ place: 'page', before: `OffscreenCanvas.prototype.getContext = (get => function (kind, ...rest) {
      const context = get.call(this, kind, ...rest)
      if (kind === 'webgl2') globalThis.loser = context.getExtension('WEBGL_lose_context')
      return context
    })(OffscreenCanvas.prototype.getContext)` })
    await press(visited, 'run')
    await visited.steps(2)
    await visited.page.evaluate('loser.loseContext()')
    expect(await visited.state('Stopped')).toBe('Stopped')
    expect(await visited.text('alert')).toMatch(/graphics card was taken away.*Press Reset/)
    await visited.page.evaluate('loser.restoreContext()')
    await press(visited, 'reset')
    await visited.state('Ready')
    await press(visited, 'run')
    await visited.steps(2)
    await visited.close()
  }, 120_000)
})
