// Digits on canvases: greys of the data as ink, and drawings as greys, laid out as those of the data are.

/// <reference lib="dom" />

const side = 28
/** A digit of the data fills a square of so many pixels, its centre of mass in the middle of the image. */
const inner = 20

/** A context that is drawn by this thread: pages read their drawings back, and leave the graphics card to the training. */
export function contextOf(canvas: HTMLCanvasElement | OffscreenCanvas): CanvasRenderingContext2D {
  return canvas.getContext('2d', { willReadFrequently: true }) as CanvasRenderingContext2D
}

/** Shows an image of 28 × 28 greys. */
export function show(canvas: HTMLCanvasElement, pixels: Float32Array): void {
  const image = new ImageData(side, side)
  pixels.forEach((grey, i) => { image.data[4 * i + 3] = Math.round(255 * grey) })
  contextOf(canvas).putImageData(image, 0, 0)
}

/** Where the ink of a canvas is: its box, and its centre of mass. */
function extent(context: CanvasRenderingContext2D): { readonly x: number; readonly y: number; readonly size: number; readonly cx: number; readonly cy: number } | null {
  const { width, height } = context.canvas
  const { data } = context.getImageData(0, 0, width, height)
  let x0 = width, x1 = -1, y0 = height, y1 = -1, mass = 0, mx = 0, my = 0
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const ink = data[4 * (y * width + x) + 3]!
      if (ink === 0) continue
      x0 = Math.min(x0, x)
      x1 = Math.max(x1, x)
      y0 = Math.min(y0, y)
      y1 = Math.max(y1, y)
      mass += ink
      mx += ink * (x + 0.5)
      my += ink * (y + 0.5)
    }
  }
  return mass === 0 ? null : { x: x0, y: y0, size: Math.max(x1 - x0, y1 - y0) + 1, cx: mx / mass, cy: my / mass }
}

/** A drawing as 28 × 28 greys, scaled and centred as those of MNIST were (LeCun et al. 1998, section III A); `null` where there is no ink. */
export function greys(drawing: HTMLCanvasElement): Float32Array | null {
  const found = extent(contextOf(drawing))
  if (!found) return null
  const scale = inner / found.size
  const small = contextOf(new OffscreenCanvas(side, side))
  small.imageSmoothingQuality = 'high'
  small.setTransform(scale, 0, 0, scale, side / 2 - scale * found.cx, side / 2 - scale * found.cy)
  small.drawImage(drawing, 0, 0)
  const { data } = small.getImageData(0, 0, side, side)
  return Float32Array.from({ length: side * side }, (_, i) => data[4 * i + 3]! / 255)
}

/** Lets people draw with a mouse, a pen or a finger; `drawn` is told after each stretch. */
export function listenToPen(pad: HTMLCanvasElement, begun: () => void, drawn: () => void): void {
  const context = contextOf(pad)
  const at = ({ offsetX, offsetY }: PointerEvent): [number, number] => [offsetX * pad.width / pad.clientWidth, offsetY * pad.height / pad.clientHeight]
  let last: [number, number] | null = null
  const stroke = (event: PointerEvent): void => {
    if (!last) return
    const next = at(event)
    context.lineWidth = 22
    context.lineCap = 'round'
    context.beginPath()
    context.moveTo(...last)
    context.lineTo(...next)
    context.stroke()
    last = next
    drawn()
  }
  pad.addEventListener('pointerdown', event => {
    pad.setPointerCapture(event.pointerId)
    begun()
    last = at(event)
    stroke(event)
  })
  pad.addEventListener('pointermove', stroke)
  for (const name of ['pointerup', 'pointercancel'] as const) pad.addEventListener(name, () => { last = null })
}
