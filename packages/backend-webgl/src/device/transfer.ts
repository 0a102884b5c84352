// Moving numbers between typed arrays and textures: uploads in place, blocking reads, and reads that wait for a fence.

/// <reference lib="dom" />

import { fail } from '@bp/core/extend'
import { scratchUnit, type Texture } from './texture.ts'

/** Copies floats into a texture, row by row; what is left of the last row stays as it is. */
export function upload(gl: WebGL2RenderingContext, texture: Texture, data: Float32Array): void {
  const [width] = texture.size
  const row = 4 * width
  const rows = Math.floor(data.length / row)
  gl.activeTexture(gl.TEXTURE0 + scratchUnit)
  gl.bindTexture(gl.TEXTURE_2D, texture.texture)
  if (rows > 0) gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, width, rows, gl.RGBA, gl.FLOAT, data, 0)
  const rest = data.length - rows * row
  if (rest === 0) return
  const texels = Math.ceil(rest / 4)
  const last = new Float32Array(4 * texels)
  last.set(data.subarray(rows * row))
  gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, rows, texels, 1, gl.RGBA, gl.FLOAT, last, 0)
}

/** Reads textures of one context. */
export class Reader {
  private readonly gl: WebGL2RenderingContext
  private readonly framebuffer: WebGLFramebuffer

  constructor(gl: WebGL2RenderingContext) {
    this.gl = gl
    this.framebuffer = gl.createFramebuffer()
  }

  /** The first n floats, at once: waits until the GPU has computed them. */
  now(texture: Texture, n: number): Float32Array {
    const { gl } = this
    const [width, height] = rectangle(texture, n)
    const data = new Float32Array(4 * width * height)
    this.attach(texture)
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.FLOAT, data)
    this.detach()
    return data.length === n ? data : data.slice(0, n)
  }

  /** The same without blocking: copied on the GPU into a buffer, and read when a fence says that it is there. */
  async later(texture: Texture, n: number): Promise<Float32Array> {
    const { gl } = this
    const [width, height] = rectangle(texture, n)
    const data = new Float32Array(n)
    const buffer = gl.createBuffer()
    gl.bindBuffer(gl.PIXEL_PACK_BUFFER, buffer)
    gl.bufferData(gl.PIXEL_PACK_BUFFER, 16 * width * height, gl.STREAM_READ)
    this.attach(texture)
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.FLOAT, 0)
    this.detach()
    gl.bindBuffer(gl.PIXEL_PACK_BUFFER, null)
    const fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0)
    gl.flush()
    try {
      if (fence) await passed(gl, fence)
      if (gl.isContextLost()) fail('backend', 'data', 'the WebGL context was lost while a tensor was read. Wait until the browser restores it, and load a checkpoint')
      gl.bindBuffer(gl.PIXEL_PACK_BUFFER, buffer)
      gl.getBufferSubData(gl.PIXEL_PACK_BUFFER, 0, data)
      gl.bindBuffer(gl.PIXEL_PACK_BUFFER, null)
      return data
    } finally {
      gl.deleteSync(fence)
      gl.deleteBuffer(buffer)
    }
  }

  private attach({ texture }: Texture): void {
    const { gl } = this
    gl.bindFramebuffer(gl.READ_FRAMEBUFFER, this.framebuffer)
    gl.framebufferTexture2D(gl.READ_FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0)
  }

  /* a texture that stayed attached would be kept alive */
  private detach(): void {
    const { gl } = this
    gl.framebufferTexture2D(gl.READ_FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, null, 0)
    gl.bindFramebuffer(gl.READ_FRAMEBUFFER, null)
  }
}

/** The part of a texture that holds the first n floats. */
function rectangle({ size: [width] }: Texture, n: number): [width: number, height: number] {
  const texels = Math.ceil(n / 4)
  return texels <= width ? [texels, 1] : [width, Math.ceil(texels / width)]
}

/** Milliseconds of asking as often as the event loop turns, before asking at a timer's pace. */
const eager = 3

/** Resolves when a fence is passed; every question is a task of its own, so that the page goes on meanwhile. */
function passed(gl: WebGL2RenderingContext, fence: WebGLSync): Promise<void> {
  return new Promise(resolve => {
    const begin = performance.now()
    const channel = new MessageChannel()
    const done = (): boolean => {
      if (gl.isContextLost()) return true
      const status = gl.clientWaitSync(fence, 0, 0)
      return status === gl.ALREADY_SIGNALED || status === gl.CONDITION_SATISFIED || status === gl.WAIT_FAILED
    }
    const ask = (): void => {
      if (done()) {
        channel.port1.close()
        resolve()
      } else if (performance.now() - begin < eager) channel.port2.postMessage(0)
      else setTimeout(ask, 1)
    }
    channel.port1.onmessage = ask
    ask()
  })
}
