// Tests run on the sources: the private condition @bp/source resolves every package to its src folder.

import { defineConfig } from 'vitest/config'

export default defineConfig({
  resolve: { conditions: ['@bp/source', 'module', 'node', 'default'] },
  ssr: { resolve: { conditions: ['@bp/source', 'module', 'node', 'default'] } },
  test: {
    include: ['packages/*/{src,test}/**/*.test.ts', 'apps/*/src/**/*.test.ts', '.examples/*.test.ts'],
    setupFiles: ['./vitest.setup.ts'],
    isolate: false,
    testTimeout: 60_000,
  },
})
