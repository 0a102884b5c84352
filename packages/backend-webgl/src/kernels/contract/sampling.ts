// Texels read by sampling: software adapters sample the nearest texel in two thirds of the time of texelFetch, GPUs as fast.

/* A texel's middle, in shares of a texture's sides: exact across, for widths are powers of two, and off by far less than half a texel down. */
const sampler = (input: number): string => `
vec2 side${input};
#define load${input}(t) textureLod(user_x${input}, (vec2(at${input}(t)) + 0.5) * side${input}, 0.0)`

/** GLSL of `load0(t)`, `load1(t)`, …, which give what `fetch0(t)`, … do, for floats: bits of whole numbers may not survive sampling. */
export const sampling = (inputs: number): string => Array.from({ length: inputs }, (_, i) => sampler(i)).join('') + '\n'

/** GLSL that sets what they need, at the beginning of `compute`. */
export const sides = (inputs: number): string => Array.from({ length: inputs }, (_, i) => `side${i} = 1.0 / vec2(textureSize(user_x${i}, 0));`).join(' ')
