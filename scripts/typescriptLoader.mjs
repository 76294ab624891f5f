import { createHash, randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { version } from 'esbuild'
import { root } from './process.mjs'

// Hooks of Node for TypeScript (https://nodejs.org/api/module.html#customization-hooks). esbuild removes the types, and the
// result is kept by the content's hash: a test process starts in under a second, and with tap's own loader in three or four.
// Types are checked by `tsc`, apart.

const CACHE = join(root, 'node_modules', '.cache', 'fmae-webgpu', 'typescript')
const OPTIONS = {
  format: 'esm',
  target: 'node20',
  sourcemap: 'inline',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true, target: 'ES2022' } },
}
const isTypeScript = (url) => url.startsWith('file:') && /\.tsx?$/.test(url)

/** `./x.js` in a TypeScript file may mean `./x.ts` or `./x.tsx`. */
export async function resolve(specifier, context, next) {
  if (/^\.\.?\//.test(specifier) && specifier.endsWith('.js') && context.parentURL)
    for (const ending of ['.ts', '.tsx']) {
      const url = new URL(specifier.replace(/\.js$/, ending), context.parentURL)
      if (url.protocol === 'file:' && existsSync(url))
        return { url: url.href, format: 'module', shortCircuit: true }
    }
  return next(specifier, context)
}

export async function load(url, context, next) {
  if (!isTypeScript(url)) return next(url, context)
  const path = fileURLToPath(url)
  return { format: 'module', source: await compiled(path, await readFile(path, 'utf8')), shortCircuit: true }
}

async function compiled(path, source) {
  const key = createHash('sha256')
    .update(`${version}\n${JSON.stringify(OPTIONS)}\n${path}\n${source}`)
    .digest('hex')
  const file = join(CACHE, `${key}.mjs`)
  const known = await readFile(file, 'utf8').catch(() => null)
  if (known !== null) return known
  const { transform } = await import('esbuild')
  const { code } = await transform(source, {
    ...OPTIONS,
    sourcefile: path,
    loader: path.endsWith('x') ? 'tsx' : 'ts',
  })
  // Two test processes may compile the same file.
  await mkdir(CACHE, { recursive: true })
  const temporary = `${file}.${randomUUID()}`
  await writeFile(temporary, code)
  await rename(temporary, file)
  return code
}
