import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { takeLock } from '../../src/fileLock.node.js'
import type { SafeTensor } from '../../src/train/checkpoint/safetensors.js'
import { readSafetensors, writeSafetensors } from '../../src/train/checkpoint/safetensorsFile.node.js'
import { paxHeader, rawMember, rawTar } from '../data/makeShard.js'
import { type RunOptions, root, runProgram } from './program.js'
import { tinyEncoder, tinyFolds, tinyJpeg, tinyMembers, tinyModel, writeFaces } from './tinyFaces.js'

// Goes through the table of docs/wrong-inputs.md: every row needs a setup here, and every setup a row there.

interface Setup extends RunOptions {
  readonly args: readonly string[]
  /** Why the case cannot be made on this machine. */
  readonly skip?: string
  /** What must hold besides the message. */
  readonly after?: (t: Test) => Promise<void>
}

type Edit = (tensors: Map<string, SafeTensor>, metadata: Record<string, string>) => void

const folder = t.testdir()
const path = (...parts: string[]) => join(folder, ...parts)
const members = await tinyMembers()
const faces = await writeFaces(path('faces'), members)
// Labels that are wrong in another way name images that are there.
for (const name of ['a.jpg', 'b.jpg']) writeFileSync(path(name), await tinyJpeg(1, []))
const small = [...tinyModel, '--batch-size', '8', '--epochs', '1']
const smallClassifier = [...tinyEncoder, '--batch-size', '6', '--epochs', '1']
const fmae = path('fmae', 'checkpoint.safetensors')
const classifier = path('classifier', 'checkpoint.safetensors')
let fresh = 0
const freshOut = () => path(`out${fresh++}`)

/** A command line in which flags of `more` replace those of `usual`, since each may be given once. */
function commandLine(command: string, usual: readonly string[], more: readonly string[]) {
  const kept = usual.filter((_, at) => !more.includes(usual[at - (at % 2)]))
  return { args: [command, ...kept, ...more] }
}

const pretrain = (data: string, ...more: string[]) =>
  commandLine('pretrain', ['--data', data, '--out', freshOut(), ...small], more)
const finetune = (data: string, ...more: string[]) =>
  commandLine('finetune', ['--data', data, '--out', freshOut(), ...smallClassifier], more)
const evaluate = (checkpoint: string, ...more: string[]) =>
  commandLine('evaluate', ['--checkpoint', checkpoint, '--data', faces], more)

const convert = (file: string, ...more: string[]): Setup => ({
  args: ['convert', file, path(`converted${fresh++}.safetensors`), ...more],
})

/** Flags of `more` replace those of `usual`. */
const predict = (source: string, ...more: string[]): Setup => {
  const { args } = commandLine('predict', ['--checkpoint', classifier, '--out', freshOut()], more)
  return { args: [...args, source] }
}

/** The classifier's weights without metadata, under other names. */
async function foreign(name: string, rename = (tensor: string) => tensor): Promise<string> {
  const { tensors } = await readSafetensors(classifier)
  const renamed = [...tensors].map(([own, tensor]): [string, SafeTensor] => [rename(own), tensor])
  await writeSafetensors(path(`${name}.safetensors`), new Map(renamed))
  return path(`${name}.safetensors`)
}

/** Protocol 2: calls posix.system('echo'). */
const evilPickle = Buffer.from('\x80\x02cposix\nsystem\nX\x04\x00\x00\x00echo\x85R.', 'latin1')

function write(name: string, content: string | Uint8Array): string {
  writeFileSync(path(name), content)
  return path(name)
}

/** A face set with some of its members changed; undefined takes one away. */
function changedFaces(name: string, change: Record<string, string | Uint8Array | undefined>, folds?: object) {
  const changed = Object.entries({ ...members, ...change }).filter(([, content]) => content !== undefined)
  return writeFaces(path(name), Object.fromEntries(changed) as typeof members, folds)
}

