// Tests run on the sources: the private condition @bp/source resolves every package to its src folder.

import { defineConfig } from 'vitest/config'
import { browserProjects } from './vitest.browser.ts'

const conditions = ['@bp/source', 'module', 'node', 'default']

export default defineConfig({
  test: {
    projects: [
      {
        resolve: { conditions },
        ssr: { resolve: { conditions } },
        test: {
          name: 'node',
          include: ['packages/*/{src,test}/**/*.test.ts', 'apps/*/src/**/*.test.ts', '.examples/*.test.ts'],
          exclude: ['**/node_modules/**', '**/*.browser.test.ts'],
          setupFiles: ['./vitest.setup.ts'],
          isolate: false,
          testTimeout: 60_000,
        },
      },
      ...await browserProjects(),
    ],
  },
})
