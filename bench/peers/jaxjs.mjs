// jax-js behind the benchmark's protocol. Everything is compiled by jit as one program.
import './adapter.mjs'
import { inputsOf, LAYER_NORM_EPS, transposed } from './inputs.mjs'
import { serve } from './serve.mjs'

// Named at run time: the type checker must not follow it into a folder that need not exist.
const jax = await import(['@jax-js', 'jax'].join('/'))
const { numpy: np, nn, jit, vjp, valueAndGrad } = jax
await jax.init('webgpu')
jax.defaultDevice('webgpu')

// An array is used up by the function it is given to, unless `.ref` keeps it.

function layerNorm(x, weight, bias) {
  return nn.standardize(x, -1, { epsilon: LAYER_NORM_EPS }).mul(weight).add(bias)
}

function attention(qkv, heads) {
  const [batch, tokens, width] = qkv.shape
  const parts = np.split(qkv.reshape([batch, tokens, 3 * heads, width / (3 * heads)]), 3, 2)
  return nn.dotProductAttention(...parts).reshape([batch, tokens, width / 3])
}

/** x [B, T, in], weight [in, out]. */
function linear(x, weight, bias) {
  return np.matmul(x, weight).add(bias)
}

function block(x, p, heads) {
  const [w1, b1, wQkv, bQkv, wProj, bProj, w2, b2, wFc1, bFc1, wFc2, bFc2] = p
  const attended = attention(linear(layerNorm(x.ref, w1, b1), wQkv, bQkv), heads)
  const middle = x.add(linear(attended, wProj, bProj))
  const hidden = nn.gelu(linear(layerNorm(middle.ref, w2, b2), wFc1, bFc1), { approximate: false })
  return middle.add(linear(hidden, wFc2, bFc2))
}

/** Each takes shape and returns a function of the inputs that gives the outputs as an array of arrays. */
const works = {
  matmul: () => (a, b) => [np.matmul(a, b)],
  linear: () => (x, weight) => [np.matmul(x, weight)],
  attention:
    ({ heads }) =>
    (qkv, dOut) => {
      const [out, pullBack] = vjp((x) => attention(x, heads), [qkv])
      const gradients = pullBack(dOut)
      pullBack.dispose()
      return [out, ...gradients]
    },
  layerNorm: () => (x, weight, bias, dy) => {
    const [y, pullBack] = vjp(layerNorm, [x, weight, bias])
    const gradients = pullBack(dy)
    pullBack.dispose()
    return [y, ...gradients]
  },
  trainingStep:
    ({ depth, heads }) =>
    (x, target, ...parameters) => {
      const loss = (...p) => {
        let y = x.ref
        for (let i = 0; i < depth; i++) y = block(y, p.slice(12 * i, 12 * i + 12), heads)
        return np.mean(np.square(y.sub(target.ref)))
      }
      const argnums = parameters.map((_, i) => i)
      const [value, gradients] = valueAndGrad(loss, { argnums })(...parameters)
      x.dispose()
      target.dispose()
      return [value, ...gradients]
    },
}

const outputNames = {
  matmul: () => ['y'],
  linear: () => ['y'],
  attention: () => ['out', 'dqkv'],
  layerNorm: () => ['y', 'dx', 'dWeight', 'dBias'],
  trainingStep: (inputs) => ['loss', ...inputs.slice(2)],
}

const isWeight = (name, shape) => name.endsWith('weight') && shape.length === 2

await serve(async (work, shape) => {
  const inputs = inputsOf(work, shape)
  const arrays = inputs.map(({ name, shape: [rows, columns], shape: size, values }) =>
    isWeight(name, size)
      ? np.array(transposed(values, rows, columns), { shape: [columns, rows] })
      : np.array(values, { shape: size }),
  )
  const run = jit(works[work](shape))
  const names = outputNames[work](inputs.map(({ name }) => name))
  /** Results that may still be waiting to be submitted. */
  let results = []
  const call = () => run(...arrays.map((array) => array.ref))
  const drop = () => {
    for (const array of results.flat()) array.dispose()
    results = []
  }
  return {
    enqueue() {
      results.push(call())
    },
    async wait() {
      // jax-js submits a program when one of its results is waited for, so one of every call must be.
      await Promise.all(results.map(([first]) => first.blockUntilReady()))
      drop()
    },
    async outputs() {
      const last = call()
      const values = await Promise.all(
        last.map(async (array, i) => {
          const { shape: size } = array
          const data = Float32Array.from(await array.data())
          return isWeight(names[i], size) ? transposed(data, size[0], size[1]) : data
        }),
      )
      return values.map((data, i) => ({ name: names[i], values: data }))
    },
    dispose() {
      drop()
      for (const array of arrays) array.dispose()
      run.dispose()
    },
  }
})