/** The face set with another dataset.json. */
function describedFaces(
  name: string,
  { shards, aus = [1, 2, 12] }: { shards: string[]; aus?: number[] },
): string {
  mkdirSync(path(name))
  writeFileSync(path(name, 'faces.tar'), readFileSync(join(faces, 'faces.tar')))
  const entries = shards.map((file) => ({ file }))
  writeFileSync(path(name, 'dataset.json'), JSON.stringify({ name, aus, shards: entries }))
  return path(name)
}

/** The beginning of a PNG of 16000×16000 pixels. */
function largePngHeader(): Buffer {
  const header = Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 'latin1')
  const sizes = Buffer.alloc(8)
  sizes.writeUInt32BE(16000, 0)
  sizes.writeUInt32BE(16000, 4)
  return Buffer.concat([header, sizes])
}

async function changedCheckpoint(name: string, source: string, edit: Edit): Promise<string> {
  const { tensors, metadata } = await readSafetensors(source)
  const changed = { ...metadata }
  edit(tensors, changed)
  await writeSafetensors(path(name), tensors, changed)
  return path(name)
}

const asIntegers = (tensors: Map<string, SafeTensor>) => {
  const { shape, data } = tensors.get('head.weight')!
  tensors.set('head.weight', { shape, data: new Int32Array(data.length) })
}

/** The classifier with other metadata, or other sizes. */
async function changed(name: string, fields: Record<string, string | number>): Promise<Setup> {
  const file = await changedCheckpoint(`${name}.safetensors`, classifier, (_, metadata) => {
    const config = JSON.parse(metadata.config!)
    for (const [field, value] of Object.entries(fields)) {
      if (typeof value === 'string') metadata[field] = value
      else config[field] = value
    }
    metadata.config = JSON.stringify(config)
  })
  return evaluate(file)
}

const poison = (value: number): Edit => {
  return (tensors) => {
    tensors.get('blocks.0.attn.qkv.weight')!.data[5] = value
  }
}

