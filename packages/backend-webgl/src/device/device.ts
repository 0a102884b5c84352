// The device: one WebGL context with its textures, passes and transfers; what kernels compute on.

/// <reference lib="dom" />

import type { Backend, TypedArray } from '@bp/core'
import { type Aval, convert, fail, sizeOf } from '@bp/core/extend'
import { hostFor } from '../host.ts'
import { fromFloats, toFloats } from './encode.ts'
import { Launcher, loadGpu, type Pass, type PassCode } from './gpu.ts'
import { texelsOf } from './layout.ts'
import { encodingOf, Value } from './storage.ts'
import { type Texture, type TextureCounts, Textures } from './texture.ts'
import { Reader, upload } from './transfer.ts'

/** What a device is made with. */
export interface DeviceOptions {
  readonly maxBytes: number
  /** Computes what the GPU has no dtype for. */
  readonly host: Backend | null
}

/** What belongs to a context, and is lost with it. */
interface Parts {
  readonly textures: Textures
  readonly launcher: Launcher
  readonly reader: Reader
  /** A texture of one texel of zeros, which stands for tensors without elements. */
  readonly blank: Texture
}

const lostText = 'the WebGL context was lost, and the values on the GPU with it. Once the browser has restored it, tensors that were written from this side work again; load the others from a checkpoint'

/** One context of the GPU. */
export class Device {
  readonly host: Backend | null
  readonly largestSide: number
  /** Render targets that a pass may have, at most 8. */
  readonly mostTargets: number
  /** What the adapter calls itself. */
  readonly adapter: string
  readonly gl: WebGL2RenderingContext
  private readonly maxBytes: number
  private readonly Gpu: Awaited<ReturnType<typeof loadGpu>>
  private parts: Parts | null

