import { spawnSync } from 'node:child_process'
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { findAdapter, isSoftwareAdapter, NoAdapterError } from '#adapter'
import { captureStderr } from '../../src/engine/stderrCapture.node.js'
import { SwiftShaderError, unpackSwiftShader } from '../../src/engine/swiftshader.node.js'

const onLinuxX64 = process.platform === 'linux' && process.arch === 'x64'
const skipped = onLinuxX64 ? false : 'the packaged SwiftShader supports only linux-x64'

test('findAdapter gives an adapter whose device computes, and says in words what it is', async (t) => {
  const found = await findAdapter()
  t.equal(found.software, isSoftwareAdapter(found.adapter.info))
  t.match(found.notice, found.description)
  t.equal(/\(software\)/.test(found.notice), found.software, 'a software adapter is announced')
  const device = await found.adapter.requestDevice()
  const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ
  const buffer = device.createBuffer({ size: 16, usage })
  device.queue.writeBuffer(buffer, 0, new Float32Array([1, 2, 3, 4]))
  await buffer.mapAsync(GPUMapMode.READ)
  t.same([...new Float32Array(buffer.getMappedRange().slice(0))], [1, 2, 3, 4])
  device.destroy()
})

test('software is recognised by whichever field tells it', (t) => {
  const base = { vendor: 'x', architecture: 'y', device: '', description: '', isFallbackAdapter: false }
  const software = (change: object) => isSoftwareAdapter({ ...base, ...change } as GPUAdapterInfo)
  t.notOk(software({ vendor: 'nvidia', architecture: 'hopper', description: 'NVIDIA H100' }))
  t.notOk(software({ vendor: 'amd', architecture: 'rdna-3', description: 'AMD Radeon (RADV)' }))
  t.ok(software({ isFallbackAdapter: true }))
  t.ok(software({ vendor: 'mesa', architecture: 'software' }))
  t.ok(software({ description: 'llvmpipe (LLVM 15.0.6, 256 bits)' }))
  t.ok(software({ vendor: 'google', architecture: 'swiftshader' }))
  t.ok(software({ vendor: 'microsoft', description: 'Microsoft Basic Render Driver' }))
  t.end()
})

test('FMAE_ADAPTER must be one of the three kinds', async (t) => {
  process.env.FMAE_ADAPTER = 'gpu'
  t.teardown(() => delete process.env.FMAE_ADAPTER)
  await t.rejects(findAdapter(), {
    name: 'NoAdapterError',
    message: /FMAE_ADAPTER is "gpu".*hardware, lavapipe, swiftshader/,
  })
})

test('no adapter of the wanted kind: a typed error with the mending command', async (t) => {
  // A process of its own: the drivers of this one are already chosen.
  const env = {
    ...process.env,
    FMAE_ADAPTER: 'lavapipe',
    VK_DRIVER_FILES: '/nonexistent',
    VK_ICD_FILENAMES: '/nonexistent',
  }
  const child = spawnSync(process.execPath, ['scripts/probeAdapter.mjs'], { env, encoding: 'utf8' })
  const answer = JSON.parse(child.stdout) as { error: string }
  t.match(answer.error, 'no WebGPU adapter: Dawn accepts no installed driver')
  t.match(answer.error, 'npm run setup')
  t.equal(child.stderr, '', "Dawn's own lines are part of the message, not noise beside it")
  t.ok(new NoAdapterError(['a', 'b'], 'Do c.').message.endsWith('a; b. Do c.'))
})

test('without any driver the packaged SwiftShader is found in the same process', {
  skip: skipped,
}, async (t) => {
  const env = { ...process.env, VK_DRIVER_FILES: '/nonexistent', VK_ICD_FILENAMES: '/nonexistent' }
  const child = spawnSync(process.execPath, ['scripts/probeAdapter.mjs'], { env, encoding: 'utf8' })
  t.match(JSON.parse(child.stdout), {
    source: 'swiftshader',
    software: true,
    notice: /SwiftShader.*\(software\)/,
  })
})

test('nothing is loaded from a folder that every user may write to', { skip: skipped }, async (t) => {
  const cache = t.testdir({})
  chmodSync(await unpackSwiftShader(cache), 0o777)
  await t.rejects(unpackSwiftShader(cache), { name: 'SwiftShaderError', message: /every user may write/ })
})

test('SwiftShader is unpacked once, whole, and mended when damaged', { skip: skipped }, async (t) => {
  const cache = t.testdir({})
  const folder = await unpackSwiftShader(cache)
  const driver = join(folder, 'libvk_swiftshader.so')
  const before = statSync(driver)
  const sound = readFileSync(driver)
  t.equal(await unpackSwiftShader(cache), folder)
  t.equal(statSync(driver).ino, before.ino, 'the second call leaves the files alone')
  writeFileSync(driver, sound.subarray(0, 1000))
  await Promise.all([unpackSwiftShader(cache), unpackSwiftShader(cache)])
  t.ok(readFileSync(driver).equals(sound), 'a truncated driver is replaced, even by two at once')
  t.equal(readdirSync(folder).length, 4, 'nothing is left over')
})

test('SwiftShader: a folder that cannot be written is a typed error', { skip: skipped }, async (t) => {
  const cache = t.testdir({ file: 'not a folder' })
  await t.rejects(unpackSwiftShader(join(cache, 'file')), SwiftShaderError)
})

test('captureStderr returns what native code wrote, and stderr works again after it', async (t) => {
  const shout = () => spawnSync('sh', ['-c', 'echo from below >&2'], { stdio: 'inherit' }).status
  const { result, text } = await captureStderr(shout)
  t.equal(result, 0)
  t.equal(text, 'from below\n')
  const failing = () => {
    throw new Error('inside')
  }
  await t.rejects(captureStderr(failing), { message: 'inside' })
  t.equal((await captureStderr(shout)).text, 'from below\n', 'also after a failure inside')
})