const labels = (name: string, ...lines: (object | string)[]) =>
  write(name, lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'))

/** Root reads and writes anywhere, so the program runs as nobody; where nobody cannot run it, the case is left out. */
async function asNobody(args: readonly string[]): Promise<Setup> {
  const user = process.getuid?.() === 0 ? { uid: 65534 } : {}
  const { code } = await runProgram(['pretrain', '--help'], user)
  const skip = 'run by root from a folder that no other user may read'
  return { args, ...user, ...(code === 0 ? {} : { skip }) }
}

function readOnlyFolder(): Promise<Setup> {
  mkdirSync(path('locked'))
  chmodSync(path('locked'), 0o555)
  return asNobody(['pretrain', '--data', faces, '--out', path('locked', 'run'), ...small])
}

/** A folder whose lock this process holds, or one `elsewhere`. */
function lockedFolder(name: string, host?: string): string {
  mkdirSync(path(name))
  const lock = path(name, 'run.lock')
  takeLock(lock)
  if (host) writeFileSync(lock, JSON.stringify({ ...JSON.parse(readFileSync(lock, 'utf8')), host }))
  return path(name)
}

/** A file system that nothing can be written to. */
function readOnlySystem(): Setup {
  const disk = mkdtempSync(join(tmpdir(), 'fmae-disk-'))
  const setup = pretrain(faces, '--out', join(disk, 'run'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', disk], { stdio: 'pipe' })
  } catch {
    rmdirSync(disk)
    return { ...setup, skip: 'a read-only system cannot be mounted without the rights to' }
  }
  process.once('exit', () => {
    execFileSync('umount', ['--lazy', disk])
    rmdirSync(disk)
  })
  return setup
}

/** A file system with room for one and a half checkpoints. */
function fullDisk(): Setup {
  // Outside of the test's own folder, which could not be removed while it is mounted.
  const disk = mkdtempSync(join(tmpdir(), 'fmae-disk-'))
  const checkpoint = join(disk, 'checkpoint.safetensors')
  const args = [
    'pretrain',
    '--data',
    faces,
    '--out',
    disk,
    ...tinyModel,
    '--batch-size',
    '8',
    '--epochs',
    '2',
  ]
  const room = Math.round(1.5 * readFileSync(fmae).length)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${room}`, 'tmpfs', disk], { stdio: 'pipe' })
  } catch {
    rmdirSync(disk)
    return { args, skip: 'a small disk cannot be mounted without the rights to' }
  }
  process.once('exit', () => {
    execFileSync('umount', ['--lazy', disk])
    rmdirSync(disk)
  })
  const after = async (t: Test) => {
    t.equal((await readSafetensors(checkpoint)).metadata.step, '3', 'disk full: the first epoch stands')
    execFileSync('mount', ['-o', `remount,size=${8 * room}`, disk])
    t.equal((await runProgram([...args, '--resume'])).code, 0, 'disk full: with room, the run goes on')
    t.equal((await readSafetensors(checkpoint)).metadata.step, '6')
  }
  return { args, after }
}

const setups: Record<string, () => Setup | Promise<Setup>> = {
  'unknown command': () => ({ args: ['trian'] }),
  'unknown flag': () => pretrain(faces, '--epoch', '3'),
  'flag without its value': () => ({ args: ['pretrain', '--batch-size'] }),
  'no --data and no --out': () => ({ args: ['pretrain'] }),
  '`--batch-size abc`': () => pretrain(faces, '--batch-size', 'abc'),
  '`--epochs -1`': () => pretrain(faces, '--epochs', '-1'),
  '`--budget huge`': () => ({ args: ['quickstart', '--budget', 'huge'] }),
  'unknown recipe': () => pretrain(faces, '--recipe', 'disfa'),
  'recipe named as a property of every object': () => pretrain(faces, '--recipe', 'constructor'),
  'a flag of one value given twice': () => ({ args: ['pretrain', '--data', faces, '--data', faces] }),
  '`--aus` that is not a list of numbers': () => finetune(faces, '--aus', '1,x'),
  '`--epochs 1e400`': () => pretrain(faces, '--epochs', '1e400'),
  '`--train-on ,`': () => finetune(faces, '--train-on', ','),
  '`--id-head-layers 4`': () => finetune(faces, '--id-head-layers', '4'),
  '`verify --tolerance 1e400`': () => ({ args: ['verify', '--tolerance', '1e400'] }),
  'the same AU twice in `--aus`': () => finetune(faces, '--aus', '1,1,2'),
  '`--subject-from` that is not a regular expression': () =>
    finetune(labels('rule.jsonl', { img_path: 'a.jpg', AUs: [1] }), '--subject-from', '('),
  'missing config file': () => pretrain(faces, '--config', path('absent.json')),
  'config file that is not JSON': () => pretrain(faces, '--config', write('a.json', '{ "epochs": }')),
  'config file that is not an object': () => pretrain(faces, '--config', write('b.json', '[1]')),
  'config file with an unknown key': () => pretrain(faces, '--config', write('c.json', '{ "batchsize": 8 }')),
  'config file with a value of the wrong type': () => ({
    args: [
      'pretrain',
      '--data',
      faces,
      '--out',
      freshOut(),
      '--config',
      write('d.json', '{ "epochs": "8" }'),
    ],
  }),
  'config file nested 10,000 levels deep': () =>
    pretrain(
      faces,
      '--config',
      write('deep.json', `{ "weightDecay": ${'['.repeat(1e4)}${']'.repeat(1e4)} }`),
    ),
  'config file with an empty list of AUs': () =>
    finetune(faces, '--config', write('e.json', '{ "aus": [] }')),
  '`--beta1 1`': () => pretrain(faces, '--beta1', '1'),
  'image size that is not a multiple of the patch size': () => pretrain(faces, '--image-size', '40'),
  'width that is not a multiple of the heads': () => pretrain(faces, '--heads', '3'),
  '`--depth 1000000`': () => pretrain(faces, '--depth', '1000000'),
  '`--mask-ratio 1`': () => pretrain(faces, '--mask-ratio', '1'),
  'mask ratio that hides every patch': () => pretrain(faces, '--mask-ratio', '0.9'),
  'model larger than the adapter allows': () => pretrain(faces, '--width', '131072', '--heads', '1024'),
  'no such adapter (`FMAE_ADAPTER=hardware` without a GPU)': async () => {
    const env = { FMAE_ADAPTER: 'hardware' }
    const { stdout } = await runProgram(['doctor'], { env })
    const setup = { ...pretrain(faces), env }
    return /^Adapter +hardware/m.test(stdout) ? { ...setup, skip: 'this machine has a GPU' } : setup
  },
  'unknown `FMAE_ADAPTER`': () => ({ ...pretrain(faces), env: { FMAE_ADAPTER: 'gpu' } }),
  '`--precision f16` on an adapter without it (SwiftShader)': () => ({
    ...pretrain(faces, '--precision', 'f16'),
    env: { FMAE_ADAPTER: 'swiftshader' },
    ...(process.platform === 'linux' && process.arch === 'x64'
      ? {}
      : { skip: 'the packaged SwiftShader supports only linux-x64' }),
  }),
  'missing file': () => pretrain(path('absent.tar')),
  'missing folder': () => pretrain(path('absent')),
  'folder without images': () => {
    mkdirSync(path('empty'))
    return pretrain(path('empty'))
  },
  'folder without read permission': async () => {
    mkdirSync(path('sealed'), { mode: 0o111 })
    // The folder of the tests wants to be removed in the end.
    const after = async () => chmodSync(path('sealed'), 0o755)
    return { ...(await asNobody(pretrain(path('sealed')).args)), after }
  },
  'file of another kind': () => pretrain(write('notes.txt', 'hello')),
  'folder with images of other formats only': () => {
    mkdirSync(path('gifs'))
    write('gifs/a.gif', 'GIF89a')
    return pretrain(path('gifs'))
  },
  '`--data ""`': () => pretrain(''),
  'pipe instead of a file': () => {
    execFileSync('mkfifo', [path('pipe.tar')])
    return pretrain(path('pipe.tar'))
  },
  'truncated tar': () => pretrain(write('cut.tar', readFileSync(join(faces, 'faces.tar')).subarray(0, 5000))),
  'file that is not a tar archive': () => pretrain(write('noise.tar', 'noise '.repeat(1000))),
  'tar with a negative size': () =>
    pretrain(write('negative.tar', rawTar(paxHeader({ size: '-1536' }), rawMember({}, 'x')))),
  'tar with a damaged pax header': () =>
    pretrain(write('pax.tar', rawTar(rawMember({ type: 'x' }, '99 path=a\n')))),
  'tar with a sparse member': () => pretrain(write('sparse.tar', rawTar(rawMember({ type: 'S' })))),
  'tar with a link to a file outside': () =>
    pretrain(write('link.tar', rawTar(rawMember({ type: '2', linkName: '../a.jpg' })))),
  'tar with more than one dot in its names': () =>
    pretrain(write('dots.tar', rawTar(rawMember({ name: 'a.b.jpg' }, 'x')))),
  'truncated gzip': () =>
    pretrain(write('cut.tar.gz', gzipSync(readFileSync(join(faces, 'faces.tar'))).subarray(0, 5000))),
  'corrupt JPEG': async () => {
    const image = (members['003.jpg'] as Uint8Array).slice(0, 300)
    return pretrain(await changedFaces('corrupt', { '003.jpg': image }))
  },
  'SVG named .jpg': async () =>
    pretrain(await changedFaces('svg', { '003.jpg': '<svg xmlns="http://www.w3.org/2000/svg"/>' })),
  'image with too many pixels': async () =>
    pretrain(await changedFaces('pixels', { '003.jpg': largePngHeader() })),
  '`--bad-images skip` with more than a tenth of the images bad': async () => {
    const bad = Object.fromEntries(['000.jpg', '001.jpg', '002.jpg'].map((name) => [name, '']))
    return pretrain(await changedFaces('bad', bad), '--bad-images', 'skip')
  },
  '.jpg without .json': async () => pretrain(await changedFaces('unlabelled', { '003.json': undefined })),
  '.json without .jpg': async () => pretrain(await changedFaces('pictureless', { '003.jpg': undefined })),
  '.json that is not JSON': async () => pretrain(await changedFaces('notJson', { '003.json': '{AUs' })),
  '.json nested 10,000 levels deep': async () =>
    pretrain(await changedFaces('deep', { '003.json': '['.repeat(10_000) + ']'.repeat(10_000) })),
  'image with two subjects, through a link in a tar': async () => {
    const linked = rawMember({ name: '024.jpg', type: '1', linkName: './003.jpg' })
    const labels = rawMember({ name: '024.json' }, '{ "subject": "eve", "AUs": [] }')
    const data = await changedFaces('linked', {})
    const faces = readFileSync(join(data, 'faces.tar'))
    writeFileSync(join(data, 'faces.tar'), Buffer.concat([faces, rawTar(linked, labels)]))
    return finetune(data)
  },
  'shard listed twice': () => finetune(describedFaces('listed', { shards: ['faces.tar', './faces.tar'] })),
  'shard outside its folder': () => finetune(describedFaces('away', { shards: ['../faces/faces.tar'] })),
  'AU declared twice': () => finetune(describedFaces('units', { shards: ['faces.tar'], aus: [1, 2, 1] })),
  'AU that the data set does not declare': async () =>
    finetune(await changedFaces('undeclared', { '003.json': '{ "subject": "dot", "AUs": [1, 999, 4] }' })),
  'bad line in a label file': () => pretrain(labels('bad.jsonl', { img_path: 'a.jpg' }, '{"img_path": ')),
  'label file: AU that FACS does not define': () =>
    finetune(labels('au.jsonl', { img_path: 'a.jpg', AUs: [999, 99] })),
  'label file: missing images': () =>
    pretrain(labels('lost.jsonl', ...Array(8).fill({ img_path: 'absent.jpg', AUs: [999] }))),
  'label file: image with two subjects': () => {
    const entry = (img_path: string, subject: string) => ({ img_path, subject, AUs: [1] })
    return finetune(
      labels('two.jsonl', entry('a.jpg', 'ann'), entry('b.jpg', 'bob'), entry('x/../a.jpg', 'bob')),
    )
  },
  'label file: image with two lists of AUs': () =>
    finetune(labels('units.jsonl', { img_path: 'a.jpg', AUs: [1] }, { img_path: './a.jpg', AUs: [2, 1] })),
  'label file: path outside its folder': () => finetune(labels('out.jsonl', { img_path: '../a.jpg' })),
  'label file: absolute path': () => finetune(labels('absolute.jsonl', { img_path: '/data/a.jpg' })),
  'label file: link that leads outside its folder': () => {
    symlinkSync(join(root, 'package.json'), path('out.jpg'))
    return finetune(labels('linked.jsonl', { img_path: 'out.jpg' }))
  },
  'label file: image without a subject': () =>
    finetune(labels('nobody.jsonl', { img_path: 'a.jpg', AUs: [1] })),
  'data without labels for finetune': async () => {
    mkdirSync(path('plain'))
    write('plain/a.jpg', await tinyJpeg(1, []))
    return finetune(path('plain'))
  },
  'labels without an active AU for finetune': () =>
    finetune(labels('calm.jsonl', { img_path: 'a.jpg', AUs: [999], subject: 'ann' })),
  'AU that the data has no labels for': async () => finetune(faces, '--aus', '1,4'),
  'subject in two folds': async () => {
    const [first, second, third] = tinyFolds.folds
    const folds = { folds: [first, { ...second, subjects: ['cid', 'bob'] }, third] }
    return finetune(await changedFaces('shared', {}, folds))
  },
  'subject twice in one fold': async () => {
    const [first, ...others] = tinyFolds.folds
    const folds = { folds: [{ ...first, subjects: ['ann', ' ann'] }, ...others] }
    return finetune(await changedFaces('repeated', {}, folds))
  },
  'two folds with one name': async () => {
    const [first, ...others] = tinyFolds.folds
    const folds = { folds: [first, ...others.map((fold) => ({ ...fold, name: 'fold1' }))] }
    return finetune(await changedFaces('twins', {}, folds))
  },
  'unknown fold (finetune)': () => finetune(faces, '--test-fold', 'fold9'),
  'unknown fold (evaluate)': () => evaluate(classifier, '--test-fold', 'fold9'),
  'fold without an image (evaluate)': async () => {
    const folds = { folds: [...tinyFolds.folds, { name: 'fold4', subjects: ['zoe'] }] }
    const data = await changedFaces('emptyFold', {}, folds)
    return evaluate(classifier, '--data', data, '--test-fold', 'fold4')
  },
  'folds that differ from the fine-tuning (evaluate)': async () => {
    const data = await changedFaces('loose', {})
    rmSync(join(data, 'folds.json'))
    return evaluate(classifier, '--data', data, '--test-fold', 'fold3')
  },
  'folds.json that differs from the fine-tuning (evaluate)': async () => {
    const [first, second, third] = tinyFolds.folds
    const folds = {
      folds: [first, { ...second, subjects: third.subjects }, { ...third, subjects: second.subjects }],
    }
    return evaluate(classifier, '--data', await changedFaces('dealt', {}, folds), '--test-fold', 'fold3')
  },
  'training on the test fold': () => finetune(faces, '--train-on', 'fold1,fold3'),
  'unknown split': () => pretrain(faces, '--split', 'night'),
  'unknown split beside a known one': () => pretrain(faces, '--split', 'day,night'),
  '`--split` without shards': () => pretrain(labels('split.jsonl', { img_path: 'a.jpg' }), '--split', 'day'),
  'batch larger than the data': () => pretrain(faces, '--batch-size', '25'),
  'accumulation larger than an epoch': () => pretrain(faces, '--accumulation', '4'),
  'one image per subject for probe': async () => {
    const lone = Array.from({ length: 4 }, (_, at) => ({ img_path: write(`${at}.jpg`, ''), subject: at }))
    return { args: ['probe', '--checkpoint', fmae, '--data', labels('lone.jsonl', ...lone)] }
  },
  'missing checkpoint': () => evaluate(path('absent.safetensors')),
  'pipe instead of a checkpoint': () => {
    execFileSync('mkfifo', [path('pipe.safetensors')])
    return evaluate(path('pipe.safetensors'))
  },
  'truncated checkpoint': () =>
    evaluate(write('cut.safetensors', readFileSync(classifier).subarray(0, -1000))),
  'checkpoint of another format': () => evaluate(write('model.pth', `PK\x03\x04${'\x80\xff'.repeat(100)}`)),
  'safetensors file of another program': async () =>
    evaluate(
      await changedCheckpoint('foreign.safetensors', classifier, (_, metadata) => {
        for (const name of Object.keys(metadata)) delete metadata[name]
      }),
    ),
  'checkpoint with a damaged configuration': async () =>
    evaluate(
      await changedCheckpoint('config.safetensors', classifier, (_, metadata) => {
        metadata.config = '{ "imageSize": 32, "patchSize": 16 }'
      }),
    ),
  'Git LFS pointer instead of a checkpoint': () =>
    evaluate(
      write('lfs.safetensors', 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n'),
    ),
  'web page instead of a checkpoint': () =>
    evaluate(write('page.safetensors', '<!DOCTYPE html><html></html>')),
  'checkpoint with fewer AUs than outputs': () => changed('few', { aus: '[1,2]' }),
  'checkpoint that lists an AU twice': () => changed('twice', { aus: '[1,1,2]' }),
  'checkpoint with more blocks than weights': () => changed('deep', { depth: 3_000_000 }),
  'checkpoint with larger images than position embeddings': () => changed('wide', { imageSize: 16e6 }),
  'checkpoint whose step is not an integer': () => changed('hex', { step: '0x10' }),
  'checkpoint whose step is after the end of the run': async () => {
    mkdirSync(path('late'))
    await changedCheckpoint('late/checkpoint.safetensors', fmae, (_, metadata) => {
      metadata.step = '4'
    })
    return pretrain(faces, '--resume', '--out', path('late'))
  },
  'negative second moment in a checkpoint': async () =>
    evaluate(
      await changedCheckpoint('negative.safetensors', classifier, (tensors) => {
        tensors.get('exp_avg_sq.head.bias')!.data[2] = -1
      }),
    ),
  'integers as weights in a checkpoint': async () =>
    evaluate(await changedCheckpoint('integers.safetensors', classifier, asIntegers)),
  'integers as weights for `--from`': async () =>
    finetune(
      faces,
      '--from',
      await changedCheckpoint('integers2.safetensors', classifier, (tensors, metadata) => {
        asIntegers(tensors)
        for (const name of Object.keys(metadata)) delete metadata[name]
      }),
    ),
  '`--from` weights of an unknown layout': async () =>
    finetune(faces, '--from', await foreign('unknown', (name) => name.replace('blocks.', 'stages.'))),
  '`--from` weights in which a block is not whole': async () =>
    finetune(faces, '--from', await foreign('cut', (name) => name.replace('blocks.0.mlp.fc2.bias', 'other'))),
  'PyTorch file that names a function': () => convert(write('evil.pth', evilPickle)),
  '`convert` weights whose heads nothing states': async () => convert(await foreign('bare')),
  '`convert` a classifier without `--aus`': async () => convert(await foreign('bare2'), '--heads', '2'),
  '`convert --thresholds` that are not one for each AU': () => convert(classifier, '--thresholds', '0.1,0.2'),
  '`predict` with a checkpoint that does not say its crop': () => predict(path('a.jpg')),
  '`predict` with an FMAE checkpoint': () => predict(path('a.jpg'), '--checkpoint', fmae),
  '`predict` over an existing file': () => predict(path('a.jpg'), '--crop', 'none', '--out', path('a.jpg')),
  '`predict` a path that is not there': () => predict(path('absent.jpg')),
  '`predict -` without paths': () => ({ ...predict('-'), input: '' }),
  '`predict` a video without ffmpeg': () => {
    // The test starts the program by env, which is all that this path leads to.
    mkdirSync(path('onlyEnv'), { recursive: true })
    symlinkSync(execFileSync('which', ['env'], { encoding: 'utf8' }).trim(), path('onlyEnv', 'env'))
    return { ...predict(write('clip.mp4', 'video')), env: { PATH: path('onlyEnv') } }
  },
  '`convert` over an existing file': async () => ({
    args: ['convert', await foreign('hf'), path('hf.safetensors')],
  }),
  'NaN in a checkpoint': async () =>
    evaluate(await changedCheckpoint('nan.safetensors', classifier, poison(Number.NaN))),
  'infinity in a checkpoint for `--from`': async () =>
    finetune(faces, '--from', await changedCheckpoint('inf.safetensors', fmae, poison(Infinity))),
  'wrong shape of a tensor in a checkpoint': async () =>
    evaluate(
      await changedCheckpoint('shape.safetensors', classifier, (tensors) => {
        tensors.set('head.weight', { shape: [16, 3], data: tensors.get('head.weight')!.data })
      }),
    ),
  'missing tensor in a checkpoint': async () =>
    evaluate(
      await changedCheckpoint('headless.safetensors', classifier, (tensors) => {
        tensors.delete('head.weight')
      }),
    ),
  '`--from` with another model size': () => finetune(faces, '--from', fmae, '--width', '32'),
  '`--from` a file without an encoder': async () =>
    finetune(
      faces,
      '--from',
      await changedCheckpoint('decoder.safetensors', fmae, (tensors, metadata) => {
        for (const name of Object.keys(metadata)) delete metadata[name]
        for (const name of [...tensors.keys()]) if (!name.startsWith('decoder')) tensors.delete(name)
      }),
    ),
  '`--from` with another input normalization': () =>
    finetune(faces, '--from', fmae, '--standardise', 'imagenet'),
  '`--from` with another number of attention heads': () => finetune(faces, '--from', fmae, '--heads', '4'),
  'FMAE checkpoint given to evaluate': () => evaluate(fmae),
  '`--out` is a file': () => pretrain(faces, '--out', write('notes.txt', 'hello')),
  '`--out` that contains a finished run': () => pretrain(faces, '--out', path('fmae')),
  '`--out` in a read-only folder': readOnlyFolder,
  '`--out` on a read-only file system': readOnlySystem,
  '`--out` where no folder can be created': () => ({
    ...pretrain(faces, '--out', '/proc/run'),
    ...(process.platform === 'linux' ? {} : { skip: 'there is no /proc' }),
  }),
  '`--out ""`': () => pretrain(faces, '--out', ''),
  '`--out` that another run is using': () => pretrain(faces, '--out', lockedFolder('busy')),
  '`--out` that a run on another machine is using': () =>
    pretrain(faces, '--out', lockedFolder('far', 'node7')),
  'log that cannot be replaced': () => {
    mkdirSync(path('logged', 'log.jsonl'), { recursive: true })
    return pretrain(faces, '--out', path('logged'))
  },
  '`--json` in a missing folder': () => evaluate(classifier, '--json', path('absent', 'result.json')),
  '`--resume` without a checkpoint': () => pretrain(faces, '--resume'),
  '`--resume` with another setting': () =>
    pretrain(faces, '--resume', '--out', path('fmae'), '--weight-decay', '0.1'),
  '`--resume` with other images': async () => {
    await writeFaces(path('moved'), members)
    const { args } = pretrain(path('moved'))
    await runProgram(args)
    await changedFaces('moved', { '003.jpg': undefined, '003.json': undefined })
    return { args: [...args, '--resume'] }
  },
  '`--resume` with other folds': async () => {
    const trained = ['--out', path('refolded'), '--train-on', 'fold1']
    await runProgram(finetune(await changedFaces('folded', {}), ...trained).args)
    const [first, second, third] = tinyFolds.folds
    const folds = { folds: [first, { ...second, name: 'other' }, third] }
    return finetune(await changedFaces('folded', {}, folds), ...trained, '--resume')
  },
  'learning rate so high that the loss becomes NaN': () => pretrain(faces, '--base-learning-rate', '1e30'),
  'disk full at the second checkpoint': fullDisk,
}

interface Row {
  readonly input: string
  readonly message: string
  readonly code: number
}

const rows = readFileSync(join(root, 'docs', 'wrong-inputs.md'), 'utf8')
  .split('\n')
  .filter((line) => /^\| .* \d \|$/.test(line))
  .map((line): Row => {
    const [, input, message, code] = line.split(/(?<!\\)\|/).map((cell) => cell.trim())
    return { input: input, message: message.replaceAll('\\|', '|'), code: Number(code) }
  })

/** The message with `…` as anything on the line, and line ends as spaces. */
function pattern(message: string): RegExp {
  const literal = message.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${literal.replaceAll('…', '.+')}$`)
}

const sha256 = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex')

/** Runs `work` over all items, two at a time. */
async function twoAtATime<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items]
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
  }
  await Promise.all([worker(), worker()])
}

