// A small server: the first part of a path chooses the headers, the rest the file.

import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { type AddressInfo } from 'node:net'
import { extname, join, normalize } from 'node:path'

/** Headers of each kind of site. */
const headers = {
  /** May share memory between threads. */
  isolated: { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' },
  /** May not. */
  plain: {},
  /** Forbids WebAssembly, as every script-src without 'wasm-unsafe-eval' does. */
  strict: { 'Content-Security-Policy': "default-src 'none'; script-src 'self'" },
} as const

/** A kind of site. */
export type Site = keyof typeof headers

const types: Readonly<Record<string, string>> = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8' }

/** What a server serves: the body of a name; `null` where it has none. */
export type Content = (name: string) => Uint8Array | string | null

/** Texts by name. */
export const texts = (made: Readonly<Record<string, string>>): Content => name => made[name] ?? null

/** Files of a folder. */
export const files = (folder: string): Content => name => {
  try {
    return readFileSync(join(folder, normalize(`/${name}`)))
  } catch {
    return null
  }
}

function first(contents: readonly Content[], name: string): Uint8Array | string | null {
  for (const content of contents) {
    const body = content(name)
    if (body !== null) return body
  }
  return null
}

/** Serves on a free port of this machine what the first of the contents has; `address` gives the URL of a name on a kind of site. */
export async function serve(...contents: readonly Content[]): Promise<{ readonly address: (site: Site, name: string) => string; readonly close: () => void }> {
  const server: Server = createServer((request, response) => {
    const [site = '', ...rest] = new URL(request.url ?? '/', 'http://localhost').pathname.slice(1).split('/')
    const name = decodeURIComponent(rest.join('/'))
    const body = site in headers ? first(contents, name) : null
    if (body === null) {
      response.writeHead(404).end()
      return
    }
    response.writeHead(200, { 'Content-Type': types[extname(name)] ?? 'application/octet-stream', ...headers[site as Site] }).end(body)
  })
  await new Promise<void>(done => { server.listen(0, '127.0.0.1', done) })
  const { port } = server.address() as AddressInfo
  return { address: (site, name) => `http://127.0.0.1:${port}/${site}/${name}`, close: () => { server.close() } }
}