  private constructor(gl: WebGL2RenderingContext, Gpu: Awaited<ReturnType<typeof loadGpu>>, { maxBytes, host }: DeviceOptions) {
    this.gl = gl
    this.Gpu = Gpu
    this.maxBytes = maxBytes
    this.host = host
    this.largestSide = gl.getParameter(gl.MAX_TEXTURE_SIZE) as number
    this.mostTargets = Math.min(8, gl.getParameter(gl.MAX_DRAW_BUFFERS) as number, gl.getParameter(gl.MAX_COLOR_ATTACHMENTS) as number)
    const info = gl.getExtension('WEBGL_debug_renderer_info')
    this.adapter = String(gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER))
    this.parts = this.prepare()
    const canvas = gl.canvas as EventTarget
    canvas.addEventListener('webglcontextlost', event => {
      // says that it is to be restored
      event.preventDefault()
      this.parts = null
      console.warn(`@bp/backend-webgl: ${lostText}`)
    })
    canvas.addEventListener('webglcontextrestored', () => { this.parts = this.prepare() })
  }

  /** Opens a context of its own; throws where there is no WebGL 2 with float textures. */
  static async open(options: DeviceOptions): Promise<Device> {
    const canvas = typeof OffscreenCanvas !== 'undefined' ? new OffscreenCanvas(1, 1) : typeof document !== 'undefined' ? document.createElement('canvas') : null
    const gl = canvas?.getContext('webgl2', { alpha: false, antialias: false, depth: false, stencil: false, powerPreference: 'high-performance' })
    if (!gl) return fail('backend', 'webgl', 'there is no WebGL 2 here. Use it in a browser page or worker whose graphics are not turned off; elsewhere use cpu()')
    if (!gl.getExtension('EXT_color_buffer_float')) return fail('backend', 'webgl', 'this adapter cannot draw into float textures (EXT_color_buffer_float). Use cpu()')
    const device = new Device(gl, await loadGpu(), options)
    if (!device.keepsBits()) return fail('backend', 'webgl', 'this adapter changes the bits of whole numbers that it moves as floats. Use cpu()')
    return device
  }

  /** Whether a pass leaves 32 bits as they are, also those of subnormal floats and of NaN: int32 depends on it. */
  private keepsBits(): boolean {
    const data = Int32Array.of(1, -1, 0x7fffff, 0x7f800001, 0x7fc12345, -0x7fffff, -(2 ** 31), 0x12345678)
    const [x, y] = [this.write(data, { dtype: 'int32' }), new Value(data.length, 'int32')]
    this.compute('keepsBits', () => ({ inputs: 1, outputs: 1, ints: 1, floats: 0, code: 'vec4 compute() { return same0(); }' }), [y], [x])
    const kept = this.readNow(y).every((value, i) => value === data[i])
    this.discard(x)
    this.discard(y)
    return kept
  }

  private prepare(): Parts {
    const { gl } = this
    const textures = new Textures(gl, this.largestSide, this.maxBytes)
    const blank = textures.take(1)
    upload(gl, blank, new Float32Array(4))
    return { textures, blank, reader: new Reader(gl), launcher: new Launcher(this.Gpu, gl, blank) }
  }

  private get now(): Parts {
    return this.parts ?? fail('backend', 'webgl', lostText)
  }

  /** Whether the context is there. */
  get lost(): boolean {
    return this.parts === null
  }

  /** Textures and bytes; the blank one is not counted. */
  get counts(): TextureCounts & { readonly kernels: number } {
    if (!this.parts) return { textures: 0, bytes: 0, pooled: 0, pooledBytes: 0, kernels: 0 }
    const { textures: { counts }, launcher: { size }, blank } = this.parts
    return { ...counts, textures: counts.textures - 1, bytes: counts.bytes - blank.bytes, kernels: size }
  }

  /** A value to be computed. */
  empty(aval: Pick<Aval, 'shape' | 'dtype'>): Value {
    return new Value(sizeOf(aval.shape), aval.dtype)
  }

  /** A value of numbers from this side; they are copied, and go to the GPU when a pass first reads them. */
  write(data: TypedArray, { dtype }: Pick<Aval, 'dtype'>): Value {
    const value = new Value(data.length, dtype)
    value.host = data.slice()
    return value
  }

  /** A value of one number; its dtype need not be the GPU's. */
  number(number: number, aval: Aval): Value {
    const data = convert([number], aval.dtype)
    if (encodingOf(aval.dtype) !== 'none') return this.write(data, aval)
    const value = new Value(1, aval.dtype)
    value.away = hostFor(this.host, 'live', aval.dtype).write(data, aval)
    return value
  }

  /** Waits until all that was launched is computed. */
  finish(): void {
    const { reader, blank } = this.now
    reader.now(blank, 1)
  }

  /** The numbers of a value, at once. */
  readNow(value: Value): TypedArray {
    if (value.host) return value.host.slice()
    if (value.length === 0) return fromFloats(new Float32Array(), value.dtype)
    return fromFloats(this.now.reader.now(this.textureOf(value), value.length), value.dtype)
  }

  /** The numbers of a value, when the GPU has them. */
  async read(value: Value): Promise<TypedArray> {
    if (value.host || value.length === 0) return this.readNow(value)
    return fromFloats(await this.now.reader.later(this.textureOf(value), value.length), value.dtype)
  }

  /** The texture of a value that was computed or written; written ones are uploaded now. */
  textureOf(value: Value): Texture {
    const { textures, blank } = this.now
    if (value.length === 0) return blank
    if (value.texture?.owner === textures) return value.texture
    if (!value.host) return fail('backend', 'webgl', lostText)
    const texture = value.texture = textures.take(texelsOf(value.length))
    upload(this.gl, texture, toFloats(value.host, value.dtype))
    return texture
  }

  /** Forgets a value that nobody holds any more. */
  discard(value: Value): void {
    const { texture } = value
    value.texture = null
    value.host = null
    if (texture) this.giveBack(texture)
    if (value.away) this.host?.free?.(value.away)
    value.away = null
  }

  /** Ends one holding of a value. */
  release(value: Value): void {
    if (--value.holders === 0) this.discard(value)
  }

  /** A texture for a value, or for passes that pass something on; to be given back. */
  scratch(texels: number): Texture {
    return this.now.textures.take(texels)
  }

  /** Gives {@link scratch} back. */
  giveBack(texture: Texture): void {
    if (texture.owner === this.parts?.textures) this.parts.textures.give(texture)
  }

  /** The pass of a key; `code` is asked only where it is new. */
  pass(key: string, code: () => PassCode): Pass {
    return this.now.launcher.pass(key, code)
  }

  /** Runs a pass from textures to textures. */
  launch(pass: Pass, outs: readonly Texture[], ins: readonly Texture[], p: readonly number[] = [], q: readonly number[] = []): void {
    this.now.launcher.launch(pass, outs, ins, p, q)
  }

  /** Runs a pass from values to values of one size, and gives these. */
  compute(key: string, code: () => PassCode, outs: readonly Value[], ins: readonly Value[], p: readonly number[] = [], q: readonly number[] = []): void {
    if (outs[0]!.length === 0) return
    const read = ins.map(value => this.textureOf(value))
    const written = outs.map(out => out.texture = this.scratch(texelsOf(out.length)))
    this.launch(this.pass(key, code), written, read, p, q)
  }
}
