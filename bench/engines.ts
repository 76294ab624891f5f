/** The engines that are compared: ours, and the peers of bench/peers, which are installed on first use. */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { EngineCommand } from './engineProcess.js'

/** The repository: this program lies in its dist/. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const peersFolder = join(root, 'bench', 'peers')
const bundled = join(peersFolder, 'node_modules', '.bundled')
/** The lock file of what is installed and bundled, written last. */
const stamp = join(bundled, 'lock.json')

const node = (name: string, script: string): EngineCommand => ({
  name,
  program: process.execPath,
  args: [script],
})

export const ours: EngineCommand = node('ours', join(root, 'dist', 'benchOurs.js'))
const npmPeers: readonly EngineCommand[] = [
  node('tfjs', join(peersFolder, 'tfjs.mjs')),
  node('jaxjs', join(peersFolder, 'jaxjs.mjs')),
]
const torch: EngineCommand = {
  name: 'torchCpu',
  program: 'python3',
  args: [join(peersFolder, 'torchCpu.py')],
}

export interface AvailablePeers {
  readonly commands: readonly EngineCommand[]
  /** Why some are missing; null if all npm peers are installed. */
  readonly missing: string | null
}

/** Installs the npm peers if necessary. Adds PyTorch if `python3` has it. */
export async function availablePeers(): Promise<AvailablePeers> {
  const optional = (await run('python3', ['-c', 'import torch'], root)).code === 0 ? [torch] : []
  const missing = await installNpmPeers()
  return missing ? { commands: optional, missing } : { commands: [...npmPeers, ...optional], missing: null }
}

/** Versions of the npm peers as pinned. */
export function peerVersions(): Record<string, string> {
  return JSON.parse(readFileSync(join(peersFolder, 'package.json'), 'utf8')).dependencies
}

/** Exactly the locked packages into bench/peers/node_modules; returns what went wrong, or null. */
async function installNpmPeers(): Promise<string | null> {
  const lock = readFileSync(join(peersFolder, 'package-lock.json'), 'utf8')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return null
  console.log('Installing the peers into bench/peers (npm ci) …')
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund']
  const path = process.env.npm_execpath
  const { code, output } = path?.endsWith('.js')
    ? await run(process.execPath, [path, ...args], peersFolder)
    : await run('npm', args, peersFolder)
  if (code !== 0) return `npm ci failed in bench/peers: ${output.trim().split('\n').slice(-3).join(' ')}`
  await bundleTfjs()
  writeFileSync(stamp, lock)
  return null
}

/** tfjs as one ES module with its gradients registered, which its build for Node leaves out. */
async function bundleTfjs(): Promise<void> {
  const esbuild = await import('esbuild')
  const contents = [
    "import '@tensorflow/tfjs-core/dist/register_all_gradients'",
    "import '@tensorflow/tfjs-backend-webgpu'",
    "export * from '@tensorflow/tfjs-core'",
  ].join('\n')
  await esbuild.build({
    stdin: { contents, resolveDir: peersFolder },
    outfile: join(bundled, 'tfjs.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    mainFields: ['module', 'main'],
    // Some of its parts call require.
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    logLevel: 'error',
  })
}

function run(
  program: string,
  args: readonly string[],
  cwd: string,
): Promise<{ code: number; output: string }> {
  return new Promise((done) => {
    const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    const chunks: Buffer[] = []
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => chunks.push(chunk))
    child.on('error', ({ message }) => done({ code: 127, output: message }))
    child.on('close', (code) => done({ code: code ?? 1, output: Buffer.concat(chunks).toString('utf8') }))
  })
}
