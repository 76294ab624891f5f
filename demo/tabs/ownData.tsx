import { useRef, useState } from 'preact/hooks'
import type { PickedFile } from '../../src/data/openFiles.browser.js'
import { useCommands } from '../parts/commands.js'
import { useDrop } from '../parts/drop.js'
import { droppedFiles } from '../parts/droppedFiles.js'
import { FolderButtons } from '../parts/folderPicker.js'
import { FolderView } from '../parts/folderView.js'
import { OwnFineTune } from '../parts/ownFineTune.js'
import { OwnPretrain } from '../parts/ownPretrain.js'
import { Reading } from '../parts/reading.js'
import { type RunView, useRun } from '../parts/runState.js'
import type { FolderSummary, WaitingRun } from '../protocol.js'
import { useWorker, useWorkerEvents } from '../workerLink.js'

/** Pretraining and fine-tuning on a folder of the visitor's. */
export function OwnData() {
  const { worker } = useWorker()
  const [folder, setFolder] = useState<FolderSummary | null>(null)
  const [waiting, setWaiting] = useState<readonly WaitingRun[]>([])
  const pretrain = useRun('ownPretrain')
  const fineTune = useRun('ownFineTune')
  const bundled = useRun('pretrain')
  const { busy, problem, send } = useCommands()
  const [pretrainCommands, fineTuneCommands] = [useCommands(), useCommands()]
  // Images may be on their way to a training: the folder stays until they are there.
  const locked = busy || pretrainCommands.busy || fineTuneCommands.busy
  useWorkerEvents((event) => {
    if (event.type === 'waiting') setWaiting(event.runs)
  })
  const open = (files: Promise<readonly PickedFile[]>) =>
    send(async () => setFolder(await worker.ownData.open(await files)))
  const root = useRef<HTMLDivElement>(null)
  const over = useDrop(root, locked ? null : (data) => open(droppedFiles(data)))
  const kept = waiting.length > 0 || begun(pretrain) || begun(fineTune)
  return (
    <div ref={root} class={over ? 'own over' : 'own'}>
      <div class="tab folder">
        <div class="intro">
          <h2>Your own data: train on a folder of face images</h2>
          <p>
            Choose a folder of face images, or drop it here. The page reads the images on this device. It
            uploads nothing and saves no images.
          </p>
        </div>
        <div class="panel controls">
          <FolderButtons disabled={locked} open={open} />
          {problem && (
            <p class="problem" role="alert">
              {problem}
            </p>
          )}
          {busy && <p class="hint">Opening the folder …</p>}
          {busy && <Reading />}
          <Waiting runs={waiting} />
          {kept && (
            <button
              type="button"
              class="quiet"
              disabled={locked}
              onClick={() => send(() => worker.ownData.forget())}
            >
              Delete the saved runs
            </button>
          )}
        </div>
        <div class="views">{folder ? <FolderView folder={folder} /> : <Format />}</div>
      </div>
      {folder && <OwnPretrain run={pretrain} folder={folder} commands={pretrainCommands} locked={busy} />}
      {folder && (
        <OwnFineTune
          run={fineTune}
          pretrain={pretrain}
          bundled={bundled}
          folder={folder}
          commands={fineTuneCommands}
          locked={busy}
        />
      )}
    </div>
  )
}

function begun({ status }: RunView): boolean {
  return status.state !== 'empty'
}

const titles = { ownPretrain: 'pretraining run', ownFineTune: 'fine-tuning run' } as const

/** Runs whose images are gone with the page that was left. */
function Waiting({ runs }: { readonly runs: readonly WaitingRun[] }) {
  if (runs.length === 0) return null
  return (
    <div class="waiting" role="status">
      {runs.map(({ run, step, folder }) => (
        <p key={run}>
          The {titles[run as keyof typeof titles]} on “{folder.name}” is saved at step {step}. Its images are
          not saved: choose the same folder again to continue.
        </p>
      ))}
    </div>
  )
}

/** What a folder may hold, for whoever has none yet. */
function Format() {
  return (
    <div class="format">
      <h3>Folder format</h3>
      <ul>
        <li>
          To pretrain: images (.jpg, .png, .webp) in folders of any depth. Each image should show one face,
          cropped to a square as in the Try it tab.
        </li>
        <li>
          To fine-tune: also a <code>labels.jsonl</code> at the top of the folder, with one line per image.{' '}
          <code>AUs</code> lists the action units that are present. Fine-tuning skips images without a{' '}
          <code>subject</code>.
        </li>
        <li>
          Both also work with WebDataset shards (.tar, .tar.gz). A .json file for each image has the same
          fields.
        </li>
      </ul>
      <pre>
        <code>
          {'{"img_path": "anna/0001.jpg", "AUs": [6, 12], "subject": "anna"}\n'}
          {'{"img_path": "ben/0001.jpg", "AUs": [], "subject": "ben"}'}
        </code>
      </pre>
      <p class="hint">
        The command line reads the same folders: <code>pretrain</code> or <code>finetune</code> with{' '}
        <code>--data FOLDER</code>.
      </p>
    </div>
  )
}
