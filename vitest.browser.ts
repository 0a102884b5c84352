// The projects of Vitest that run in Chromium: files named *.browser.test.ts, one Chromium and one page for each project.

import { globSync } from 'node:fs'
import { playwright } from '@vitest/browser-playwright'
import type { TestProjectInlineConfiguration } from 'vitest/config'
import { type Adapter, findChromium, launchOptions, noChromiumHint, whyNot } from './apps/browser/src/chromium.ts'

/** What stands in a package runs in each of its projects. */
interface BrowserProject {
  readonly name: string
  readonly include: string
  readonly exclude?: string
  readonly adapter: Adapter
}

/** In the order of running: one after the other, for each takes all cores. */
const projects: readonly BrowserProject[] = [
  { name: 'cpu-chromium', include: 'packages/*/{src,test}/**/*.browser.test.ts', exclude: 'packages/backend-webgl/**', adapter: 'none' },
  { name: 'webgl-llvmpipe', include: 'packages/backend-webgl/{src,test}/**/*.browser.test.ts', adapter: 'llvmpipe' },
  { name: 'webgl-swiftshader', include: 'packages/backend-webgl/{src,test}/**/*.browser.test.ts', adapter: 'swiftshader' },
]

const leaveOut = (what: string, why: string): void => { console.warn(`! ${what} ARE LEFT OUT: ${why}`) }

/** Kept where every loading of the configuration finds it, for Vitest loads it once for each project. */
const memory = globalThis as { browserProjects?: Promise<TestProjectInlineConfiguration[]> }

/** Those that have tests and can run here; what cannot is said. */
export const browserProjects = (): Promise<TestProjectInlineConfiguration[]> => memory.browserProjects ??= findProjects()

async function findProjects(): Promise<TestProjectInlineConfiguration[]> {
  const chromium = findChromium()
  if (chromium === null) {
    leaveOut('THE TESTS IN CHROMIUM', `there is none here. ${noChromiumHint}`)
    return []
  }
  const inhabited = projects.filter(({ include, exclude }) => globSync(include, { cwd: import.meta.dirname, exclude: exclude ? [exclude] : [] }).length > 0)
  const reasons = await Promise.all(inhabited.map(({ adapter }) => whyNot(chromium, adapter)))
  return inhabited.flatMap((project, i) => {
    const reason = reasons[i]
    if (!reason) return toProject(project, chromium, projects.indexOf(project) + 1)
    leaveOut(`THE TESTS OF ${project.name}`, `${reason}. Debian: apt-get install libegl1 libegl-mesa0 libgles2 libgl1-mesa-dri`)
    return []
  })
}

function toProject({ name, include, exclude, adapter }: BrowserProject, chromium: string, groupOrder: number): TestProjectInlineConfiguration {
  return {
    resolve: { conditions: ['@bp/source', 'module', 'browser', 'development|production'] },
    test: {
      name,
      include: [include],
      exclude: ['**/node_modules/**', ...exclude ? [exclude] : []],
      setupFiles: ['./vitest.setup.ts'],
      testTimeout: 60_000,
      // files share the page: each new one would have to compile all shaders again
      isolate: false,
      fileParallelism: false,
      sequence: { groupOrder },
      browser: {
        enabled: true,
        headless: true,
        screenshotFailures: false,
        traceView: false,
        provider: playwright({ launchOptions: launchOptions(chromium, adapter) }),
        instances: [{ browser: 'chromium', name }],
      },
    },
  }
}
