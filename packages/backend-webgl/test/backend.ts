// The backend of the tests: one for all files of a page, so that kernels are compiled once.

import { cpu } from '@bp/backend-cpu'
import { webgl } from '../src/index.ts'

/** The WebGL backend, with the CPU for what the GPU has not. */
export const backend = await webgl({ host: cpu() })

/** Whether the adapter is SwiftShader, which gets one pass of the suite. */
export const onSwiftShader = /swiftshader/i.test(backend.adapter)
