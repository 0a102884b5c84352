// What the page of a headless run does: takes the files of a case from its server, runs the case, and says how it ended.

import { cpu } from '@bp/backend-cpu'
import { webgl } from '@bp/backend-webgl'
import { add, type Backend, tensor, use } from '@bp/core'
import type { CaseResult } from './report.ts'
import { judge, type Setting } from './suites/suite.ts'
import { type SuiteName, suites } from './suites/suites.ts'

/** The backends that a page can compute on. */
const devices = {
  cpu: () => Promise.resolve(cpu()),
  webgl: () => webgl({ host: cpu() }),
} as const satisfies Readonly<Record<string, () => Promise<Backend>>>

/** The name of one. */
export type Device = keyof typeof devices

/** A case for the page: its files lie on its own server, beside the page. */
export interface Task {
  readonly suite: SuiteName
  readonly name: string
  readonly setting: Setting
  readonly files: readonly string[]
}

/** How a case ended, and whether the page can run another. */
export interface Ended {
  readonly result: CaseResult
  readonly computes: boolean
}

/** What Node calls. */
export interface PageApi {
  start(device: Device): Promise<void>
  run(task: Task): Promise<Ended>
}

const scope = globalThis as unknown as { conformance: PageApi; fetch(url: string): Promise<{ arrayBuffer(): Promise<ArrayBuffer> }> }

const take = async (file: string): Promise<[string, Uint8Array]> => [file, new Uint8Array(await (await scope.fetch(`case/${encodeURIComponent(file)}`)).arrayBuffer())]

/** Whether the backend still computes, as one does not that lost its context or its memory. */
function computes(): boolean {
  try {
    return add(tensor([1, 2]), tensor([3, 4])).dataSync().join() === '4,6'
  } catch {
    return false
  }
}

scope.conformance = {
  start: async device => { use(await devices[device]()) },
  run: async ({ suite, name, setting, files }) => {
    const taken = Object.fromEntries(await Promise.all(files.map(take)))
    const result = await judge(name, () => suites[suite]({ name, files: taken }, setting))
    return { result, computes: result.status !== 'fail' || computes() }
  },
}
