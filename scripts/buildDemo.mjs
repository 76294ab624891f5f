import './nodeVersion.mjs'
import { cpSync, mkdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ensurePackages } from './packages.mjs'
import { main, root, SetupError } from './process.mjs'

/** Finds faces for act 3. */
const HUMAN = 'node_modules/@vladmandic/human'

/** What the page fetches by itself, as it stands in the repository or in a package. */
const ASSETS = [
  ['demo/index.html', 'index.html'],
  ['data/faces', 'faces'],
  ...['blazeface.json', 'blazeface.bin', 'facemesh.json', 'facemesh.bin'].map((file) => [
    `${HUMAN}/models/${file}`,
    `faceModels/${file}`,
  ]),
  [`${HUMAN}/LICENSE`, 'faceModels/LICENSE'],
]

/**
 * Builds the demo to static files, all paths relative: any static host can serve them, from any folder. `folder` is
 * emptied first. Returns its path.
 */
export async function buildDemo(folder = join(root, 'dist', 'demo')) {
  const esbuild = await import('esbuild')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  try {
    await esbuild.build({
      absWorkingDir: root,
      entryPoints: {
        app: 'demo/app.tsx',
        worker: 'demo/worker/worker.ts',
        faceFinder: 'demo/face/finderWorker.ts',
        style: 'demo/style.css',
      },
      outdir: folder,
      bundle: true,
      minify: true,
      splitting: true,
      platform: 'browser',
      conditions: ['browser'],
      format: 'esm',
      target: 'es2022',
      jsx: 'automatic',
      jsxImportSource: 'preact',
      sourcemap: true,
      logLevel: 'error',
    })
  } catch (error) {
    throw new SetupError(`demo: ${error.errors?.length ?? 'some'} error(s), see above`)
  }
  for (const [from, to] of ASSETS) cpSync(join(root, from), join(folder, to), { recursive: true })
  return folder
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(async () => {
    await ensurePackages()
    const out = process.argv[2]
    console.log(`The demo is built: ${await buildDemo(out && resolve(out))}`)
  })
}
