// Every call of gpu.js: it builds a pass from generated GLSL and launches it; nothing else in the package knows it.

/// <reference lib="dom" />

import { fail } from '@bp/core/extend'
import type { Texture } from './texture.ts'

/**
 * The most turns that the loops of one fragment may take in all, nested ones and those one after the other together: Mesa's llvmpipe ends
 * them without a word after 65,535.
 */
export const mostTurns = 60_000

/** The GLSL of one pass, and what it takes. */
export interface PassCode {
  readonly inputs: number
  /** Render targets: 1 to 8 textures of one rectangle. */
  readonly outputs: number
  /** Whole numbers that it reads as `p[i]`; `p[0]` is the shift of the outputs' layout. */
  readonly ints: number
  /** Numbers that it reads as `q[i]`. */
  readonly floats: number
  /** GLSL with a function `vec4 compute()` that gives the first output; the others go to the globals `r1`, `r2`, … */
  readonly code: string
}

/** What is used of a kernel of gpu.js. Its fields are those of version 2.24.1, which the package asks for exactly. */
interface Kernel {
  build(...args: readonly object[]): void
  run(...args: readonly object[]): void
  getUniformLocation(name: string): WebGLUniformLocation | null
  readonly program: WebGLProgram
  framebuffer: WebGLFramebuffer
  texture: object
  mappedTextures: object[] | null
  texSize: readonly number[]
  maxTexSize: readonly number[]
  threadDim: readonly number[]
  _textureSwitched: boolean
}

interface Gpu {
  createKernel(source: string, settings: object): { readonly kernel: Kernel }
  createKernelMap(subKernels: readonly string[], source: string, settings: object): { readonly kernel: Kernel }
}

type GpuConstructor = new (settings: object) => Gpu

/** A pass that was built. */
export interface Pass {
  readonly kernel: Kernel
  readonly ints: WebGLUniformLocation | null
  /** What they are set to. */
  lastInts: readonly number[]
  readonly floats: WebGLUniformLocation | null
}

/** The constructor of gpu.js, which is loaded only where it is needed. */
export async function loadGpu(): Promise<GpuConstructor> {
  const loaded = await import('gpu.js') as unknown as { readonly GPU?: GpuConstructor; readonly default?: GpuConstructor & { readonly GPU?: GpuConstructor } }
  return loaded.GPU ?? loaded.default?.GPU ?? loaded.default!
}

const list = (n: number, name: (i: number) => string): string[] => Array.from({ length: n }, (_, i) => name(i))

/* gpu.js gives each texture x a sampler user_x and user_xDim, which carries the layout: shift, mask, 0. */
const accessors = (inputs: number): string => list(inputs, i => `
#define at${i}(t) ivec2((t) & user_x${i}Dim.y, (t) >> user_x${i}Dim.x)
#define fetch${i}(t) texelFetch(user_x${i}, at${i}(t), 0)
#define same${i}() texture(user_x${i}, vTexCoord)
#define elem${i}(e) (fetch${i}((e) >> 2)[(e) & 3])`).join('')

/** What stands before the GLSL of every pass. */
const preamble = ({ inputs, outputs, ints, floats }: PassCode): string => `
uniform highp int p[${Math.max(1, ints)}];
uniform highp float q[${Math.max(1, floats)}];
${outputs > 1 ? `vec4 ${list(outputs - 1, i => `r${i + 1}`).join(', ')};` : ''}
${accessors(inputs)}
`

/** Builds passes with gpu.js on one context, and launches them. */
export class Launcher {
  private readonly gl: WebGL2RenderingContext
  private readonly gpu: Gpu
  private readonly blank: Texture
  private readonly passes = new Map<string, Pass>()
  /** Of passes of several render targets, one for each number of them: what stays attached to one cannot be deleted. */
  private readonly framebuffers: WebGLFramebuffer[] = []
  private viewport: readonly [number, number] = [0, 0]

  /** `blank` is any texture; passes are built on it. */
  constructor(Gpu: GpuConstructor, gl: WebGL2RenderingContext, blank: Texture) {
    this.gl = gl
    this.gpu = new Gpu({ canvas: gl.canvas, context: gl, mode: 'webgl2' })
    this.blank = blank
  }

