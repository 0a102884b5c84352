// What the page asks of a session, and what the session tells the page, wherever it runs.

import type { Images } from '@bp/digits/data'

/** What a session computes on. */
export type BackendName = 'webgl' | 'cpu'

/** The files that a trained model can be saved as. */
export type Format = 'onnx' | 'safetensors'

/** What the page asks. */
export type Command =
  /** `run` numbers runs: what is told of one carries its number. */
  | { readonly kind: 'begin'; readonly run: number; readonly backend: BackendName; readonly epochs: number }
  | { readonly kind: 'run' }
  | { readonly kind: 'pause' }
  | { readonly kind: 'predict'; readonly pixels: Float32Array }
  | { readonly kind: 'save'; readonly format: Format }

/** What the backend holds: textures and bytes of tensors, and those kept for later ones. */
export interface Held {
  readonly textures: number
  readonly bytes: number
  readonly pooled: number
  readonly pooledBytes: number
}

/** What the session tells. */
export type Report =
  /** A run is ready for its first step. `shown` are the test digits whose predictions come with each judgement. */
  | { readonly kind: 'begun'; readonly device: string; readonly steps: number; readonly tests: number; readonly shown: Images }
  /** `held` is there on WebGL only. */
  | { readonly kind: 'step'; readonly step: number; readonly loss: number; readonly at: number; readonly held: Held | null }
  /** `labels` are what the model takes the digits in `shown` for. */
  | { readonly kind: 'judged'; readonly step: number; readonly accuracy: number; readonly labels: readonly number[] }
  | { readonly kind: 'predicted'; readonly chances: readonly number[] }
  | { readonly kind: 'saved'; readonly format: Format; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'paused' }
  | { readonly kind: 'ended' }
  /** Nothing more comes of this run. */
  | { readonly kind: 'failed'; readonly reason: 'no-webgl' | 'lost' | 'other'; readonly message: string }

/** A report, and which run it is of. */
export interface Told {
  readonly run: number
  readonly report: Report
}

/** Where reports go. */
export type Tell = (told: Told, transfer?: Transferable[]) => void
