// @bp/backend-webgl: tensors in textures, computed by kernels that gpu.js makes, in browsers.

import type { Backend } from '@bp/core'
import { fail } from '@bp/core/extend'
import { backendOn, type WebglBackend } from './backend.ts'
import { Device } from './device/device.ts'

export type { WebglBackend, WebglMemory } from './backend.ts'
export type { Handle } from './device/storage.ts'

/** Options of {@link webgl}. */
export interface WebglOptions {
  /** Has the tensors of dtypes that the GPU has not (float64, int64), and computes on them: `cpu()`. Without it they are an error. */
  readonly host?: Backend
  /** How many bytes textures may take up; 2 GiB unless given. */
  readonly maxBytes?: number
  /** Notes where each tensor is made, and says so of those that are freed only when they are collected. Slow. */
  readonly traceLeaks?: boolean
}

const defaultBytes = 2 ** 31

/**
 * The WebGL backend: float32, float16, int32, uint8 and bool on the GPU, in a page or a worker. Tensors stay in textures between
 * ops; reading one (`await x.data()`) waits without blocking, `dataSync()` blocks.
 *
 * Rejects where there is no WebGL 2 that draws into float textures.
 *
 * @example
 * ```js
 * import { tensor, use } from '@bp/core'
 * import { cpu } from '@bp/backend-cpu'
 * import { webgl } from '@bp/backend-webgl'
 * use(await webgl({ host: cpu() }))
 * await tensor([1, 2]).data() // => 1,2
 * ```
 */
export async function webgl({ host, maxBytes = defaultBytes, traceLeaks = false }: WebglOptions = {}): Promise<WebglBackend> {
  if (!(maxBytes > 0)) fail('value', 'webgl', `maxBytes must be a number of bytes above 0, got ${maxBytes}. Leave it out for 2 GiB`)
  if (host && !host.readSync) fail('backend', 'webgl', `the ${host.name} backend cannot be read at once, as a host must. Use cpu()`)
  const device = await Device.open({ maxBytes, host: host ?? null })
  return backendOn(device, traceLeaks)
}
