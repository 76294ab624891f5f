import { useEffect, useMemo, useRef } from 'preact/hooks'
import { auName } from '../../src/data/actionUnits.js'
import type { Point } from '../../src/face/align.js'
import { Attention } from '../parts/attention.js'
import { AuBars } from '../parts/auBars.js'
import { useCommands } from '../parts/commands.js'
import { saveModel } from '../parts/download.js'
import { inSight, useDrop, usePaste } from '../parts/drop.js'
import { FileButton } from '../parts/fileButton.js'
import { LineChart } from '../parts/lineChart.js'
import { type Models, modelDetails, modelTitle, useModels } from '../parts/models.js'
import { Replace, useOpenFile } from '../parts/openFile.js'
import { Photo } from '../parts/photo.js'
import { type Moment, useViewing, type View, type Viewing } from '../parts/viewing.js'
import type { ModelId, ModelSummary } from '../worker/tryIt.js'
import { useWorker } from '../workerLink.js'

/** The visitor's own photos, given to the networks of this page. */
export function TryIt() {
  const models = useModels()
  const root = useRef<HTMLDivElement>(null)
  const viewing = useViewing(models.chosen, () => inSight(root.current!))
  const { open, question } = useOpenFile(models, viewing)
  const over = useDrop(root, ({ files }) => files[0] && open(files[0]))
  usePaste(root, open)
  useCameraOnlyInSight(root, viewing)
  const { chosen } = models
  return (
    <div ref={root} class={over ? 'tab try-it over' : 'tab try-it'}>
      <div class="intro">
        <h2>Try it: detect action units in a photo</h2>
        <p>
          The page detects the face in your photo or camera image, crops and aligns it, and runs a model on
          it. Your images stay on this device.
        </p>
      </div>
      <Controls models={models} viewing={viewing} open={open} />
      <div class="views">
        {question && <Replace {...question} />}
        {(!chosen || chosen.aus.length === 0) && <NoClassifier models={models} />}
        <Seen view={viewing.view} viewing={viewing} />
        {chosen && chosen.aus.length > 0 && <Units model={chosen} view={viewing.view} />}
        {chosen && viewing.history.length > 1 && <History aus={chosen.aus} history={viewing.history} />}
      </div>
    </div>
  )
}

/** Nobody wants a camera to run on behind another tab. */
function useCameraOnlyInSight(root: { readonly current: HTMLElement | null }, viewing: Viewing): void {
  const latest = useRef(viewing)
  latest.current = viewing
  useEffect(() => {
    const change = () => requestAnimationFrame(() => inSight(root.current!) || latest.current.stopCamera())
    addEventListener('hashchange', change)
    return () => removeEventListener('hashchange', change)
  }, [])
}

interface ControlsProps {
  readonly models: Models
  readonly viewing: Viewing
  readonly open: (file: File) => void
}

function Controls({ models, viewing, open }: ControlsProps) {
  const { problem, cameraOn, startCamera, stopCamera } = viewing
  return (
    <div class="panel controls">
      <div class="buttons stacked">
        <FileButton label="Choose a photo" accept="image/*" primary choose={open} />
        <button type="button" onClick={cameraOn ? stopCamera : startCamera}>
          {cameraOn ? 'Stop the camera' : 'Use the camera'}
        </button>
      </div>
      <p class="hint">You can also drop a photo or a model file on this page, or paste a photo.</p>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <ModelChoice models={models} open={open} />
    </div>
  )
}

function ModelChoice({ models, open }: { readonly models: Models; readonly open: (file: File) => void }) {
  const { worker } = useWorker()
  const { all, chosen, choose } = models
  const { busy, problem, send } = useCommands()
  return (
    <fieldset>
      <legend>Model</legend>
      {chosen && (
        <select
          aria-label="Model"
          class="wide"
          value={chosen.id}
          onChange={(event) => choose(event.currentTarget.value as ModelId)}
        >
          {all.map((model) => (
            <option key={model.id} value={model.id}>
              {modelTitle(model)}
            </option>
          ))}
        </select>
      )}
      {chosen && <p class="hint">{modelDetails(chosen)}</p>}
      <div class="buttons stacked">
        <FileButton label="Open a model file" accept=".safetensors" choose={open} />
        {chosen && (
          <button type="button" disabled={busy} onClick={() => send(() => saveModel(worker, chosen.id))}>
            Download this model
          </button>
        )}
      </div>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <p class="hint">
        Model files are checkpoints. The page and the command line (<code>node dist/train.js</code>) open each
        other's files.
      </p>
    </fieldset>
  )
}

