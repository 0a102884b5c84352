// The page about the WebGL backend, and its chart.

import { chart, failures, type Report, singlesTable, table } from '../report.ts'

/** The chart, by its file's name. */
export const webglCharts = ({ jobs }: Report): Record<string, string> => ({ 'webgl.svg': chart("On WebGL: a peer's time over ours", jobs.filter(({ ratios }) => Object.keys(ratios).length > 0)) })

/** The page. */
export function webglPage(report: Report): string {
  const versions = Object.entries(report.versions).map(([name, version]) => `${name} ${version}`).join(', ')
  const missing = failures(report)
  return `# Benchmark results on WebGL

Made by \`npm run -s bench -- --backend webgl --write-results\` on ${report.date}: ${report.machine}, Node ${report.node}. ${versions}.
Drawn by ${report.adapter ?? 'nothing'}.
Without a graphics card the adapter computes on the CPU, so no time here is that of a GPU, and only ratios count. Ours and the
peer's run in one page with a context each, in turns: medians of 9 repetitions of at least 50 ms; in brackets a time over that
of ours, so above 1 we are faster. A repetition ends when one element of the last result has been read; results are let go after the
next one, for what is written over at once an adapter need not draw. Every job first checks that all results agree to 1e-3. Where there are several ways to do a job, the
fastest counts, on both sides.

${table(report)}

![ratios](figures/webgl.svg)

A run by itself, medians of 9: for how long the call keeps the page, and after how long an element of its result is there.

${singlesTable(report)}

| job | work (float32) |
| --- | --- |
| \`mlp\` | 784-256-128-10, ReLU, batch 64, softmax cross-entropy, Adam: one whole training step, its loss read back, by waiting for it (\`data()\`) or at once (\`dataSync()\`) |
| \`cnn\` | 28×28×1: conv 5×5 ×8 (same padding), ReLU, maxpool 2, conv 5×5 ×16 (same), ReLU, maxpool 2, dense 784→10; batch 64, SGD momentum: one step, likewise |
| \`launch\` | 1000 chained mul and add on 4 elements, each waiting for the one before: µs per op |
| \`gemm-N\` | N × N × N product |
| \`conv-3x3\` | 32 → 64 channels, 56 × 56, batch 4, padding 1; ours with the channels first, TensorFlow.js with the channels last, each as its library prefers |
| \`add\`, \`relu\`, \`exp\`, \`gelu\`, \`sum\` | 10⁶ elements; gelu by erf |
| \`softmax\` | 512 rows of 1024 |

TensorFlow.js runs with its default flags and in production mode: ops in \`tidy\`, results disposed of, inputs on the GPU before
anything is timed, training by \`optimizer.minimize\`. Ours runs in scopes, so that both take their textures from a pool.
${missing.length > 0 ? `\nWhat could not be run:\n\n${missing.map(line => `- ${line}`).join('\n')}\n` : ''}`
}
