// The only hand-written file that imports @tauri-apps: what the shell can do, and its errors in one shape.

import { Channel } from "@tauri-apps/api/core";
import { type CommandError, commands, events, type MachineSample, type PullProgress, type Question, type Resource, type RunEvent, type RunId } from "./bindings";

export { commands as ipc };

/** What a failed command says. Refusals of the framework itself arrive as bare strings. */
export function commandError(error: unknown): CommandError {
  if (typeof error === "object" && error !== null && "code" in error && "message" in error) return error as CommandError;
  return { code: "failed", message: error instanceof Error ? error.message : String(error), hint: null, details: [] };
}

/** Calls back with each resource that went stale; answers how to end that. */
export const onStale = (callback: (resource: Resource) => void) => ending(events.stale.listen((event) => callback(event.payload)));
/** Calls back when the user closes the window while runs are at work. */
export const onCloseAsked = (callback: (labs: string[]) => void) => ending(events.closeAsked.listen((event) => callback(event.payload)));
/** Calls back when the application is locked or unlocked. */
export const onLockChanged = (callback: (locked: boolean) => void) => ending(events.lockChanged.listen((event) => callback(event.payload)));
/** Calls back with what only a person can say, and with the ids of questions that are over. */
export function onQuestion(asked: (question: Question) => void, gone: (id: number) => void): () => void {
  const listening = [events.question.listen((event) => asked(event.payload)), events.questionGone.listen((event) => gone(event.payload))];
  // What was asked before this page listened is asked again by that.
  void Promise.all(listening).then(() => commands.appInfo());
  const ends = listening.map(ending);
  return () => ends.forEach((end) => end());
}
/** Calls back with what the engine says in passing. */
export const onNote = (callback: (note: string) => void) => ending(events.note.listen((event) => callback(event.payload)));

function ending(listening: Promise<() => void>): () => void {
  return () => void listening.then((end) => end());
}

/** Follows a run from its beginning; `onEnd` gets null when it is over, or why it could not be followed. */
export function followRun(run: RunId, onEvents: (events: RunEvent[]) => void, onEnd: (error: CommandError | null) => void): () => void {
  let over = false;
  const channel = new Channel<RunEvent[]>();
  channel.onmessage = (batch) => {
    if (!over) onEvents(batch);
  };
  commands.followRun(run, 1, channel).then(
    () => over || onEnd(null),
    (error: unknown) => over || onEnd(commandError(error)),
  );
  return () => {
    over = true;
    void commands.unfollowRun(run);
  };
}

/** Follows what a lab's machines do, beginning with what is remembered. */
export function followStats(lab: string, onSamples: (samples: MachineSample[]) => void, onEnd: (error: CommandError | null) => void): () => void {
  let over = false;
  const channel = new Channel<MachineSample[]>();
  channel.onmessage = (samples) => {
    if (!over) onSamples(samples);
  };
  commands.followStats(lab, channel).then(
    () => over || onEnd(null),
    (error: unknown) => over || onEnd(commandError(error)),
  );
  return () => {
    over = true;
    void commands.unfollowStats(lab);
  };
}

/** Builds an image; `onStep` hears what is done now. */
export function buildImage(recipe: string, onStep: (step: string) => void) {
  const channel = new Channel<string>();
  channel.onmessage = onStep;
  return commands.buildImage(recipe, channel);
}

/** Downloads an image: one of the catalog where `url` is null. */
export function pullImage(name: string, url: string | null, sha256: string | null, onProgress: (progress: PullProgress) => void) {
  const channel = new Channel<PullProgress>();
  channel.onmessage = onProgress;
  return commands.pullImage(name, url, sha256, channel);
}
