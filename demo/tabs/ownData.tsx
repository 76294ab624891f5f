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

/** Act 4: pretraining and fine-tuning on a folder of the visitor's. */
export function OwnData() {
  const { worker } = useWorker()
  const [folder, setFolder] = useState<FolderSummary | null>(null)
  const [waiting, setWaiting] = useState<readonly WaitingRun[]>([])
  const pretrain = useRun('ownPretrain')
  const fineTune = useRun('ownFineTune')
  const act1 = useRun('pretrain')
  const { busy, problem, send } = useCommands()
  const [pretrainCommands, fineTuneCommands] = [useCommands(), useCommands()]
  // Pictures may be on their way to a training: the folder stays until they are there.
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
      <div class="act folder">
        <div class="intro">
          <h2>Your own data: train on a folder of faces</h2>
          <p>
            Choose a folder of face pictures, or drop one here. It is read in this page: no picture leaves it,
            and none is kept.
          </p>
        </div>
        <div class="panel controls">
          <FolderButtons disabled={locked} open={open} />
          {problem && (
            <p class="problem" role="alert">
              {problem}
            </p>
          )}
          {busy && <p class="hint">Opening …</p>}
          {busy && <Reading />}
          <Waiting runs={waiting} />
          {kept && (
            <button
              type="button"
              class="quiet"
              disabled={locked}
              onClick={() => send(() => worker.ownData.forget())}
            >
              Throw the kept runs away
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
          act1={act1}
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

const titles = { ownPretrain: 'pretraining', ownFineTune: 'fine-tuning' } as const

/** Runs whose pictures are gone with the page that was left. */
function Waiting({ runs }: { readonly runs: readonly WaitingRun[] }) {
  if (runs.length === 0) return null
  return (
    <div class="waiting" role="status">
      {runs.map(({ run, step, folder }) => (
        <p key={run}>
          The {titles[run as keyof typeof titles]} of “{folder.name}” waits at step {step}. Pictures are not
          kept: choose that folder again and it goes on.
        </p>
      ))}
    </div>
  )
}

/** What a folder may hold, for whoever has none yet. */
function Format() {
  return (
    <div class="format">
      <h3>What a folder may hold</h3>
      <ul>
        <li>
          Pictures (.jpg, .png, .webp), in folders of any depth: enough for pretraining. Each should show one
          face, cut out roughly square, as act 3 does it.
        </li>
        <li>
          At the top of the folder a <code>labels.jsonl</code>, one line a picture: enough for fine-tuning
          too. <code>AUs</code> are the action units that are present. Pictures without a <code>subject</code>{' '}
          are left out of it.
        </li>
        <li>Or WebDataset shards (.tar, .tar.gz), with the same fields in a .json beside each picture.</li>
      </ul>
      <pre>
        <code>
          {'{"img_path": "anna/0001.jpg", "AUs": [6, 12], "subject": "anna"}\n'}
          {'{"img_path": "ben/0001.jpg", "AUs": [], "subject": "ben"}'}
        </code>
      </pre>
      <p class="hint">The same folder works in the command line: pretrain or finetune with --data FOLDER.</p>
    </div>
  )
}
