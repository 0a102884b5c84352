// Lint rules: typescript-eslint's strict set with type information, and a fence around each package.

import js from '@eslint/js'
import tseslint from 'typescript-eslint'

/** Which packages each package may import; `type` means types only. */
const fences = {
  core: [],
  ops: ['@bp/core'],
  'backend-cpu': ['@bp/core', 'type:@bp/ops'],
  'backend-webgl': ['@bp/core', 'type:@bp/ops'],
  nn: ['@bp/core', '@bp/ops'],
  onnx: ['@bp/core', '@bp/ops', '@bp/nn'],
  data: ['@bp/core', '@bp/ops', '@bp/nn'],
  train: ['@bp/core', '@bp/ops', '@bp/nn'],
  testkit: ['@bp/core', '@bp/ops'],
}
const packages = Object.keys(fences).map(name => `@bp/${name}`)

const fence = ([name, allowed]) => ({
  files: [`packages/${name}/src/**/*.ts`],
  ignores: ['**/*.test.ts', '**/*.test-d.ts'],
  rules: {
    '@typescript-eslint/no-restricted-imports': ['error', {
      patterns: packages.flatMap(target => {
        const typesOnly = allowed.includes(`type:${target}`)
        if (allowed.includes(target)) return [{ regex: `^${target}/(?!extend$|fluent$)`, message: 'Only the entry points of a package can be imported.' }]
        return [{ regex: `^${target}(/|$)`, allowTypeImports: typesOnly, message: `@bp/${name} may not depend on ${target}${typesOnly ? ' but for its types' : ''}; see docs/decisions.` }]
      }),
    }],
  },
})

export default tseslint.config(
  { ignores: ['**/dist/', '**/node_modules/', 'out/', '**/reports/', '.examples/'] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    // one program for all: a service would hold one for each package, and more than a heap of 4 GB
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      'no-eval': 'error',
      'no-new-func': 'error',
      // indices are known to be in range where numeric code asserts them
      '@typescript-eslint/no-non-null-assertion': 'off',
      // shapes and numbers go into messages as they are
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/consistent-type-definitions': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', destructuredArrayIgnorePattern: '^_' }],
      // void is a row without parameters, not only a return type
      '@typescript-eslint/no-invalid-void-type': 'off',
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      // counting loops read better than iterators in kernels
      '@typescript-eslint/prefer-for-of': 'off',
      '@typescript-eslint/unified-signatures': 'off',
      // a class names what its subclasses fix
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
    },
  },
  ...Object.entries(fences).map(fence),
  {
    files: ['**/*.test.ts', '**/*.test-d.ts'],
    rules: { '@typescript-eslint/no-unsafe-assignment': 'off', '@typescript-eslint/no-unsafe-member-access': 'off', '@typescript-eslint/unbound-method': 'off' },
  },
  {
    files: ['**/*.mjs', '**/*.js'],
    ...tseslint.configs.disableTypeChecked,
    languageOptions: { ...tseslint.configs.disableTypeChecked.languageOptions, globals: { process: 'readonly', console: 'readonly', URL: 'readonly', performance: 'readonly', Buffer: 'readonly' } },
  },
)