/** Without a classifier there are no AUs to show. */
function NoClassifier({ models: { all, chosen } }: { readonly models: Models }) {
  const shows = 'This model is only an encoder. It shows attention, but no action units.'
  if (all.some(({ aus }) => aus.length > 0))
    return <p class="notice">{shows} Choose a classifier under Model to see action units.</p>
  return (
    <div class="notice">
      <p>
        <strong>There is no AU classifier yet.</strong>{' '}
        {chosen ? shows : 'The page can already detect and crop the face.'} Fine-tune a classifier, or open a
        model file.
      </p>
      <button
        type="button"
        onClick={() => {
          location.hash = 'fineTune'
        }}
      >
        Go to Fine-tune
      </button>
    </div>
  )
}

function Seen({ view, viewing }: { readonly view: View | null; readonly viewing: Viewing }) {
  if (!view)
    return <p class="placeholder">{viewing.busy ? 'Looking for a face …' : 'Your image appears here.'}</p>
  const { image, live, mirrored, whole, face, crop, look } = view
  return (
    <div class="columns seen" aria-busy={viewing.busy}>
      <figure>
        <figcaption>{live ? 'Camera' : 'Your image'}</figcaption>
        <Photo image={image} face={face} mirrored={mirrored} />
        <p class={face || whole ? 'hint' : 'no-face'} role="status">
          {framing(view)}
        </p>
        {!live && (
          <button type="button" class="quiet" onClick={() => viewing.frame(!whole)}>
            {whole ? 'Detect the face' : 'Use the whole image'}
          </button>
        )}
      </figure>
      {crop && (
        <figure>
          <figcaption>Input and attention of the encoder</figcaption>
          <Attention {...crop} attention={look?.attention ?? null} />
          {look && (
            <p class="hint">
              Right: attention in the last block, averaged over heads and patch tokens. Bright patches get the
              most attention.
            </p>
          )}
        </figure>
      )}
    </div>
  )
}

/** What was done to the image, in words. */
function framing({ face, whole, crop }: View): string {
  if (whole) return 'The model gets the whole image, resized to a square.'
  if (!face) return 'No face was detected in this image.'
  const [[x, y], [u, v]] = face.corners as readonly [Point, Point]
  const side = Math.round(Math.hypot(u - x, v - y))
  const others = face.faces > 1 ? `${face.faces} faces were detected. The model gets the largest one. ` : ''
  const small =
    side < crop!.size ? `The face is only ${side} pixels wide, so the model gets a blurred image. ` : ''
  return `${others}${small}The crop is aligned to the eyes and the base of the nose.`
}

function Units({ model, view }: { readonly model: ModelSummary; readonly view: View | null }) {
  const probabilities = view?.look?.probabilities ?? null
  const present = model.aus.filter((_, i) => (probabilities?.[i] ?? 0) >= 0.5)
  return (
    <figure>
      <figcaption>Action units</figcaption>
      <AuBars aus={model.aus} probabilities={probabilities} />
      <p class="hint">
        {probabilities &&
          `${present.length ? `Detected (probability of 0.5 or more): ${present.map(unit).join(', ')}. ` : 'No action unit reaches a probability of 0.5. '}`}
        Each bar shows the probability that the action unit is present. It does not show the intensity. A
        classifier trained on rendered faces is often wrong on photos.
      </p>
    </figure>
  )
}

function unit(au: number): string {
  return `AU ${au} ${auName(au)}`.trim()
}

const tones = ['--tone-plain', '--tone-iat', '--tone-held-out', '--tone-probe'] as const

/** The units with the highest probabilities, over time. */
function History({ aus, history }: { readonly aus: readonly number[]; readonly history: readonly Moment[] }) {
  const { top, data } = useMemo(() => {
    const highest = aus.map((_, i) => Math.max(...history.map(({ probabilities }) => probabilities[i])))
    const top = aus
      .map((_, i) => i)
      .sort((a, b) => highest[b] - highest[a])
      .slice(0, tones.length)
      .sort((a, b) => a - b)
    const columns = top.map((i) => history.map(({ probabilities }) => probabilities[i]))
    return { top, data: [history.map(({ seconds }) => seconds), ...columns] }
  }, [history, aus])
  return (
    <LineChart
      title="Action units with the highest probabilities"
      x="seconds"
      y="probability"
      series={top.map((i, at) => ({ label: `AU ${aus[i]}`, tone: tones[at] }))}
      data={data}
    />
  )
}