  /** How many passes were built. */
  get size(): number {
    return this.passes.size
  }

  /** The pass of a key; `code` is asked only where it is new. */
  pass(key: string, code: () => PassCode): Pass {
    let pass = this.passes.get(key)
    if (!pass) this.passes.set(key, pass = this.build(key, code()))
    return pass
  }

  private build(key: string, code: PassCode): Pass {
    const names = list(code.inputs, i => `x${i}`)
    const native = (name: string, source: string): object => ({ name, source, returnType: 'Array(4)', argumentTypes: {} })
    const others = list(code.outputs - 1, i => `${i + 1}`)
    const settings = {
      output: [1, 1], pipeline: true, immutable: false, dynamicOutput: true, dynamicArguments: true, precision: 'single', tactic: 'precision',
      returnType: 'Array(4)', argumentTypes: names.map(() => 'ArrayTexture(4)'),
      injectedNative: preamble(code),
      nativeFunctions: [native('compute', code.code), ...others.map(i => native(`get${i}`, `vec4 get${i}() { return r${i}; }`))],
    }
    const { kernel } = code.outputs === 1
      ? this.gpu.createKernel(`function(${names.join(', ')}) { return compute(); }`, settings)
      : this.gpu.createKernelMap(others.map(i => `function sub${i}() { return get${i}(); }`), `function(${names.join(', ')}) { const first = compute(); ${others.map(i => `sub${i}();`).join(' ')} return first; }`, settings)
    try {
      kernel.build(...names.map(() => this.blank))
    } catch (error) {
      if (this.gl.isContextLost()) fail('backend', 'webgl', 'the context was lost. Wait until the browser restores it, and load a checkpoint')
      throw new Error(`the pass ${key} was not built: ${String(error)}\n${code.code}`, { cause: error })
    }
    // what gpu.js allocated to build with; results go to textures of ours
    for (const own of [kernel.texture, ...kernel.mappedTextures ?? []] as { readonly texture: WebGLTexture }[]) this.gl.deleteTexture(own.texture)
    // gpu.js sets the viewport while it builds
    this.viewport = [0, 0]
    const shared = this.framebuffers[code.outputs] ??= kernel.framebuffer
    if (shared !== kernel.framebuffer) this.gl.deleteFramebuffer(kernel.framebuffer)
    kernel.framebuffer = shared
    return { kernel, ints: kernel.getUniformLocation('p'), lastInts: [], floats: kernel.getUniformLocation('q') }
  }

  /** Runs a pass: `outs` are its render targets, alike in layout and none of them read. */
  launch(pass: Pass, outs: readonly Texture[], ins: readonly Texture[], p: readonly number[], q: readonly number[]): void {
    const { gl } = this
    const { kernel } = pass
    const [first] = outs as readonly [Texture]
    gl.useProgram(kernel.program)
    if (pass.ints && !alike(pass.lastInts, p, first.shift)) gl.uniform1iv(pass.ints, pass.lastInts = [first.shift, ...p])
    if (pass.floats) gl.uniform1fv(pass.floats, q)
    kernel.texture = first
    // the viewport is the result itself, so that gpu.js scales nothing
    kernel.texSize = kernel.maxTexSize = first.size
    kernel.threadDim = first.threads
    if (this.viewport[0] !== first.size[0] || this.viewport[1] !== first.size[1]) {
      this.viewport = first.size
      gl.viewport(0, 0, first.size[0], first.size[1])
    }
    if (outs.length === 1) {
      kernel.framebuffer = first.framebuffer()
      kernel._textureSwitched = false
    } else {
      kernel._textureSwitched = true
      gl.bindFramebuffer(gl.FRAMEBUFFER, kernel.framebuffer)
      for (let i = 1; i < outs.length; i++) gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0 + i, gl.TEXTURE_2D, outs[i]!.texture, 0)
      kernel.mappedTextures = outs.slice(1)
    }
    kernel.run(...ins)
  }
}

/** Whether a program's whole numbers are what they were. */
function alike(last: readonly number[], p: readonly number[], shift: number): boolean {
  if (last.length !== p.length + 1 || last[0] !== shift) return false
  for (let i = 0; i < p.length; i++) if (last[i + 1] !== p[i]) return false
  return true
}
