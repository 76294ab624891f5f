// tfjs-backend-webgpu behind the benchmark's protocol.
import './adapter.mjs'
import { inputsOf, LAYER_NORM_EPS, transposed } from './inputs.mjs'
import { serve } from './serve.mjs'

// Bundled from its ES modules at installation, as its Node build registers no gradients. Named at run time: the type
// checker must not follow it into a folder that need not exist.
const tf = await import(['.', 'node_modules', '.bundled', 'tfjs.mjs'].join('/'))
await tf.setBackend('webgpu')
await tf.ready()

function gelu(x) {
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1))
}

function layerNorm(x, weight, bias) {
  const mean = tf.mean(x, -1, true)
  const centred = tf.sub(x, mean)
  const variance = tf.mean(tf.square(centred), -1, true)
  return tf.add(tf.mul(tf.mul(centred, tf.rsqrt(tf.add(variance, LAYER_NORM_EPS))), weight), bias)
}

function attention(qkv, heads) {
  const [batch, tokens, width] = qkv.shape
  const headDim = width / (3 * heads)
  const split = tf.transpose(tf.reshape(qkv, [batch, tokens, 3, heads, headDim]), [2, 0, 3, 1, 4])
  const [q, k, v] = tf.unstack(split)
  const scores = tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(headDim))
  const out = tf.matMul(tf.softmax(scores), v)
  return tf.reshape(tf.transpose(out, [0, 2, 1, 3]), [batch, tokens, heads * headDim])
}

/** x [B, T, in], weight [in, out]: this engine's own layout for dense layers. */
function linear(x, weight, bias) {
  const [batch, tokens, inputs] = x.shape
  const y = tf.add(tf.matMul(tf.reshape(x, [batch * tokens, inputs]), weight), bias)
  return tf.reshape(y, [batch, tokens, weight.shape[1]])
}

function block(x, p, heads) {
  const [w1, b1, wQkv, bQkv, wProj, bProj, w2, b2, wFc1, bFc1, wFc2, bFc2] = p
  const attended = attention(linear(layerNorm(x, w1, b1), wQkv, bQkv), heads)
  const middle = tf.add(x, linear(attended, wProj, bProj))
  const hidden = gelu(linear(layerNorm(middle, w2, b2), wFc1, bFc1))
  return tf.add(middle, linear(hidden, wFc2, bFc2))
}

/** Each takes the input tensors and returns named outputs. */
const works = {
  matmul: ([a, b]) => ({ y: tf.matMul(a, b) }),
  linear: ([x, weight]) => ({ y: tf.matMul(x, weight) }),
  attention: ([qkv, dOut], { heads }) => {
    const { value, grads } = tf.valueAndGrads((x) => attention(x, heads))([qkv], dOut)
    return { out: value, dqkv: grads[0] }
  },
  layerNorm: ([x, weight, bias, dy]) => {
    const { value, grads } = tf.valueAndGrads(layerNorm)([x, weight, bias], dy)
    return { y: value, dx: grads[0], dWeight: grads[1], dBias: grads[2] }
  },
  trainingStep: ([x, target, ...parameters], { depth, heads }, names) => {
    const loss = (...p) => {
      let y = x
      for (let i = 0; i < depth; i++) y = block(y, p.slice(12 * i, 12 * i + 12), heads)
      return tf.mean(tf.squaredDifference(y, target))
    }
    const { value, grads } = tf.valueAndGrads(loss)(parameters)
    return { loss: value, ...Object.fromEntries(grads.map((gradient, i) => [names[i + 2], gradient])) }
  },
}

const isWeight = (name, shape) => name.endsWith('weight') && shape.length === 2

await serve(async (work, shape) => {
  const inputs = inputsOf(work, shape)
  const tensors = inputs.map(({ name, shape: [rows, columns], shape: size, values }) =>
    isWeight(name, size)
      ? tf.tensor(transposed(values, rows, columns), [columns, rows])
      : tf.tensor(values, size),
  )
  const names = inputs.map(({ name }) => name)
  let last = {}
  const drop = () => tf.dispose(last)
  return {
    enqueue() {
      drop()
      last = tf.tidy(() => works[work](tensors, shape, names))
    },
    async wait() {
      // Reading any result waits for all that was queued before; the smallest one costs least to copy.
      const smallest = Object.values(last).reduce((a, b) => (b.size < a.size ? b : a))
      await smallest.data()
    },
    async outputs() {
      this.enqueue()
      const read = async ([name, tensor]) => {
        const values = Float32Array.from(await tensor.data())
        const [rows, columns] = tensor.shape
        return { name, values: isWeight(name, tensor.shape) ? transposed(values, rows, columns) : values }
      }
      return Promise.all(Object.entries(last).map(read))
    },
    dispose() {
      drop()
      last = {}
      tf.dispose(tensors)
    },
  }
})