t.test('the list and the setups belong together', async (t) => {
  t.same(
    rows.map(({ input }) => input),
    Object.keys(setups),
  )
})

t.test('every wrong input', async (t) => {
  const training = await Promise.all([
    runProgram(['pretrain', '--data', faces, '--out', path('fmae'), ...small]),
    runProgram(['finetune', '--data', faces, '--out', path('classifier'), ...smallClassifier]),
  ])
  for (const { code, stderr } of training) t.equal(code, 0, stderr)
  const saved = [sha256(fmae), sha256(classifier)]
  await twoAtATime(rows, async ({ input, message, code }) => {
    const setup = await setups[input]()
    if (setup.skip) {
      t.pass(input, { skip: setup.skip })
      return
    }
    const ended = await runProgram(setup.args, setup)
    const all = ended.stdout + ended.stderr
    const error = ended.stderr
      .slice(Math.max(ended.stderr.indexOf('error: '), 0))
      .trim()
      .replaceAll('\n', ' ')
    t.match(error, pattern(message), input)
    t.equal(ended.code, code, `${input}: exit code`)
    t.notMatch(all, /^ +at .*:\d+:\d+/m, `${input}: no stack trace`)
    await setup.after?.(t)
  })
  t.same([sha256(fmae), sha256(classifier)], saved, 'what was saved before is as it was')
})
