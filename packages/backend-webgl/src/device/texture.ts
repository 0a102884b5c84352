// Textures: made, pooled by their rectangle, counted, and refused beyond a budget.

/// <reference lib="dom" />

import { fail } from '@bp/core/extend'
import { type Layout, layoutOf } from './layout.ts'

/** A texture of four 32-bit floats a texel, as gpu.js takes it for an argument and a result. */
export class Texture {
  readonly context: WebGL2RenderingContext
  readonly texture: WebGLTexture
  /** What counts it: textures of a context that was lost have another. */
  readonly owner: Textures
  readonly size: readonly [width: number, height: number]
  /** The same with a depth, as gpu.js counts threads. */
  readonly threads: readonly [width: number, height: number, depth: number]
  /** What passes address it by: shift, mask. */
  readonly dimensions: readonly [number, number, number]

  private drawn: WebGLFramebuffer | null = null

  constructor(context: WebGL2RenderingContext, owner: Textures, texture: WebGLTexture, { width, height, shift }: Layout) {
    this.context = context
    this.owner = owner
    this.texture = texture
    this.size = [width, height]
    this.threads = [width, height, 1]
    this.dimensions = [shift, width - 1, 0]
  }

  /** log₂ of the width. */
  get shift(): number {
    return this.dimensions[0]
  }

  get bytes(): number {
    return this.size[0] * this.size[1] * 16
  }

  /** A framebuffer that draws into this texture alone: binding it is cheaper than attaching to another. */
  framebuffer(): WebGLFramebuffer {
    if (this.drawn) return this.drawn
    const { context: gl } = this
    this.drawn = gl.createFramebuffer()
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.drawn)
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, this.texture, 0)
    return this.drawn
  }

  /** Gives the memory back. */
  delete(): void {
    if (this.drawn) this.context.deleteFramebuffer(this.drawn)
    this.context.deleteTexture(this.texture)
  }

  /** gpu.js asks before it writes: nothing here is shared behind its back. */
  beforeMutate(): boolean {
    return false
  }
}

/** The counts of {@link Textures}. */
export interface TextureCounts {
  /** Textures that hold values. */
  readonly textures: number
  readonly bytes: number
  /** Textures that are kept for later results. */
  readonly pooled: number
  readonly pooledBytes: number
}

/** The textures of one context. */
export class Textures {
  private readonly gl: WebGL2RenderingContext
  private readonly largestSide: number
  private readonly budget: number
  private readonly pool = new Map<number, Texture[]>()
  private textures = 0
  private bytes = 0
  private pooled = 0
  private pooledBytes = 0

  constructor(gl: WebGL2RenderingContext, largestSide: number, budget: number) {
    this.gl = gl
    this.largestSide = largestSide
    this.budget = budget
  }

  get counts(): TextureCounts {
    return { textures: this.textures, bytes: this.bytes, pooled: this.pooled, pooledBytes: this.pooledBytes }
  }

  /** A texture of so many texels; what it held before is still in it. */
  take(texels: number): Texture {
    const layout = layoutOf(texels, this.largestSide) ?? fail('memory', 'webgl', `a tensor of ${texels * 4} elements does not fit into one texture of at most ${this.largestSide} × ${this.largestSide} texels. Split it`)
    const key = keyOf(layout)
    const list = this.pool.get(key)
    const found = list?.pop()
    if (found) {
      this.pooled--
      this.pooledBytes -= found.bytes
    }
    const texture = found ?? this.make(layout)
    this.textures++
    this.bytes += texture.bytes
    return texture
  }

  /** Gives a texture back: a later result of the same rectangle takes it. */
  give(texture: Texture): void {
    this.textures--
    this.bytes -= texture.bytes
    const key = keyOf({ width: texture.size[0], height: texture.size[1] })
    const list = this.pool.get(key)
    if (list) list.push(texture)
    else this.pool.set(key, [texture])
    this.pooled++
    this.pooledBytes += texture.bytes
  }

  /** Deletes what is pooled. */
  drain(): void {
    for (const list of this.pool.values()) for (const texture of list) texture.delete()
    this.pool.clear()
    this.pooled = this.pooledBytes = 0
  }

  private make(layout: Layout): Texture {
    const { gl } = this
    const needed = layout.width * layout.height * 16
    if (this.bytes + this.pooledBytes + needed > this.budget) this.drain()
    if (this.bytes + needed > this.budget) {
      fail('memory', 'webgl', `${needed} more bytes exceed the budget of ${this.budget}: ${this.textures} textures hold ${this.bytes}. Let tensors go sooner with scope(), compile the step, use smaller batches, or give webgl({ maxBytes })`)
    }
    const texture = gl.createTexture()
    gl.activeTexture(gl.TEXTURE0 + scratchUnit)
    gl.bindTexture(gl.TEXTURE_2D, texture)
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST)
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST)
    // the cheapest: repeating divides
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE)
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE)
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RGBA32F, layout.width, layout.height)
    return new Texture(gl, this, texture, layout)
  }
}

/** The texture unit that uploads and allocations use; passes read at most this many textures. */
export const scratchUnit = 15

const keyOf = ({ width, height }: Pick<Layout, 'width' | 'height'>): number => width * 2 ** 20 + height
